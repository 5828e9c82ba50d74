"""A quantised network: integer arrays, and for each layer a schedule of shifts and exponents."""

from dataclasses import dataclass, field
from functools import singledispatch
from typing import Any, Dict, Mapping, NamedTuple, Tuple

import numpy as np

from ..arithmetic.fixed import RECIPROCAL_SHIFT, VALUE_MAX, byte_rule, stage_count
from ..contract import ARITHMETIC, DESCRIPTOR, LIMITS
from ..layers import (
    Add,
    AveragePool2D,
    Conv2D,
    Dense,
    GlobalAveragePool2D,
    Input,
    Layer,
    ScaleBias,
    Shape,
    _BlockCirculant,
    size_of,
)
from .graph import infer_shapes

Schedule = Mapping[str, Any]

_EXPONENT = LIMITS["exponent"]
_SHIFT = DESCRIPTOR["output_shift"].max
TABLE_INPUT = ARITHMETIC["table_input_exponent"]
TABLE_OUTPUT = ARITHMETIC["table_output_exponent"]


class Words(NamedTuple):
    """What an integer array must be."""

    dtype: str
    shape: Shape
    max: int


@dataclass(frozen=True)
class Range:
    """What an entry of a schedule must be: one integer, or as many as `count` says."""

    min: int
    max: int
    count: int = -1


@singledispatch
def array_specs(layer: Layer, *inputs: Shape) -> Dict[str, Words]:
    """Return the integer arrays that a layer has: none unless a kind says otherwise."""
    return {}


@singledispatch
def schedule_specs(layer: Layer) -> Dict[str, Range]:
    """Return the entries of a layer's schedule: none unless a kind says otherwise."""
    return {}


@singledispatch
def output_exponent(layer: Layer, schedule: Schedule, *inputs: int) -> int:
    """Return the exponent of a layer's output; by default that of its input."""
    return inputs[0]


def preactivation_exponent(layer: Layer, schedule: Schedule, *inputs: int) -> int:
    """Return the exponent of what the layer's activation reads."""
    return _sum_exponent(layer, schedule, *inputs) + int(schedule["output_shift"])


def _activated(layer: Any, schedule: Schedule, *inputs: int) -> int:
    before = preactivation_exponent(layer, schedule, *inputs)
    if layer.activation not in ("sigmoid", "tanh"):
        return before
    if before != TABLE_INPUT:
        raise ValueError(
            f"the shifts of layer {layer.name!r} must bring exponent {TABLE_INPUT} to its "
            f"{layer.activation}. Received: {before}."
        )
    return TABLE_OUTPUT


for _kind in (Dense, Conv2D, Add, ScaleBias):
    output_exponent.register(_kind)(_activated)


@singledispatch
def _sum_exponent(layer: Layer, schedule: Schedule, *inputs: int) -> int:
    """Return the exponent of the 32-bit sum that the epilogue shifts."""
    raise TypeError(f"_sum_exponent must know the layer kind {layer.kind}")


# -- Input --------------------------------------------------------------------------------------


@schedule_specs.register(Input)
def _(layer: Input) -> Dict[str, Range]:
    return {"exponent": Range(-_EXPONENT, _EXPONENT)}


@output_exponent.register(Input)
def _(layer: Input, schedule: Schedule, *inputs: int) -> int:
    return int(schedule["exponent"])


# -- Dense and Conv2D ---------------------------------------------------------------------------


@array_specs.register(_BlockCirculant)
def _(layer: _BlockCirculant, *inputs: Shape) -> Dict[str, Words]:
    shapes = layer.parameter_shapes(*inputs)
    return {
        "weights": Words("int16", shapes["weights"], VALUE_MAX),
        "scale": Words("int16", shapes["scale"], VALUE_MAX),
        "bias": Words("int32", shapes["bias"], ARITHMETIC["bias_max"]),
    }


@schedule_specs.register(_BlockCirculant)
def _(layer: _BlockCirculant) -> Dict[str, Range]:
    stages = stage_count(layer.block)
    return {
        "weights_exponent": Range(-_EXPONENT, _EXPONENT),
        "scale_exponent": Range(-_EXPONENT, _EXPONENT),
        "forward_shifts": Range(0, 1, stages),
        "accumulate_shift": Range(0, DESCRIPTOR["accumulate_shift"].max),
        "inverse_shifts": Range(0, 1, stages),
        "output_shift": Range(0, _SHIFT),
    }


@_sum_exponent.register(_BlockCirculant)
def _(layer: _BlockCirculant, schedule: Schedule, *inputs: int) -> int:
    gain = max(stage_count(layer.block) - 1, 0)  # the inverse transform has no factor 2/k
    return int(
        inputs[0]
        + sum(schedule["forward_shifts"])
        + schedule["weights_exponent"]
        + schedule["accumulate_shift"]
        + sum(schedule["inverse_shifts"])
        - gain
        + schedule["scale_exponent"]
    )


# -- the other kinds ----------------------------------------------------------------------------


@array_specs.register(ScaleBias)
def _(layer: ScaleBias, *inputs: Shape) -> Dict[str, Words]:
    channels = inputs[0][-1:]
    return {
        "scale": Words("int16", channels, VALUE_MAX),
        "bias": Words("int32", channels, ARITHMETIC["bias_max"]),
    }


@schedule_specs.register(ScaleBias)
def _(layer: ScaleBias) -> Dict[str, Range]:
    return {"scale_exponent": Range(-_EXPONENT, _EXPONENT), "output_shift": Range(0, _SHIFT)}


@_sum_exponent.register(ScaleBias)
def _(layer: ScaleBias, schedule: Schedule, *inputs: int) -> int:
    return int(inputs[0] + schedule["scale_exponent"])


def _shift_only(layer: Layer) -> Dict[str, Range]:
    return {"output_shift": Range(0, _SHIFT)}


def _average_exponent(layer: Layer, schedule: Schedule, *inputs: int) -> int:
    return int(inputs[0] + schedule["output_shift"] - RECIPROCAL_SHIFT)


for _pool in (AveragePool2D, GlobalAveragePool2D):
    schedule_specs.register(_pool)(_shift_only)
    output_exponent.register(_pool)(_average_exponent)
schedule_specs.register(Add)(_shift_only)


@_sum_exponent.register(Add)
def _(layer: Add, schedule: Schedule, *inputs: int) -> int:
    return min(inputs)


def alignment(layer: Add, first: int, second: int) -> Tuple[int, int]:
    """Return the left shifts that bring two inputs to the finer exponent of the two."""
    finer = min(first, second)
    limit = DESCRIPTOR["first_align"].max
    if max(first, second) - finer > limit:
        raise ValueError(
            f"exponents of the inputs of layer {layer.name!r} must differ by at most {limit}. "
            f"Received: {first} and {second}. Scale the smaller branch up in training."
        )
    return first - finer, second - finer


@dataclass(frozen=True, eq=False)
class QuantizedNetwork:
    """A network in the engine's arithmetic: what back ends run and files hold.

    Parameters
    ----------
    layers : sequence of Layer
    schedules : mapping of str to mapping
        For each layer, what :func:`schedule_specs` asks for.
    arrays : mapping of str to mapping of str to array
        For each layer, what :func:`array_specs` asks for: ``weights`` are packed half spectra.
    snr_db : mapping of str to float
        Signal to noise of each layer's output against floating point, as calibration saw it.
    calibration : mapping, optional
        How the exponents were chosen, as JSON values, from :func:`pynq_circnn.quantize`.

    Attributes
    ----------
    shapes, exponents : mapping of str to shape, int
        Of each layer's output.

    Raises
    ------
    ValueError
        Naming the layer and the constraint that is broken.
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
            specs = array_specs(layer, *(self.shapes[name] for name in layer.inputs))
            arrays[layer.name] = _check_arrays(layer, self.arrays.get(layer.name, {}), specs)
            inputs = [exponents[name] for name in layer.inputs]
            if isinstance(layer, Add):
                alignment(layer, *inputs)
            exponent = output_exponent(layer, schedules[layer.name], *inputs)
            if abs(exponent) > _EXPONENT:
                raise ValueError(
                    f"output exponent of layer {layer.name!r} must lie within +-{_EXPONENT}. "
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
        """The entry layer."""
        first = self.layers[0]
        assert isinstance(first, Input)
        return first

    def weight_words(self) -> int:
        """Return how many 16-bit weight words all layers have together."""
        return sum(size_of(a["weights"].shape) for a in self.arrays.values() if "weights" in a)


def _check_schedule(layer: Layer, schedule: Schedule) -> Schedule:
    specs = schedule_specs(layer)
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
