"""What ``circnn bench`` shows of its figures: the README's table, and a picture."""

from typing import Any, Mapping, Optional

from ..plots import new_figure


def _microseconds(seconds: Optional[float]) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1e6:,.2f}" if seconds < 1e-5 else f"{seconds * 1e6:,.0f}"


def markdown(results: Mapping[str, Any]) -> str:
    """Return the README's table from the JSON of ``circnn bench``."""
    lines = [
        "| layer | batch | native (kernels alone) | dense float32 | faster | torch.fft | "
        "int8 dense, ONNX Runtime | of the multiply-add peak | transform, product, conversion |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in results["layers"]:
        times, faster, shares = row["seconds"], row["times_faster"], row["shares"]
        others = [
            f"{_microseconds(times[name])} µs ({faster[name]:.1f}x)" if name in times else "-"
            for name in ("torch_fft", "onnxruntime_int8")
        ]
        lines.append(
            f"| {row['size']} x {row['size']}, k = {row['block']} | {row['batch']} "
            f"| {_microseconds(times['native'])} µs ({_microseconds(row['kernel_seconds'])}) "
            f"| {_microseconds(row['dense_seconds'])} µs | {faster['dense']:.1f}x "
            f"| {' | '.join(others)} | {row['of_multiply_add_peak']:.2f} "
            f"| {shares['transform']:.0%}, {shares['product']:.0%}, {shares['conversion']:.0%} |"
        )
    if results["models"]:
        lines += ["", "| network | native, images/s | dense twin in Keras | faster | one sample |"]
        lines += ["|---|---|---|---|---|"]
        for row in results["models"]:
            rates, one = row["images_per_second"], row["one_sample_seconds"]
            keras = f"{rates['keras']:,.0f}" if "keras" in rates else "-"
            ratio = f"{row['times_faster']:.1f}x" if row["times_faster"] else "-"
            against = f" (Keras {_microseconds(one['keras'])} µs)" if "keras" in one else ""
            lines.append(
                f"| `{row['model']}` | {rates['native']:,.0f} | {keras} | {ratio} "
                f"| {_microseconds(one['predict'])} µs{against} |"
            )
    host = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    lines += [
        "",
        f"One core of {host['processor']}, kernels {results['kernel_sets'][0]}, medians of CPU "
        f"time; Python {host['python']}, {versions}.",
    ]
    for name, reason in results["left_out"].items():
        lines.append(f"Left out: {name} ({reason}).")
    return "\n".join(lines)


def draw(results: Mapping[str, Any]) -> Any:
    """Return a log-log picture of the cost of one sample against the layer's size."""
    figure, axes = new_figure(6.4, 4.2)
    rows = results["growth"]
    colours = ("#1f6f8b", "#49a078", "#b4463c", "#8a6d3b")
    for name, colour in zip(rows[0]["seconds"], colours):
        sizes = [row["size"] for row in rows]
        times = [row["seconds"][name] * 1e6 for row in rows]
        style = "-" if name.startswith("native") else "--"
        axes.loglog(sizes, times, style, marker="o", markersize=4, color=colour, label=name)
    axes.set_xticks([row["size"] for row in rows], [f"{row['size']:,}" for row in rows])
    axes.minorticks_off()
    axes.set_xlabel("inputs and outputs of a dense layer")
    axes.set_ylabel("microseconds a sample, one core")
    axes.set_title("Cost of one sample against the size of the layer", fontsize=10, loc="left")
    axes.grid(True, which="major", color="#d5dde2", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    return figure
