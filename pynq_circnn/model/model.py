"""The model: a quantised network with a Keras-like face."""

import collections.abc
import itertools
import os
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from .. import backends
from ..arithmetic.floating import softmax
from ..backends.base import BasePlan, cores
from ..errors import BackendError, CompileError, NotFiniteError, warn_user
from ..layers.base import Layer, size_of
from ..layers.matrix import BlockCirculant
from ..layers.softmax import Softmax
from ..network import modelfile
from ..network.quantized import QuantizedNetwork
from ..turns import Turns
from .metrics import METRICS
from .saturation import SaturationWatch, beyond_range, limited_words

_ZOO = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "zoo")
_THREAD_SAMPLES = 256  # fewer than that are not worth a thread
# An offset of so many bits of words would cancel what float32 can tell: float64 scales then.
_EXACT_BITS = 20
_BAR_DELAY_SECONDS = 1.0  # verbose="auto" shows a bar for what takes longer


class Model:
    """A compressed network, ready to predict.

    Parameters
    ----------
    network : QuantizedNetwork
        From :func:`pynq_circnn.quantize`.
    name : str
    labels : sequence of str, optional
        A name for each output.
    provenance : dict, optional
        Where it comes from, as JSON values: data set, recipe, figures.

    Notes
    -----
    Any number of threads may call :meth:`predict` at once, and a model can be pickled.
    """

    def __init__(
        self,
        network: QuantizedNetwork,
        name: str = "model",
        labels: Optional[Sequence[str]] = None,
        provenance: Optional[Dict[str, Any]] = None,
    ) -> None:
        self.network = network
        self.name = name
        self.labels = None if labels is None else list(labels)
        self.provenance = dict(provenance or {})
        if network.calibration:
            self.provenance.setdefault("calibration", dict(network.calibration))
        self._watch = SaturationWatch(network)
        largest = 2.0 ** (_EXACT_BITS + network.exponents[network.input.name])
        self._cancels = bool(np.abs(network.input.offset).max() >= largest)
        self._plans: Dict[str, BasePlan] = {}
        self._turns = Turns()
        if not isinstance(name, str):
            raise ValueError(f"name must be a text. Received: {name!r}.")
        if self.labels is not None and not all(isinstance(text, str) for text in self.labels):
            raise ValueError(
                f"labels must be texts. Received: {self.labels!r:.80}. Pass list(map(str, labels))."
            )
        if self.labels is not None and len(self.labels) != size_of(self.output_shape):
            raise ValueError(
                f"labels must be {size_of(self.output_shape)}, one an output. "
                f"Received: {len(self.labels)}."
            )

    # -- what it is -----------------------------------------------------------------------------

    @property
    def layers(self) -> Tuple[Layer, ...]:
        """The layers, in topological order."""
        return self.network.layers

    @property
    def input_shape(self) -> Tuple[int, ...]:
        """Shape of one input sample."""
        return self.network.input.shape

    @property
    def output_shape(self) -> Tuple[int, ...]:
        """Shape of one output sample."""
        return self.network.shapes[self.layers[-1].name]

    def get_layer(self, name: str) -> Layer:
        """Return the layer of this name.

        Raises
        ------
        ValueError
            If there is none, with the names that there are.
        """
        for layer in self.layers:
            if layer.name == name:
                return layer
        known = ", ".join(repr(layer.name) for layer in self.layers)
        raise ValueError(f"name must be one of {known}. Received: {name!r}.")

    def count_params(self) -> int:
        """Return how many numbers the model stores: weights, scales and biases."""
        return sum(
            array.size for arrays in self.network.arrays.values() for array in arrays.values()
        )

    def info(self) -> Dict[str, Any]:
        """Return the model's figures as JSON values: in total, and for each layer.

        ``source_comparison`` says how a converted model stands beside its source, ``calibration``
        what chose its exponents (``None`` where that is not known).
        ``weights`` counts the stored weight words of 16 bits, ``dense_weights`` those of the same
        network without compression; ``bytes`` counts everything stored, ``dense_bytes`` the dense
        twin's weights and biases in float32.
        """
        layers = [self._layer_info(layer) for layer in self.layers]
        total = {
            key: sum(layer[key] for layer in layers)
            for key in ("weights", "dense_weights", "params", "dense_params", "bytes")
        }
        return {
            "name": self.name,
            "input_shape": list(self.input_shape),
            "output_shape": list(self.output_shape),
            "labels": self.labels,
            **total,
            "dense_bytes": 4 * total["dense_params"],
            "compression": _ratio(total["dense_weights"], total["weights"]),
            "calibration": self.provenance.get("calibration"),
            "source_comparison": self.provenance.get("source_comparison"),
            "provenance": self.provenance,
            "layers": layers,
        }

    def _layer_info(self, layer: Layer) -> Dict[str, Any]:
        arrays = self.network.arrays[layer.name]
        inputs = [self.network.shapes[name] for name in layer.inputs]
        dense_params = layer.dense_parameters(*inputs)
        matrix = isinstance(layer, BlockCirculant)
        outputs = self.network.shapes[layer.name][-1]
        weights = arrays["weights"].size if matrix else 0
        dense_weights = dense_params - outputs if matrix else 0
        return {
            "name": layer.name,
            "kind": layer.kind,
            "inputs": list(layer.inputs),
            "output_shape": list(self.network.shapes[layer.name]),
            "activation": getattr(layer, "activation", None),
            "block": getattr(layer, "block", None),
            "weights": weights,
            "dense_weights": dense_weights,
            "params": sum(array.size for array in arrays.values()),
            "dense_params": dense_params,
            "bytes": sum(array.nbytes for array in arrays.values()),
            "compression": _ratio(dense_weights, weights),
            "exponent": self.network.exponents[layer.name],
            "snr_db": self.network.snr_db.get(layer.name),
        }

    def summary(self, print_fn: Callable[[str], None] = print) -> None:
        """Print the layers with shapes, block sizes, parameters, compression and accuracy.

        ``SNR`` is the signal to noise of a layer's 16-bit output against floating point, over
        all layers up to it, on the calibration data.
        """
        info = self.info()
        rows = [("Layer", "Kind", "Output shape", "Block", "Weights", "Dense", "Ratio", "SNR")]
        for layer in info["layers"]:
            matrix = layer["weights"] > 0
            rows.append(
                (
                    layer["name"],
                    layer["kind"],
                    str(tuple(layer["output_shape"])),
                    str(layer["block"]) if matrix else "",
                    f"{layer['weights']:,}" if matrix else "",
                    f"{layer['dense_weights']:,}" if matrix else "",
                    f"{layer['compression']:.1f}x" if matrix else "",
                    "" if layer["snr_db"] is None else f"{layer['snr_db']:.1f} dB",
                )
            )
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        line = "  ".join("-" * width for width in widths)
        print_fn(f"Model: {self.name}")
        for number, row in enumerate(rows):
            cells = [
                cell.ljust(width) if column < 3 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths))
            ]
            print_fn("  ".join(cells).rstrip())
            if number == 0:
                print_fn(line)
        print_fn(line)
        fewer = f" ({info['compression']:.1f}x fewer)" if info["weights"] else ""
        print_fn(
            f"{info['weights']:,} weights instead of {info['dense_weights']:,}{fewer}; "
            f"weights, scales and biases take {info['bytes']:,} bytes instead of "
            f"{info['dense_bytes']:,} in the dense float32 network"
        )
        for line in _origin(info):
            print_fn(line)

    # -- what it does ---------------------------------------------------------------------------

    def plan(self, backend: str = "auto") -> BasePlan:
        """Return the network made ready for a back end; its ``name`` says which one it is.

        Raises
        ------
        ValueError
            If the back end is unknown.
        BackendError
            If the one asked for cannot run here.
        """
        if backend in self._plans:
            return self._plans[backend]
        with self._turns.next():
            if backend not in self._plans:
                if backend == "auto":
                    self._plans[backend] = self._best_plan()
                else:
                    self._plans[backend] = self._new_plan(backends.select(backend))
            return self._plans[backend]

    def _new_plan(self, name: str) -> BasePlan:
        if name not in self._plans:
            self._plans[name] = backends.get(name).Plan(self.network)
        return self._plans[name]

    def _best_plan(self) -> BasePlan:
        """Return a plan of the best back end that takes the network, and warn of a poor one."""
        first, *others = backends.preferred()
        if first == "reference":
            reason = backends.get("native").unavailable()
            warn_user(
                f"the slow NumPy reference is used, since back end 'native' cannot run "
                f"here: {reason}"
            )
        try:
            return self._new_plan(first)
        except (BackendError, CompileError) as error:
            if not others:
                raise
            warn_user(
                f"back end {others[0]!r} is used, since {first!r} cannot run this model: {error}"
            )
            return self._new_plan(others[0])

    def predict(
        self,
        x: Union[np.ndarray, Sequence[Any], Iterable[Any]],
        batch_size: int = 32,
        verbose: Union[str, int] = "auto",
        backend: str = "auto",
        steps: Optional[int] = None,
    ) -> np.ndarray:
        """Return the model's output for samples.

        Parameters
        ----------
        x : array-like or iterable of batches
            A batch of shape ``(n,) + input_shape``, one sample of shape ``input_shape``, or what
            yields batches: a generator, a ``keras.utils.PyDataset``, a PyTorch ``DataLoader``; of
            a pair ``(x, y)`` the first is taken.  Real numbers as the source model took them;
            ``model.network.input`` says how they are scaled.
        batch_size : int
            Samples worked on at once; bounds the memory, changes no result.  Some hundred samples
            or more are divided among the cores.
        verbose : "auto", 0 or 1
            Whether to show a progress bar; "auto" does for what takes longer than a second.
        backend : str
            "auto" takes the fastest that is available here, which ``model.plan().name`` tells;
            one asked for by name is used or refused, never replaced.
        steps : int, optional
            The most batches taken from an iterable; all of them if left out.

        Returns
        -------
        float32 array of shape ``(n,) + output_shape``, without the ``n`` for one sample

        Raises
        ------
        ValueError
            If `x` has another shape, is not of real numbers, or holds NaN or infinity.

        Warns
        -----
        SaturationWarning
            Once a model, if more than a thousandth of a layer's words had to be limited.
        """
        _check_call(batch_size, verbose, steps)
        plan = self.plan(backend)
        if not isinstance(x, np.ndarray) and _yields_batches(x):
            out = [np.empty((0, *self.output_shape), dtype=np.float32)]
            with _bar(plan, verbose, None) as bar:
                for piece in itertools.islice(_batches(x), steps):
                    done = sum(map(len, out))
                    out.append(self._watched(plan, self._inputs(piece), batch_size, 0, done))
                    bar.update(len(out[-1]))
            return np.concatenate(out)
        batch, single = self._batch(x)
        result = self._watched(plan, batch, batch_size, verbose)
        return result[0] if single else result

    def _watched(
        self,
        plan: BasePlan,
        batch: np.ndarray,
        batch_size: int,
        verbose: Union[str, int],
        first: int = 0,
    ) -> np.ndarray:
        """Return the outputs of a batch that begins with sample `first`, and watch the limits."""
        counts = self._watch.counters(plan)
        out = self._run(plan, batch, batch_size, verbose, counts, first)
        if counts is not None:
            self._watch.look(batch, counts)
        return out

    def _run(
        self,
        plan: BasePlan,
        batch: np.ndarray,
        batch_size: int,
        verbose: Union[str, int],
        counts: Optional[np.ndarray],
        first: int = 0,
    ) -> np.ndarray:
        """Return the outputs of a batch and, in `counts`, add what its layers limited."""
        out = np.empty((len(batch), *self.output_shape), dtype=np.float32)
        found = None if counts is None else np.zeros_like(counts)
        threads = max(1, min(cores(), len(batch) // _THREAD_SAMPLES))
        step = max(batch_size, plan.samples_at_once)
        if threads > 1:
            step = max(step, threads * _THREAD_SAMPLES)
        if len(batch) <= step and verbose != 1:  # a bar would take longer
            _run_part(plan, batch, out, first, found, threads)
        else:
            with _bar(plan, verbose, len(batch)) as bar:
                for start in range(0, len(batch), step):
                    part = slice(start, start + step)
                    _run_part(plan, batch[part], out[part], first + start, found, threads)
                    bar.update(len(out[part]))
        if counts is not None and found is not None:
            counts += beyond_range(self.network, batch, found)
        return self._finish(out)

    async def predict_async(self, x: Any, backend: str = "auto") -> np.ndarray:
        """Return what :meth:`predict` does, leaving the event loop to others meanwhile.

        On a board the end of the engine's work is told by an interrupt; elsewhere a thread works.

        Parameters
        ----------
        x : array-like
            A batch, or one sample.
        backend : str
            As :meth:`predict` takes it.
        """
        plan = self.plan(backend)
        batch, single = self._batch(x)
        counts = self._watch.counters(plan)
        out = self._finish(await plan.run_async(batch, counts))
        if counts is not None:
            self._watch.look(batch, beyond_range(self.network, batch, counts))
        return out[0] if single else out

    def _finish(self, out: np.ndarray) -> np.ndarray:
        return softmax(out) if isinstance(self.layers[-1], Softmax) else out

    def as_batch(self, x: Any) -> np.ndarray:
        """Return `x`, as :meth:`predict` takes it, in the form that a plan runs.

        That is a C-contiguous array of shape ``(n,) + input_shape``, ``float32`` or ``uint8``.
        """
        return self._batch(x)[0]

    def _batch(self, x: Any) -> Tuple[np.ndarray, bool]:
        """Return `x` as a batch that a plan takes, and whether it was one sample."""
        try:
            x = np.asarray(x)
        except ValueError as error:  # ragged lists, on newer NumPy
            raise ValueError(f"x must be an array of numbers. Received: {error}") from error
        if x.dtype.kind not in "fiu":
            raise ValueError(
                f"x must be real numbers. Received: dtype={x.dtype}. "
                "Convert it, for example x.astype('float32')."
            )
        shape = self.input_shape
        if x.size == 0 and x.ndim == 1:
            x = x.reshape((0, *shape))
        grey = len(shape) == 3 and shape[-1] == 1 and x.shape != shape
        if grey and x.ndim in (2, 3) and x.shape[-2:] == shape[:2]:
            x = x[..., None]  # grey images without a channel axis
        single = x.shape == shape
        if single:
            x = x[None]
        if x.shape[1:] != shape:
            raise ValueError(
                f"x must have shape (n, {', '.join(map(str, shape))}), or {shape} for one sample. "
                f"Received: {x.shape}."
                + (" Reshape it." if x.ndim and x.size == len(x) * size_of(shape) else "")
            )
        return self._numbers(x), single

    def _numbers(self, x: np.ndarray) -> np.ndarray:
        entry = self.network.input
        if x.dtype.kind in "iu" and entry.uint8_scale is not None:
            if x.dtype == np.uint8:
                return np.ascontiguousarray(x)
            if not entry.rescales:
                if x.size and not (0 <= x.min() and x.max() <= 255):
                    raise ValueError(
                        "integers must be unscaled bytes, 0 ... 255, for this model. "
                        f"Received: {x.min()} ... {x.max()}. Pass scaled numbers as floats."
                    )
                return np.ascontiguousarray(x, dtype=np.uint8)
        with np.errstate(over="ignore"):  # what becomes infinite is refused next
            x = np.ascontiguousarray(x, dtype=np.float32)
            if entry.rescales:
                x = entry.scaled(x.astype(np.float64) if self._cancels else x)
                x = x.astype(np.float32, copy=False)
        return x

    def _inputs(self, piece: Any) -> np.ndarray:
        """Return a batch out of what an iterable yielded: an array, or a pair of x and y."""
        return self._batch(piece[0] if self._is_pair(piece) else piece)[0]

    def _is_pair(self, piece: Any) -> bool:
        if isinstance(piece, tuple):
            return len(piece) > 0
        if not isinstance(piece, list) or len(piece) not in (2, 3):
            return False
        if not all(hasattr(part, "shape") for part in piece):
            return False  # samples as lists of numbers
        first, second = piece[0].shape, piece[1].shape
        return bool(first != second or len(first) > len(self.input_shape))

    def evaluate(
        self,
        x: Union[np.ndarray, Sequence[Any], Iterable[Any]],
        y: Union[np.ndarray, Sequence[Any], None] = None,
        batch_size: int = 32,
        metrics: Sequence[str] = ("accuracy",),
        verbose: Union[str, int] = "auto",
        backend: str = "auto",
        steps: Optional[int] = None,
    ) -> Dict[str, Any]:
        """Return metrics of the model's predictions for `x` against the truth `y`, by name.

        Parameters
        ----------
        x, batch_size, verbose, backend, steps
            As :meth:`predict` takes them.
        y : array-like
            Classes as integers or one-hot rows; for regression metrics, the outputs.  Left out
            where `x` yields batches ``(x, y)``.
        metrics : sequence of str
            Names from :data:`pynq_circnn.model.metrics.METRICS`.

        Returns
        -------
        dict
            A number for each metric, and in ``limited_words`` how many words each layer had to
            limit because they were beyond its calibrated range, of the layers that limited any.

        Raises
        ------
        ValueError
            If a metric is unknown, or `y` does not fit `x` or the metric.
        """
        metrics = [metrics] if isinstance(metrics, str) else list(metrics)
        unknown = [name for name in metrics if name not in METRICS]
        if unknown:
            raise ValueError(f"metrics must be among {', '.join(METRICS)}. Received: {unknown}.")
        _check_call(batch_size, verbose, steps)
        plan = self.plan(backend)
        counts = np.zeros(len(self.layers), dtype=np.int64)
        batches = not isinstance(x, np.ndarray) and _yields_batches(x)
        if batches == (y is not None) or not (
            batches or (hasattr(x, "__len__") and hasattr(y, "__len__"))
        ):
            raise ValueError(
                "x and y must be arrays or lists, or x must yield batches (x, y) and y be left "
                f"out. Received: {type(x).__name__} and {type(y).__name__}."
            )
        if batches:
            predictions, y = self._evaluate_batches(plan, x, batch_size, verbose, counts, steps)
        else:
            samples, answers = len(x), len(y)  # type: ignore[arg-type]
            if samples != answers or not samples:
                raise ValueError(
                    "x and y must have the same number of samples, at least one. "
                    f"Received: {samples} and {answers}."
                )
            predictions = self._run(plan, self._batch(x)[0], batch_size, verbose, counts)
        y = np.asarray(y)
        found: Dict[str, Any] = {name: METRICS[name](y, predictions) for name in metrics}
        return {**found, "limited_words": limited_words(self.network, counts)}

    def _evaluate_batches(
        self,
        plan: BasePlan,
        x: Iterable[Any],
        batch_size: int,
        verbose: Union[str, int],
        counts: np.ndarray,
        steps: Optional[int],
    ) -> Tuple[np.ndarray, np.ndarray]:
        """Return predictions and truth of all batches."""
        predictions: List[np.ndarray] = []
        truth: List[np.ndarray] = []
        with _bar(plan, verbose, None) as bar:
            for piece in itertools.islice(_batches(x), steps):
                if not self._is_pair(piece) or len(piece) < 2:
                    raise ValueError(
                        "x must yield pairs (x, y) where y is left out. "
                        f"Received: {type(piece).__name__}. Pass y, or yield both."
                    )
                done = sum(map(len, predictions))
                batch, single = self._batch(piece[0])
                predictions.append(self._run(plan, batch, batch_size, 0, counts, done))
                answers = np.asarray(piece[1])
                truth.append(answers[None] if single or not answers.ndim else answers)
                if len(truth[-1]) != len(batch):
                    raise ValueError(
                        "x and y of a batch must have the same number of samples. "
                        f"Received: {len(batch)} and {len(truth[-1])} in batch {len(truth) - 1}."
                    )
                bar.update(len(batch))
        if not truth:
            raise ValueError("x must yield at least one batch (x, y). Received: none.")
        return np.concatenate(predictions), np.concatenate(truth)

    # -- keeping it -----------------------------------------------------------------------------

    def to_bytes(self) -> bytes:
        """Return the model as the bytes of a ``.circnn`` file."""
        data = modelfile.ModelData(self.network, self.name, self.labels, self.provenance)
        return modelfile.dumps(data)

    @classmethod
    def from_bytes(cls, content: bytes) -> "Model":
        """Return the model that the bytes of a ``.circnn`` file hold."""
        return cls(*modelfile.loads(content))

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Write the model to a ``.circnn`` file, replacing it only once complete."""
        data = modelfile.ModelData(self.network, self.name, self.labels, self.provenance)
        modelfile.write(data, path)

    def __reduce__(self) -> Tuple[Any, ...]:
        return Model.from_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        return f"<Model {self.name!r}: {self.input_shape} -> {self.output_shape}>"


def shipped_models() -> List[str]:
    """Return the names of the models that come with the package."""
    files = os.listdir(_ZOO) if os.path.isdir(_ZOO) else []
    return sorted(name[: -len(".circnn")] for name in files if name.endswith(".circnn"))


def load_model(name: Union[str, "os.PathLike[str]"]) -> Model:
    """Return a model: one that comes with the package by its name, or a ``.circnn`` file.

    Raises
    ------
    FileNotFoundError
        If there is neither, with the names that there are.
    ModelFileError
        If the file is damaged or of another format version.

    >>> load_model("digits").output_shape
    (10,)
    """
    path = os.fspath(name)
    if path in shipped_models():
        path = os.path.join(_ZOO, path + ".circnn")
    if not os.path.isfile(path):
        raise FileNotFoundError(
            f"name must be a .circnn file or one of {', '.join(map(repr, shipped_models()))}. "
            f"Received: {os.fspath(name)!r}."
        )
    return Model(*modelfile.read(path))


def _origin(info: Dict[str, Any]) -> Iterator[str]:
    """Return lines on the conversion that a model came from, as far as it says."""
    comparison, calibration = info["source_comparison"], info["calibration"]
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


def _ratio(dense: int, stored: int) -> Optional[float]:
    return round(dense / stored, 3) if stored else None


def _check_call(batch_size: Any, verbose: Any, steps: Any = None) -> None:
    for name, value in (("batch_size", batch_size), ("steps", 1 if steps is None else steps)):
        if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
            raise ValueError(f"{name} must be a positive integer. Received: {value!r}.")
    if verbose not in ("auto", 0, 1):
        raise ValueError(f"verbose must be 'auto', 0 or 1. Received: {verbose!r}.")


def _yields_batches(x: Any) -> bool:
    """Whether `x` is a generator, data set or loader of batches rather than an array of numbers."""
    if hasattr(x, "__array__") or hasattr(x, "__array_interface__"):
        return False
    if isinstance(x, (collections.abc.Sequence, collections.abc.Mapping, str)):
        return False
    if hasattr(x, "__next__") or hasattr(x, "__iter__"):
        return True
    return hasattr(x, "__getitem__") and hasattr(x, "__len__")


def _batches(x: Any) -> Iterator[Any]:
    """Return the batches of a generator, loader or data set; the last ends where it says."""
    if hasattr(x, "__getitem__") and hasattr(x, "__len__"):  # keras.utils.PyDataset
        return (x[index] for index in range(len(x)))
    return iter(x)


def _run_part(
    plan: BasePlan,
    x: np.ndarray,
    out: np.ndarray,
    start: int,
    counts: Optional[np.ndarray],
    threads: int = 1,
) -> None:
    """Run a part of the samples, so that an error names the sample's number in the whole."""
    try:
        plan.run(x, out, counts, threads)
    except NotFiniteError as error:
        raise NotFiniteError(start + error.sample) from None


def _bar(plan: BasePlan, verbose: Union[str, int], total: Optional[int]) -> Any:
    from tqdm.auto import tqdm  # slow to import, and most programs never show a bar

    return tqdm(
        total=total,
        desc=f"predict [{plan.name}]",
        unit="sample",
        leave=verbose == 1,
        disable=verbose == 0,
        delay=_BAR_DELAY_SECONDS if verbose == "auto" else 0,
    )
