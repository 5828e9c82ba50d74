"""A model's figures as JSON values, and as the text that ``summary`` prints."""

from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from ..layers.base import Layer
from ..network.quantized import QuantizedNetwork

_HEAD = ("Layer", "Kind", "Output shape", "Block", "Weights", "Dense", "Ratio", "SNR")
_LEFT_COLUMNS = 3  # texts; numbers stand to the right


def info(
    network: QuantizedNetwork,
    name: str,
    labels: Optional[List[str]],
    provenance: Mapping[str, Any],
) -> Dict[str, Any]:
    """Return the figures of a model: in total, and for each layer.

    ``weights`` counts the stored weight words of 16 bits, ``dense_weights`` those of the same
    network without compression; ``bytes`` counts everything stored, ``dense_bytes`` the dense
    twin's weights and biases in float32.
    """
    layers = [_layer_info(network, layer) for layer in network.layers]
    total = {
        key: sum(layer[key] for layer in layers)
        for key in ("weights", "dense_weights", "params", "dense_params", "bytes")
    }
    return {
        "name": name,
        "input_shape": list(network.input.shape),
        "output_shape": list(network.shapes[network.layers[-1].name]),
        "labels": labels,
        **total,
        "dense_bytes": 4 * total["dense_params"],
        "compression": _ratio(total["dense_weights"], total["weights"]),
        "calibration": provenance.get("calibration"),
        "source_comparison": provenance.get("source_comparison"),
        "provenance": provenance,
        "layers": layers,
    }


def _layer_info(network: QuantizedNetwork, layer: Layer) -> Dict[str, Any]:
    arrays, shape = network.arrays[layer.name], network.shapes[layer.name]
    dense_params = layer.dense_parameters(*(network.shapes[name] for name in layer.inputs))
    matrix = "weights" in arrays
    weights = arrays["weights"].size if matrix else 0
    dense_weights = dense_params - shape[-1] if matrix else 0  # without the biases
    return {
        "name": layer.name,
        "kind": layer.kind,
        "inputs": list(layer.inputs),
        "output_shape": list(shape),
        "activation": getattr(layer, "activation", None),
        "block": getattr(layer, "block", None),
        "weights": weights,
        "dense_weights": dense_weights,
        "params": sum(array.size for array in arrays.values()),
        "dense_params": dense_params,
        "bytes": sum(array.nbytes for array in arrays.values()),
        "compression": _ratio(dense_weights, weights),
        "exponent": network.exponents[layer.name],
        "snr_db": network.snr_db.get(layer.name),
    }


def _ratio(dense: int, stored: int) -> Optional[float]:
    return round(dense / stored, 3) if stored else None


def summary_lines(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a summary from the figures that :func:`info` returned."""
    rows = [_HEAD, *(_row(layer) for layer in figures["layers"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    line = "  ".join("-" * width for width in widths)
    yield f"Model: {figures['name']}"
    for number, row in enumerate(rows):
        cells = [
            cell.ljust(width) if column < _LEFT_COLUMNS else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ]
        yield "  ".join(cells).rstrip()
        if number == 0:
            yield line
    yield line
    fewer = f" ({figures['compression']:.1f}x fewer)" if figures["weights"] else ""
    yield (
        f"{figures['weights']:,} weights instead of {figures['dense_weights']:,}{fewer}; "
        f"weights, scales and biases take {figures['bytes']:,} bytes instead of "
        f"{figures['dense_bytes']:,} in the dense float32 network"
    )
    yield from _origin(figures["source_comparison"], figures["calibration"])


def _row(layer: Mapping[str, Any]) -> Tuple[str, ...]:
    matrix = layer["weights"] > 0
    return (
        layer["name"],
        layer["kind"],
        str(tuple(layer["output_shape"])),
        str(layer["block"]) if matrix else "",
        f"{layer['weights']:,}" if matrix else "",
        f"{layer['dense_weights']:,}" if matrix else "",
        f"{layer['compression']:.1f}x" if matrix else "",
        "" if layer["snr_db"] is None else f"{layer['snr_db']:.1f} dB",
    )


def _origin(comparison: Any, calibration: Any) -> Iterator[str]:
    """Yield lines on the conversion that a model came from, as far as its provenance says."""
    if isinstance(comparison, dict):
        yield (
            f"{comparison.get('snr_db')} dB of signal to noise against the source model "
            f"on {comparison.get('samples')} calibration samples"
        )
    if isinstance(calibration, dict) and calibration.get("clip_percentile"):
        gained = calibration.get("bits_gained") or {}
        shown = ", ".join(f"{name} {bits}" for name, bits in gained.items()) or "none"
        yield (
            f"calibrated to the {calibration['clip_percentile']:g}th percentile, which limits "
            f"{calibration.get('clipped')} of {calibration.get('measured_on')} measured samples; "
            f"bits gained: {shown}"
        )
