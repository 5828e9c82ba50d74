"""The base of every layer kind: a frozen value with one rule for each step of the package."""

from dataclasses import dataclass, fields
from typing import (
    Any,
    Callable,
    ClassVar,
    Dict,
    List,
    Mapping,
    NamedTuple,
    Tuple,
    Type,
    TypeVar,
)

import numpy as np

from ..arithmetic.fixed import Counter
from ..contract import DESCRIPTOR, LIMITS, OPCODES
from .lowering import Fields, Sections

Shape = Tuple[int, ...]
Arrays = Mapping[str, np.ndarray]
Schedule = Mapping[str, Any]
Observe = Callable[["Layer", str, np.ndarray], None]
Peaks = Dict[str, Any]
"""The largest magnitudes that calibration saw: ``output`` and the stages of :meth:`Layer.evaluate`
as floats, ``forward`` and ``inverse`` as arrays with one element for each step of a transform."""
Quantized = Tuple[Dict[str, Any], Dict[str, np.ndarray]]  # schedule, integer arrays

EXPONENT_MAX = LIMITS["exponent"]
SHIFT_MAX = DESCRIPTOR["output_shift"].max


class Words(NamedTuple):
    """The required dtype and shape, and the largest magnitude, of an integer array of a layer."""

    dtype: str
    shape: Shape
    max: int


@dataclass(frozen=True)
class Range:
    """The allowed values of a schedule's entry: one integer, or `count` of them if not negative."""

    min: int
    max: int
    count: int = -1


@dataclass(frozen=True)
class QuantizedLayer:
    """The values that a layer computes with in integers, in addition to its own fields.

    Parameters
    ----------
    schedule : mapping
        Shifts and exponents, as the layer's ``schedule_specs`` require.
    arrays : mapping of str to array
        Integer arrays, as the layer's ``array_specs`` require.
    input_exponents : tuple of int
    input_shapes : tuple of shapes
    """

    schedule: Schedule
    arrays: Arrays
    input_exponents: Tuple[int, ...]
    input_shapes: Tuple[Shape, ...]


def size_of(shape: Shape) -> int:
    """Return the number of elements of a tensor of this shape."""
    size = 1
    for extent in shape:
        size *= extent
    return size


def as_image(shape: Shape) -> Tuple[int, int, int]:
    """Return a tensor's shape as an image: a vector is one pixel, a sequence one row of pixels.

    >>> as_image((5,)), as_image((9, 5)), as_image((3, 3, 5))
    ((1, 1, 5), (1, 9, 5), (3, 3, 5))
    """
    return (*(1,) * (3 - len(shape)), *shape)  # type: ignore[return-value]  # of length 3


def is_number(value: Any) -> bool:
    """Return whether a value is an ordinary number, which ``True`` and ``False`` are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_positive(layer: "Layer", **values: Any) -> None:
    """Raise ``ValueError`` unless fields of a layer are positive integers within the limits."""
    for name, value in values.items():
        extents = value if isinstance(value, tuple) else (value,)
        for extent in extents:
            if isinstance(extent, bool) or not isinstance(extent, int) or extent < 1:
                raise ValueError(
                    f"{name} of layer {layer.name!r} must be a positive integer or several. "
                    f"Received: {name}={value!r}."
                )
            if extent > LIMITS["extent"]:
                raise ValueError(
                    f"{name} of layer {layer.name!r} must be at most {LIMITS['extent']}. "
                    f"Received: {name}={value!r}. Split the layer."
                )


def check_pair(layer: "Layer", **values: Any) -> None:
    """Raise ``ValueError`` unless fields of a layer are pairs of positive integers."""
    for name, value in values.items():
        if not isinstance(value, tuple) or len(value) != 2:
            raise ValueError(
                f"{name} of layer {layer.name!r} must be a tuple (vertical, horizontal). "
                f"Received: {name}={value!r}."
            )
    check_positive(layer, **values)


def image_extents(layer: "Layer", shape: Shape) -> Tuple[int, int, int]:
    """Return height, width and channels of an image that a layer reads, or raise ``ValueError``."""
    if len(shape) != 3:
        raise ValueError(
            f"input of layer {layer.name!r} must have shape (height, width, channels). "
            f"Received: {shape}. Put a Reshape before it."
        )
    return shape[0], shape[1], shape[2]


Method = TypeVar("Method", bound=Callable[..., Any])


def rule(method: Method) -> Method:
    """Mark a method that every layer kind must define."""
    method.left_open = True  # type: ignore[attr-defined]
    return method


def rules_left_open(kind: type) -> List[str]:
    """Return the names of the rules that a class has not defined."""
    return [name for name in dir(kind) if getattr(getattr(kind, name), "left_open", False)]


@dataclass(frozen=True)
class Layer:
    """One node of a network.

    A kind is a subclass in a file of its own in this folder.  It must define every method that is
    marked as a :func:`rule` here or in an intermediate class; a missing rule raises ``TypeError``
    when the package is imported.

    Parameters
    ----------
    name : str
        Unique in its network.
    inputs : tuple of str
        Names of the layers whose outputs it reads; they come earlier in the network.
    """

    name: str
    inputs: Tuple[str, ...] = ()

    kinds: ClassVar[Dict[str, Type["Layer"]]] = {}
    arity: ClassVar[int] = 1
    operation: ClassVar[str] = ""
    """The opcode that the kind is lowered to; empty if the engine does not execute it."""
    is_view: ClassVar[bool] = False
    """Whether the output consists of the input's words in another shape."""
    on_host: ClassVar[bool] = False
    """Whether the host computes it: the input of the engine, or what is made of its output."""

    def __init_subclass__(cls, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if abstract:
            return
        missing = set(rules_left_open(cls)) - (set() if cls.operation else {"lower"})
        if missing:
            raise TypeError(
                f"layer kind {cls.__name__} must define each rule. Received: no "
                f"{', '.join(sorted(missing))}. See CONTRIBUTING.md, 'Add a layer kind'."
            )
        if [bool(cls.operation), cls.is_view, cls.on_host].count(True) != 1:
            raise TypeError(
                f"layer kind {cls.__name__} must have an operation, be a view, or be the host's. "
                f"Received: operation={cls.operation!r}, is_view={cls.is_view}, "
                f"on_host={cls.on_host}. See CONTRIBUTING.md, 'Add a layer kind'."
            )
        if cls.operation and cls.operation not in OPCODES:
            raise TypeError(
                f"operation of layer kind {cls.__name__} must be an opcode of the contract: "
                f"{', '.join(OPCODES)}. Received: {cls.operation!r}."
            )
        other = Layer.kinds.get(cls.__name__, cls)
        if (other.__module__, other.__qualname__) != (cls.__module__, cls.__qualname__):
            raise TypeError(
                "a layer kind must have a name of its own, by which files know it. "
                f"Received: {cls.__module__}.{cls.__qualname__} beside {other.__module__}."
                f"{other.__qualname__}. Rename it."
            )
        Layer.kinds[cls.__name__] = cls

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name or len(self.name) > 200:
            raise ValueError(
                f"name of a layer must be a text of 1 to 200 characters. Received: {self.name!r}."
            )
        if not isinstance(self.inputs, tuple) or not all(isinstance(i, str) for i in self.inputs):
            raise ValueError(
                f"inputs of layer {self.name!r} must be a tuple of names. "
                f"Received: {self.inputs!r}."
            )
        if len(self.inputs) != self.arity:
            raise ValueError(
                f"layer {self.name!r} ({self.kind}) must have {self.arity} input(s). "
                f"Received: inputs={self.inputs!r}."
            )

    @property
    def kind(self) -> str:
        """The name of the layer's kind in files and messages."""
        return type(self).__name__

    def config(self) -> Dict[str, Any]:
        """Return the fields as plain values, as the header of a file stores them."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    # -- shapes ---------------------------------------------------------------------------------

    @rule
    def output_shape(self, *inputs: Shape) -> Shape:
        """Return the shape of the output, or raise ``ValueError`` if the inputs do not fit."""
        raise NotImplementedError

    @rule
    def parameter_shapes(self, *inputs: Shape) -> Dict[str, Shape]:
        """Return the name and shape of each trained array."""
        raise NotImplementedError

    @rule
    def dense_parameters(self, *inputs: Shape) -> int:
        """Return how many weights and biases the same layer has without compression."""
        raise NotImplementedError

    # -- floating point -------------------------------------------------------------------------

    @rule
    def evaluate(self, arrays: Arrays, observe: Observe, *inputs: np.ndarray) -> np.ndarray:
        """Return the output for a batch, and pass the values of each inner stage to `observe`.

        The stages have the engine's names: ``spectrum`` (inputs' half spectra), ``sum`` (outputs'
        half spectra), ``value`` (after the inverse transform), ``preactivation``.
        """
        raise NotImplementedError

    # -- quantisation ---------------------------------------------------------------------------

    @rule
    def quantize(self, arrays: Arrays, peaks: Peaks, *inputs: int) -> Quantized:
        """Return the schedule and the integer arrays; `inputs` are the inputs' exponents."""
        raise NotImplementedError

    @rule
    def schedule_specs(self) -> Dict[str, Range]:
        """Return the allowed values of each entry of the schedule."""
        raise NotImplementedError

    @rule
    def array_specs(self, *inputs: Shape) -> Dict[str, Words]:
        """Return the required form of each integer array."""
        raise NotImplementedError

    @rule
    def output_exponent(self, schedule: Schedule, *inputs: int) -> int:
        """Return the exponent of the output, or raise ``ValueError`` if the inputs do not fit."""
        raise NotImplementedError

    # -- integers: the definition ---------------------------------------------------------------

    @rule
    def apply(self, quantized: QuantizedLayer, counter: Counter, *inputs: np.ndarray) -> np.ndarray:
        """Return the output words for a batch of input words (int64 arrays)."""
        raise NotImplementedError

    # -- the program ----------------------------------------------------------------------------

    @rule
    def lower(self, quantized: QuantizedLayer, sections: Sections) -> Fields:
        """Return the kind's own descriptor fields, and add the layer's arrays to the sections."""
        raise NotImplementedError


class Parameterless(Layer, abstract=True):
    """A layer without trained arrays."""

    def parameter_shapes(self, *inputs: Shape) -> Dict[str, Shape]:
        return {}

    def dense_parameters(self, *inputs: Shape) -> int:
        return 0

    def array_specs(self, *inputs: Shape) -> Dict[str, Words]:
        return {}


class Exact(Parameterless, abstract=True):
    """A layer that only moves or selects words: nothing is rounded, the exponent is kept."""

    def quantize(self, arrays: Arrays, peaks: Peaks, *inputs: int) -> Quantized:
        return {}, {}

    def schedule_specs(self) -> Dict[str, Range]:
        return {}

    def output_exponent(self, schedule: Schedule, *inputs: int) -> int:
        return inputs[0]


def from_config(kind: str, config: Dict[str, Any]) -> Layer:
    """Return the layer that a ``config()`` describes; lists become tuples.

    Raises
    ------
    ValueError
        If the kind or a field is unknown, or a field's value breaks a constraint.
    """
    if not isinstance(kind, str) or kind not in Layer.kinds:
        raise ValueError(
            f"kind of a layer must be one of {', '.join(sorted(Layer.kinds))}. Received: {kind!r}. "
            "If a newer pynq_circnn wrote it, update this one."
        )
    cls = Layer.kinds[kind]
    known = [f.name for f in fields(cls)]
    unknown: List[str] = sorted(set(config) - set(known))
    if unknown or "name" not in config:
        raise ValueError(
            f"fields of a {kind} must be among {', '.join(known)}, and must include name. "
            f"Received: {', '.join(sorted(config))}."
        )
    return cls(**{key: _tuples(value) for key, value in config.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value
