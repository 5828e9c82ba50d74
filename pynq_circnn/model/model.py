"""The model: a quantised network with a Keras-like interface."""

import os
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np

from .. import backends
from ..arithmetic.floating import softmax
from ..backends.base import BasePlan
from ..errors import BackendError, CompileError, warn_user
from ..layers.base import Layer, size_of
from ..layers.softmax import Softmax
from ..network import modelfile
from ..network.quantized import QuantizedNetwork
from ..turns import Turns
from . import report, threads
from .inputs import Reader, check_call, yields_batches
from .metrics import METRICS
from .progress import progress_bar
from .saturation import SaturationWatch, beyond_range, limited_words

_ZOO = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "zoo")


class Model:
    """A compressed network, ready to predict.

    Parameters
    ----------
    network : QuantizedNetwork
        From :func:`pynq_circnn.quantize`.
    name : str
    labels : sequence of str, optional
        A name for each output.
    provenance : mapping, optional
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
        provenance: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self.network = network
        self.name = name
        self.labels = None if labels is None else list(labels)
        self.provenance = dict(provenance or {})
        if network.calibration:
            self.provenance.setdefault("calibration", dict(network.calibration))
        self._reader = Reader(network)
        self._watch = SaturationWatch(network)
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
                f"labels must be {size_of(self.output_shape)}, one for each output. "
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
            If there is none; the message lists the names.
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
        return report.info(self.network, self.name, self.labels, self.provenance)

    def summary(self, print_fn: Callable[[str], None] = print) -> None:
        """Print the layers with shapes, block sizes, parameters, compression and accuracy.

        ``SNR`` is the signal to noise of a layer's 16-bit output against floating point, over
        all layers up to it, on the calibration data.
        """
        for line in report.summary_lines(self.info()):
            print_fn(line)

    # -- what it does ---------------------------------------------------------------------------

    def plan(self, backend: str = "auto") -> BasePlan:
        """Return the network prepared for a back end; its ``name`` says which one it is.

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
            "auto" takes the fastest that is available here, and ``model.plan().name`` says which;
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
        check_call(batch_size, verbose, steps)
        plan = self.plan(backend)
        if not isinstance(x, np.ndarray) and yields_batches(x):
            out = [np.empty((0, *self.output_shape), dtype=np.float32)]
            with progress_bar(plan.name, verbose, None) as bar:
                for batch in self._reader.batches(x, steps):
                    done = sum(map(len, out))
                    out.append(self._watched(plan, batch, batch_size, 0, done))
                    bar.update(len(batch))
            return np.concatenate(out)
        batch, single = self._reader.batch(x)
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
        out = threads.run(plan, batch, batch_size, verbose, counts, first)
        self._watch.look(batch, counts)
        return self._finish(out)

    async def predict_async(self, x: Any, backend: str = "auto") -> np.ndarray:
        """Return what :meth:`predict` does, leaving the event loop to others meanwhile.

        On a board an interrupt reports that the engine has finished; elsewhere a thread works.

        Parameters
        ----------
        x : array-like
            A batch, or one sample.
        backend : str
            As :meth:`predict` takes it.
        """
        plan = self.plan(backend)
        batch, single = self._reader.batch(x)
        counts = self._watch.counters(plan)
        out = self._finish(await plan.run_async(batch, counts))
        self._watch.look(batch, counts)
        return out[0] if single else out

    def _finish(self, out: np.ndarray) -> np.ndarray:
        return softmax(out) if isinstance(self.layers[-1], Softmax) else out

    def as_batch(self, x: Any) -> np.ndarray:
        """Return `x`, as :meth:`predict` takes it, in the form that a plan runs.

        That is a C-contiguous array of shape ``(n,) + input_shape``, ``float32`` or ``uint8``.
        """
        return self._reader.batch(x)[0]

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
        check_call(batch_size, verbose, steps)
        plan = self.plan(backend)
        limited = np.zeros(len(self.layers), dtype=np.int64)
        batches = not isinstance(x, np.ndarray) and yields_batches(x)
        if batches == (y is not None) or not (
            batches or (hasattr(x, "__len__") and hasattr(y, "__len__"))
        ):
            raise ValueError(
                "x and y must be arrays or lists, or x must yield batches (x, y) and y be left "
                f"out. Received: {type(x).__name__} and {type(y).__name__}."
            )
        if batches:
            predictions, y = self._predict_pairs(plan, x, batch_size, verbose, limited, steps)
        else:
            samples, answers = len(x), len(y)  # type: ignore[arg-type]
            if samples != answers or not samples:
                raise ValueError(
                    "x and y must have the same number of samples, at least one. "
                    f"Received: {samples} and {answers}."
                )
            batch = self._reader.batch(x)[0]
            predictions = self._counted(plan, batch, batch_size, verbose, limited)
        y = np.asarray(y)
        found: Dict[str, Any] = {name: METRICS[name](y, predictions) for name in metrics}
        return {**found, "limited_words": limited_words(self.network, limited)}

    def _predict_pairs(
        self,
        plan: BasePlan,
        x: Iterable[Any],
        batch_size: int,
        verbose: Union[str, int],
        limited: np.ndarray,
        steps: Optional[int],
    ) -> Tuple[np.ndarray, np.ndarray]:
        """Return predictions and truth of all batches that `x` yields."""
        predictions: List[np.ndarray] = []
        truth: List[np.ndarray] = []
        with progress_bar(plan.name, verbose, None) as bar:
            for batch, answers in self._reader.pairs(x, steps):
                done = sum(map(len, predictions))
                predictions.append(self._counted(plan, batch, batch_size, 0, limited, done))
                truth.append(answers)
                bar.update(len(batch))
        if not truth:
            raise ValueError("x must yield at least one batch (x, y). Received: none.")
        return np.concatenate(predictions), np.concatenate(truth)

    def _counted(
        self,
        plan: BasePlan,
        batch: np.ndarray,
        batch_size: int,
        verbose: Union[str, int],
        limited: np.ndarray,
        first: int = 0,
    ) -> np.ndarray:
        """Return the outputs of a batch, and add to `limited` what its layers limited."""
        counts = np.zeros_like(limited)
        out = threads.run(plan, batch, batch_size, verbose, counts, first)
        limited += beyond_range(self.network, batch, counts)
        return self._finish(out)

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
        If there is neither; the message lists the names.
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
