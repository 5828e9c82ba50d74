"""A quantised network: integer arrays, and for each layer a schedule of shifts and exponents."""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np

from ..arithmetic.fixed import byte_rule
from ..layers.base import EXPONENT_MAX, Layer, QuantizedLayer, Schedule, Shape, Words
from ..layers.input import Input
from ..layers.softmax import Softmax
from .graph import infer_shapes


@dataclass(frozen=True, eq=False)
class QuantizedNetwork:
    """A network in the engine's arithmetic, as back ends run it and files store it.

    Parameters
    ----------
    layers : sequence of Layer
    schedules : mapping of str to mapping
        For each layer the entries that its ``schedule_specs`` require.
    arrays : mapping of str to mapping of str to array
        For each layer the arrays that its ``array_specs`` require; ``weights`` are packed half
        spectra.
    snr_db : mapping of str to float
        Signal-to-noise ratio of each layer's output against floating point, from calibration.
    calibration : mapping, optional
        How the exponents were chosen, as JSON values, from :func:`pynq_circnn.quantize`.

    Attributes
    ----------
    shapes, exponents : mapping of str to shape, int
        Of each layer's output.

    Raises
    ------
    ValueError
        The message names the layer and the constraint that is broken.
    """

    layers: Tuple[Layer, ...]
    schedules: Mapping[str, Schedule]
    arrays: Mapping[str, Mapping[str, np.ndarray]]
    snr_db: Mapping[str, float] = field(default_factory=dict)
    calibration: Mapping[str, Any] = field(default_factory=dict)
    shapes: Mapping[str, Shape] = field(init=False)
    exponents: Mapping[str, int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(self.layers))
        object.__setattr__(self, "shapes", infer_shapes(self.layers))
        names = {layer.name for layer in self.layers}
        for what in ("schedules", "arrays", "snr_db"):
            unknown = sorted(set(getattr(self, what)) - names)
            if unknown:
                raise ValueError(
                    f"{what} must belong to layers of the network. Received: {unknown[:5]!r}."
                )
        schedules, arrays = {}, {}
        exponents: Dict[str, int] = {}
        for layer in self.layers:
            schedules[layer.name] = _check_schedule(layer, self.schedules.get(layer.name, {}))
            specs = layer.array_specs(*(self.shapes[name] for name in layer.inputs))
            arrays[layer.name] = _check_arrays(layer, self.arrays.get(layer.name, {}), specs)
            inputs = [exponents[name] for name in layer.inputs]
            exponent = layer.output_exponent(schedules[layer.name], *inputs)
            if abs(exponent) > EXPONENT_MAX:
                raise ValueError(
                    f"output exponent of layer {layer.name!r} must lie within +-{EXPONENT_MAX}. "
                    f"Received: {exponent}."
                )
            exponents[layer.name] = exponent
        object.__setattr__(self, "schedules", schedules)
        object.__setattr__(self, "arrays", arrays)
        object.__setattr__(self, "exponents", exponents)
        if self.input.uint8_scale is not None:
            byte_rule(self.input.uint8_scale, self.input.uint8_offset, exponents[self.input.name])

    @property
    def input(self) -> Input:
        """The input layer."""
        first = self.layers[0]
        assert isinstance(first, Input)
        return first

    def quantized_layer(self, layer: Layer) -> QuantizedLayer:
        """Return the values that a layer computes with in integers."""
        return QuantizedLayer(
            self.schedules[layer.name],
            self.arrays[layer.name],
            tuple(self.exponents[name] for name in layer.inputs),
            tuple(self.shapes[name] for name in layer.inputs),
        )

    @property
    def engine_output(self) -> Layer:
        """The layer whose words leave the engine: the last one that is not a softmax."""
        return [layer for layer in self.layers if not isinstance(layer, Softmax)][-1]

    def engine_layers(self) -> List[Layer]:
        """Return the layers that become instructions, in the program's order."""
        return [layer for layer in self.layers if layer.operation]


def _check_schedule(layer: Layer, schedule: Schedule) -> Schedule:
    specs = layer.schedule_specs()
    if set(schedule) != set(specs):
        raise ValueError(
            f"schedule of layer {layer.name!r} ({layer.kind}) must have the entries "
            f"{', '.join(specs) or 'none'}. Received: {', '.join(map(str, schedule)) or 'none'}."
        )
    checked: Dict[str, Any] = {}
    for name, spec in specs.items():
        value = schedule[name]
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        ok = all(isinstance(v, (int, np.integer)) and not isinstance(v, bool) for v in values)
        ok = ok and all(spec.min <= v <= spec.max for v in values)
        if spec.count >= 0:
            ok = ok and isinstance(value, (list, tuple)) and len(values) == spec.count
        else:
            ok = ok and not isinstance(value, (list, tuple))
        if not ok:
            many = f"{spec.count} integers" if spec.count >= 0 else "an integer"
            raise ValueError(
                f"{name} of layer {layer.name!r} must be {many} from {spec.min} to {spec.max}. "
                f"Received: {value!r:.80}."
            )
        checked[name] = tuple(map(int, values)) if spec.count >= 0 else int(value)
    return checked


def _check_arrays(
    layer: Layer, arrays: Mapping[str, np.ndarray], specs: Dict[str, Words]
) -> Mapping[str, np.ndarray]:
    if set(arrays) != set(specs):
        raise ValueError(
            f"arrays of layer {layer.name!r} ({layer.kind}) must be {', '.join(specs) or 'none'}. "
            f"Received: {', '.join(map(str, arrays)) or 'none'}."
        )
    checked = {}
    for name, spec in specs.items():
        array = np.array(arrays[name])
        if array.shape != spec.shape or array.dtype != np.dtype(spec.dtype):
            raise ValueError(
                f"{name} of layer {layer.name!r} must be {spec.dtype} of shape {spec.shape}. "
                f"Received: {array.dtype} of shape {array.shape}."
            )
        if array.size and max(int(array.max()), -int(array.min())) > spec.max:
            raise ValueError(
                f"{name} of layer {layer.name!r} must lie within +-{spec.max}. "
                f"Received: {int(array.min())} ... {int(array.max())}."
            )
        array.flags.writeable = False
        checked[name] = array
    return checked
