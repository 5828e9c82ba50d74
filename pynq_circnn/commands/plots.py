"""Pictures: a model's layers and what compression saves, its timeline, the zoo's errors and sizes.

Matplotlib is needed only here and imported only when a picture is drawn.
"""

from typing import Any, Mapping, Tuple

from ..contract import UNITS
from ..files import check_folder

STORED, DENSE, INK, GREY = "#1f6f8b", "#d5dde2", "#26323a", "#6b7780"
BOX_MIDDLE, BOX_WIDTH, BOX_HEIGHT = 2.3, 2.9, 0.54
BAR_LEFT, BAR_WIDTH = 4.1, 2.8
UNIT_COLOURS = {
    "input": "#9aa7af",
    "read": "#8fb8d0",
    "forward": "#2f7fb0",
    "split": "#1c5375",
    "product": "#c0504d",
    "inverse": "#5a9e58",
    "vector": "#8a6d3b",
    "epilogue": "#8064a2",
    "write": "#d99a3d",
    "output": "#26323a",
}
COLOURS = {"digits": "#8a6d3b", "mnist_mlp": "#1f6f8b", "mnist_cnn": "#b4463c"}


def new_figure(width: float, height: float) -> Tuple[Any, Any]:
    """Return a figure of this many inches, and its axes.

    Raises
    ------
    ImportError
        If Matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            "pictures must be drawn by matplotlib, which is not installed. "
            "Run: pip install matplotlib"
        ) from error
    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    return figure, figure.subplots()


def draw_model(info: Mapping[str, Any]) -> Any:
    """Return a picture of the layers, with block sizes and the share of weights that is stored.

    Parameters
    ----------
    info : mapping
        What :meth:`pynq_circnn.Model.info` returns.

    Returns
    -------
    matplotlib.figure.Figure
    """
    layers = info["layers"]
    figure, axes = new_figure(9, 1.1 + 0.62 * len(layers))
    row = {layer["name"]: -number for number, layer in enumerate(layers)}
    for layer in layers:
        y = row[layer["name"]]
        matrix = layer["weights"] > 0
        axes.add_patch(_box(y, STORED if matrix else "white", STORED if matrix else "#9aa7af"))
        style = {"ha": "center", "va": "center", "color": "white" if matrix else INK}
        axes.text(BOX_MIDDLE, y, _label(layer), fontsize=8, linespacing=1.3, **style)
        for source in layer["inputs"]:
            _arrow(axes, row[source], y)
        if matrix:
            share = layer["weights"] / layer["dense_weights"]
            axes.barh(y, BAR_WIDTH, 0.4, left=BAR_LEFT, color=DENSE)
            axes.barh(y, BAR_WIDTH * min(share, 1), 0.4, left=BAR_LEFT, color=STORED)
            text = f"{layer['weights']:,} of {layer['dense_weights']:,}"
            if layer["block"] > 1:
                text += f"  ({layer['compression']:.1f}x)"
            axes.text(BAR_LEFT + BAR_WIDTH + 0.12, y, text, va="center", fontsize=8, color=INK)
    note = "share of the dense layer's weights that is stored"
    axes.text(BAR_LEFT, 0.42, note, fontsize=7, color=GREY)
    axes.set_xlim(0, 9)
    axes.set_ylim(-len(layers) + 0.4, 0.6)
    axes.axis("off")
    title = f"{info['name']}: {info['weights']:,} weights instead of {info['dense_weights']:,}"
    title += f" ({info['compression']:.1f}x fewer), {info['bytes']:,} bytes with scales and biases"
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    return figure


def _label(layer: Mapping[str, Any]) -> str:
    words = [layer["kind"]]
    if layer["weights"]:
        words.append(f"k = {layer['block']}" if layer["block"] > 1 else "k = 1 (dense)")
    if layer["activation"] not in (None, "linear"):
        words.append(layer["activation"])
    shape = " x ".join(map(str, layer["output_shape"]))
    return f"{layer['name']}   {shape}\n{', '.join(words)}"


def _box(y: float, face: str, edge: str) -> Any:
    from matplotlib.patches import FancyBboxPatch

    corner = (BOX_MIDDLE - BOX_WIDTH / 2, y - BOX_HEIGHT / 2)
    shape = "round,pad=0,rounding_size=0.08"
    return FancyBboxPatch(corner, BOX_WIDTH, BOX_HEIGHT, shape, facecolor=face, edgecolor=edge)


def _arrow(axes: Any, start: int, end: int) -> None:
    """Draw an arrow from a row to the next one, or around the rows between on the left."""
    style = {"arrowstyle": "-|>", "color": GREY, "shrinkA": 0, "shrinkB": 0}
    if start - end == 1:
        ends = ((BOX_MIDDLE, start - BOX_HEIGHT / 2), (BOX_MIDDLE, end + BOX_HEIGHT / 2))
    else:
        side = BOX_MIDDLE - BOX_WIDTH / 2
        ends = ((side, start - 0.1), (side, end + 0.1))
        style["connectionstyle"] = f"arc3,rad={0.5 / (start - end) ** 0.5:.2f}"
    axes.annotate("", xy=ends[1], xytext=ends[0], arrowprops=style)


def draw_zoo(results: Mapping[str, Any]) -> Any:
    """Return a picture of held-out error against bytes: models, dense twins, every block size.

    Parameters
    ----------
    results : mapping
        What :func:`pynq_circnn.zoo.results` returns.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = new_figure(8.5, 5)
    for name, record in results["models"].items():
        colour = COLOURS.get(name, INK)
        _block_sizes(axes, results["fronts"].get(name, []), colour)
        ends = [_seeds(axes, record["runs"], record["bytes"], colour, colour)]
        if record["twin_runs"]:
            ends.append(_seeds(axes, record["twin_runs"], record["twin_bytes"], colour, "white"))
            axes.plot(*zip(*ends), ":", color=colour, linewidth=1, zorder=1)
        style = {"fontsize": 9, "color": colour, "textcoords": "offset points"}
        axes.annotate(name, ends[0], xytext=(9, 5), **style)
    for marker, meaning in (
        ("o", "block-circulant"),
        ("s", "its dense twin, same training"),
        (".", "every layer at one block size k (one seed)"),
    ):
        face = "white" if marker == "s" else GREY
        axes.plot([], [], marker, color=GREY, markerfacecolor=face, label=meaning)
    axes.set_xscale("log")
    axes.set_xlabel("bytes of weights, scales and biases (16 bit)")
    axes.set_ylabel("held-out error, % (mean and range of the seeds)")
    axes.set_ylim(bottom=0)
    axes.margins(x=0.08)
    axes.grid(True, which="both", color="#eceff1", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)
    axes.set_title("The zoo: error against size, 16-bit arithmetic", fontsize=10, loc="left")
    return figure


def _error(run: Mapping[str, Any]) -> float:
    """Return a run's held-out error in percent."""
    return 100 * (1 - float(run["accuracy_int16"]))


def _seeds(axes: Any, runs: Any, size: int, colour: str, face: str) -> Tuple[int, float]:
    """Draw the mean and the range of a model's seeds and return the point."""
    errors = [_error(run) for run in runs]
    mean = sum(errors) / len(errors)
    spread = [[mean - min(errors)], [max(errors) - mean]]
    marker = "s" if face == "white" else "o"
    style = {"color": colour, "markerfacecolor": face, "markersize": 7, "capsize": 3}
    axes.errorbar(size, mean, spread, fmt=marker, **style)
    return size, mean


def _block_sizes(axes: Any, runs: Any, colour: str) -> None:
    """Draw error against size for a network with one block size in every layer."""
    points = [(run["bytes"], _error(run)) for run in runs]
    if points:
        axes.plot(*zip(*points), ".-", color=colour, alpha=0.45, linewidth=1)
    style = {"ha": "center", "fontsize": 7, "color": colour, "textcoords": "offset points"}
    for run, point in zip(runs, points):
        axes.annotate(f"k={run['block']}", point, xytext=(0, -11), **style)


def draw_timeline(report: Mapping[str, Any], name: str) -> Any:
    """Return a picture of when each unit of the engine works for each layer, for one sample alone.

    A row is a layer and a bar in it is a unit; the units of a layer work at the same time.

    Parameters
    ----------
    report : mapping
        What :func:`pynq_circnn.engine.estimate.estimate` returns for a network that fits.
    name : str
        Name of the model.

    Returns
    -------
    matplotlib.figure.Figure
    """
    bars = report["timeline"]
    layers = list(dict.fromkeys(bar["layer"] for bar in bars))
    used = {bar["unit"] for bar in bars}
    units = [unit for unit in ("input", *UNITS, "output") if unit in used]
    widest = max(map(len, layers))
    figure, axes = new_figure(8 + 0.075 * widest, 1.7 + 0.24 * len(layers))
    height = 0.84 / max(len({b["unit"] for b in bars if b["layer"] == x}) for x in layers)
    for row, layer in enumerate(layers):
        of_layer = [bar for bar in bars if bar["layer"] == layer]
        top = row - height * len(of_layer) / 2
        for place, bar in enumerate(sorted(of_layer, key=lambda bar: units.index(bar["unit"]))):
            axes.broken_barh(
                [(bar["begin"], bar["end"] - bar["begin"])],
                (top + place * height, height),
                color=UNIT_COLOURS[bar["unit"]],
                linewidth=0.5,
            )
    for unit in units:
        axes.broken_barh([], (0, 0), color=UNIT_COLOURS[unit], label=unit)
    axes.set_yticks(range(len(layers)), layers, fontsize=8)
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlim(0, report["latency_cycles"])
    axes.set_ylim(len(layers) - 0.5, -0.5)
    axes.grid(True, axis="x", color="#eceff1", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel(f"cycles at {report['clock_mhz']:g} MHz ({report['basis']})", fontsize=8)
    style = {"fontsize": 8, "frameon": False, "handlelength": 1.2, "columnspacing": 1.2}
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncol=len(units), **style)
    title = f"{name} on {report['board']}: one sample alone, {report['latency_cycles']:,} cycles"
    axes.set_title(title, fontsize=10, color=INK, loc="left", pad=26)  # above the legend
    return figure


def save(figure: Any, path: str) -> None:
    """Write a picture in the format that the file's ending names."""
    check_folder(path)
    try:
        figure.savefig(path)
    except ValueError as error:
        raise ValueError(
            f"a picture's file must end in .png, .svg or .pdf. Received: {path!r}. {error}"
        ) from error
