"""Pictures: a model's layers with what compression saves, and the zoo's accuracy against size.

matplotlib is needed only here and imported only when a picture is drawn.
"""

from math import log10
from typing import Any, List, Mapping, Tuple

STORED, DENSE, INK = "#1f6f8b", "#d5dde2", "#26323a"
COLOURS = {"digits": "#8a6d3b", "mnist_mlp": "#1f6f8b", "mnist_cnn": "#b4463c"}


def _figure(width: float, height: float) -> Tuple[Any, Any]:
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "pictures must be drawn by matplotlib, which is not installed. "
            "Run: pip install matplotlib"
        ) from error
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    return figure, figure.subplots()


def _shape(extents: List[int]) -> str:
    return " x ".join(map(str, extents))


def draw_model(info: Mapping[str, Any]) -> Any:
    """Return a picture of the layers, with block sizes, and stored against dense weights.

    Parameters
    ----------
    info : mapping
        What :meth:`pynq_circnn.Model.info` returns.

    Returns
    -------
    matplotlib.figure.Figure
    """
    layers = info["layers"]
    figure, axes = _figure(9, 1.1 + 0.62 * len(layers))
    row = {layer["name"]: -number for number, layer in enumerate(layers)}
    most = max([layer["dense_weights"] for layer in layers] + [10])
    left, bar_left, bar_width = 3.1, 3.5, 3.4

    def length(count: int) -> float:
        """Of a bar that begins at one weight, logarithmic."""
        return bar_width * log10(max(count, 1)) / log10(most)

    for layer in layers:
        y = row[layer["name"]]
        matrix = layer["weights"] > 0
        axes.text(
            left / 2,
            y,
            _label(layer),
            ha="center",
            va="center",
            fontsize=8,
            linespacing=1.35,
            color="white" if matrix else INK,
            bbox={
                "boxstyle": "round,pad=0.45",
                "facecolor": STORED if matrix else "white",
                "edgecolor": STORED if matrix else "#9aa7af",
            },
        )
        for source in layer["inputs"]:
            _arrow(axes, left / 2, row[source], y)
        if not matrix:
            continue
        for count, colour, height in (
            (layer["dense_weights"], DENSE, 0.46),
            (layer["weights"], STORED, 0.26),
        ):
            axes.barh(y, length(count), height, left=bar_left, color=colour)
        text = f"{layer['weights']:,} of {layer['dense_weights']:,}"
        if layer["block"] > 1:
            text += f"   {layer['compression']:.1f}x"
        end = bar_left + length(max(layer["dense_weights"], layer["weights"]))
        axes.text(end + 0.1, y, text, va="center", fontsize=8, color=INK)
    axes.set_xlim(0, 9)
    axes.set_ylim(-len(layers) + 0.4, 0.6)
    axes.axis("off")
    axes.set_title(
        f"{info['name']}: {info['weights']:,} weights instead of {info['dense_weights']:,} "
        f"({info['compression']:.1f}x fewer), {info['bytes']:,} bytes",
        fontsize=10,
        color=INK,
        loc="left",
    )
    axes.text(
        bar_left,
        0.42,
        "weights stored (dark) of the dense layer's (light), logarithmic",
        fontsize=7,
        color="#6b7780",
    )
    return figure


def _label(layer: Mapping[str, Any]) -> str:
    words = [layer["kind"]]
    if layer["weights"]:
        words.append(f"k = {layer['block']}" if layer["block"] > 1 else "dense")
    if layer["activation"] not in (None, "linear"):
        words.append(layer["activation"])
    return f"{layer['name']}   {_shape(layer['output_shape'])}\n{', '.join(words)}"


def _arrow(axes: Any, x: float, start: int, end: int) -> None:
    """Draw an arrow to a row from the one above, or around the rows between."""
    around = start - end > 1
    axes.annotate(
        "",
        xy=(x - (0.9 if around else 0), end + (0.1 if around else 0.27)),
        xytext=(x - (0.9 if around else 0), start - (0.1 if around else 0.27)),
        arrowprops={
            "arrowstyle": "-|>",
            "color": "#6b7780",
            "connectionstyle": "arc3,rad=0.35" if around else "arc3",
            "shrinkA": 0,
            "shrinkB": 0,
        },
    )


def draw_zoo(results: Mapping[str, Any]) -> Any:
    """Return a picture of held-out error against bytes: the models, their twins, the front.

    Parameters
    ----------
    results : mapping
        What :func:`pynq_circnn.zoo.results` returns.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _figure(8.5, 5)
    for name, record in results["models"].items():
        colour = COLOURS.get(name, INK)
        front = results.get("fronts", {}).get(name, [])
        if front:
            axes.plot(
                [point["bytes"] for point in front],
                [100 * (1 - point["accuracy_int16"]) for point in front],
                ".-",
                color=colour,
                alpha=0.5,
                linewidth=1,
                label=f"{name}, block sizes 1 to 128 (one seed each)",
            )
            for point in front:
                axes.annotate(
                    f"k={point['block']}",
                    (point["bytes"], 100 * (1 - point["accuracy_int16"])),
                    xytext=(0, -11),
                    textcoords="offset points",
                    ha="center",
                    fontsize=7,
                    color=colour,
                )
        for kind, marker, fill in (("runs", "o", colour), ("twin_runs", "s", "white")):
            runs = record[kind]
            if not runs:
                continue
            errors = [100 * (1 - run["accuracy_int16"]) for run in runs]
            mean = sum(errors) / len(errors)
            size = record["bytes" if kind == "runs" else "twin_bytes"]
            axes.errorbar(
                size,
                mean,
                [[mean - min(errors)], [max(errors) - mean]],
                fmt=marker,
                color=colour,
                markerfacecolor=fill,
                markersize=7,
                capsize=3,
                label=f"{name}" if kind == "runs" else f"{name}, dense twin",
            )
    axes.set_xscale("log")
    axes.set_xlabel("bytes of weights, scales and biases (16 bit)")
    axes.set_ylabel("held-out error, % (mean and range of the seeds)")
    axes.set_ylim(bottom=0)
    axes.grid(True, which="both", color="#eceff1", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)
    axes.set_title("The zoo: error against size, 16-bit arithmetic", fontsize=10, loc="left")
    return figure


def save(figure: Any, path: str) -> None:
    """Write a picture; the file's ending says in which format."""
    try:
        figure.savefig(path)
    except ValueError as error:
        raise ValueError(
            f"a picture's file must end in .png, .svg or .pdf. Received: {path!r}. {error}"
        ) from error
