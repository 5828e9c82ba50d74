"""Speed of the native back end next to what people would use instead.

Run ``python -m pynq_circnn.commands.benchmarks.speed`` with the environment :data:`ONE_THREAD`, as
``circnn bench`` does.  Everything runs on one core.  The alternatives take turns over several
rounds, so that other load on the machine affects them all alike.  Every figure is a median of CPU
time, which on an idle machine equals wall-clock time.  Alternatives that are not installed are left
out and named.
"""

import functools
import json
import os
import platform
import statistics
import sys
import time
from typing import Any, Dict, List, Mapping, Optional

import numpy as np

from ... import __version__
from ...arithmetic.circulant import expand
from ...backends import native
from ...layers.base import size_of
from ...layers.input import Input
from ...layers.matrix import BlockCirculant, Dense
from ...model import model as models
from ...network.graph import Network
from ...network.quantized import QuantizedNetwork
from ...quantization.quantizer import quantize
from .alternatives import Call, numpy_dense, onnx_int8, torch_dense, torch_fft, versions

LAYERS = ((1024, 64), (4096, 128), (1024, 16))  # size of a square layer, block
BATCHES = (1, 64)
GROWTH = (256, 512, 1024, 2048, 4096, 8192)  # sizes of the plot
MODELS = ("mnist_mlp", "mnist_cnn")
ROUNDS, SECONDS = 9, 0.02  # how often each call is measured, and for how long
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
}

TARGETS = {(1024, 64): (25, 20), (4096, 128): (250, 60), (1024, 16): (12, 10)}
"""How many times faster than dense float32 the native back end should be, for each of
:data:`BATCHES`, by size and block."""


def _target(size: int, block: int, batch: int) -> Optional[float]:
    targets = dict(zip(BATCHES, TARGETS.get((size, block), ())))
    return targets.get(batch)


def layer_network(size: int, block: int, seed: int = 0) -> Network:
    """Return a square dense layer with random weights of the size that trained ones have."""
    rng = np.random.default_rng(seed)
    p = size // block
    parameters = {
        "weights": rng.normal(0, size**-0.5, (p, p, block)),
        "scale": np.ones(size),
        "bias": rng.normal(0, 0.1, size),
    }
    layers = (Input("x", (), (size,)), Dense("y", ("x",), units=size, block=block))
    return Network(layers, {"y": parameters})


def dense_matrix(network: Network) -> np.ndarray:
    """Return the matrix of :func:`layer_network` as float32."""
    return np.asarray(expand(network.parameters["y"]["weights"]), dtype=np.float32)


# -- measuring ----------------------------------------------------------------------------------


def _repeats(call: Call, seconds: float) -> int:
    """Return how many calls take about that long."""
    call()
    count = 1
    while True:
        begin = time.process_time()
        for _ in range(count):
            call()
        taken = time.process_time() - begin
        if taken > seconds / 4:
            return max(1, round(count * seconds / taken))
        count *= 4


def measure(calls: Mapping[str, Call], rounds: int, seconds: float) -> Dict[str, float]:
    """Return the median seconds of each call."""
    repeats = {name: _repeats(call, seconds) for name, call in calls.items()}
    times: Dict[str, List[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            begin = time.process_time()
            for _ in range(repeats[name]):
                call()
            times[name].append((time.process_time() - begin) / repeats[name])
    return {name: statistics.median(values) for name, values in times.items()}


# -- what is measured ---------------------------------------------------------------------------


def multiply_adds(network: QuantizedNetwork) -> int:
    """Return the 16-bit multiply-adds of one sample's spectral products: 4 for a complex one."""
    total = 0
    for layer in network.layers:
        if isinstance(layer, BlockCirculant):
            weights = network.arrays[layer.name]["weights"]
            k = weights.shape[-1]
            bin_products = 4 * (k // 2 - 1) + 2 if k > 1 else 1
            total += weights.size // k * bin_products * size_of(network.shapes[layer.name][:-1])
    return total


def peak(plan: Any) -> float:
    """Return the most 16-bit multiply-adds a second that the plan's kernels reach, best of 7."""
    rounds, best = 200_000, 0.0
    for _ in range(7):
        begin = time.process_time()
        count = plan.multiply_adds(rounds)
        best = max(best, count / (time.process_time() - begin))
    return best


def bench_layer(
    size: int, block: int, batch: int, installed: Mapping[str, str], rounds: int, seconds: float
) -> Dict[str, Any]:
    """Return the figures of one row: a square layer at one batch size."""
    network = layer_network(size, block)
    rng = np.random.default_rng(1)
    quantized = quantize(network, rng.normal(size=(32, size)))
    plan = native.Plan(quantized)
    x = rng.normal(size=(batch, size)).astype(np.float32)
    y = plan.run(x)
    matrix, bias = dense_matrix(network), network.parameters["y"]["bias"].astype(np.float32)
    calls: Dict[str, Call] = {
        "native": lambda: plan.run(x, out=y),
        "numpy_dense": numpy_dense(matrix, bias, x),
    }
    if "torch" in installed:
        calls["torch_dense"] = torch_dense(matrix, bias, x)
        calls["torch_fft"] = torch_fft(network.parameters["y"]["weights"], bias, x)
    if "onnxruntime" in installed and "onnx" in installed:
        calls["onnxruntime_int8"] = onnx_int8(matrix, bias, x)
    times = measure(calls, rounds, seconds)
    runs = max(3, round(seconds / times["native"]))
    kernels = statistics.median(plan.time_kernels(x, y, runs) for _ in range(rounds))
    # the parts are measured in wall-clock time, so the least disturbed round counts
    few = max(3, round(0.05 * runs))
    parts = min((plan.time_parts(x, y, few) for _ in range(20 * rounds)), key=np.sum)
    product = parts[native.PARTS.index("product")]
    dense = min(times[name] for name in times if name.endswith("_dense"))
    return {
        "size": size,
        "block": block,
        "batch": batch,
        "kernels": plan.kernels,
        "seconds": times,
        "kernel_seconds": kernels,
        "dense_seconds": dense,
        "times_faster": {
            "dense": dense / times["native"],
            **{
                name: times[name] / times["native"]
                for name in ("torch_fft", "onnxruntime_int8")
                if name in times
            },
        },
        "target": _target(size, block, batch),
        "shares": dict(zip(native.PARTS, (parts / parts.sum()).tolist())),
        "of_multiply_add_peak": multiply_adds(quantized) * batch / product / peak(plan),
    }


def bench_growth(rounds: int, seconds: float, installed: Mapping[str, str]) -> List[Dict[str, Any]]:
    """Return how the cost of one sample grows with the layer's size, native and dense."""
    rows = []
    for size in GROWTH:
        network = layer_network(size, 64)
        rng = np.random.default_rng(2)
        plan = native.Plan(quantize(network, rng.normal(size=(8, size))))
        x = rng.normal(size=(1, size)).astype(np.float32)
        y = plan.run(x)
        largest = native.Plan(quantize(layer_network(size, 256), rng.normal(size=(8, size))))
        y_largest = largest.run(x)
        matrix, bias = dense_matrix(network), network.parameters["y"]["bias"].astype(np.float32)
        calls: Dict[str, Call] = {
            "native, k = 64": functools.partial(plan.run, x, y),
            "native, k = 256": functools.partial(largest.run, x, y_largest),
            "dense float32, NumPy": numpy_dense(matrix, bias, x),
        }
        if "torch" in installed:
            calls["dense float32, PyTorch"] = torch_dense(matrix, bias, x)
        rows.append({"size": size, "seconds": measure(calls, rounds, seconds)})
    return rows


def bench_model(
    name: str, rounds: int, seconds: float, installed: Mapping[str, str]
) -> Dict[str, Any]:
    """Return the figures of a shipped model against its dense twin in Keras.

    The twin is not trained: its weights do not affect its speed.
    """
    model = models.load_model(name)
    plan = model.plan("native")
    rng = np.random.default_rng(3)
    x = (
        255 * rng.random((1000, *model.input_shape), dtype=np.float32) ** 6
    )  # about as bright as digits
    scaled = model.as_batch(x)
    out = plan.run(scaled)
    one = x[0]
    calls: Dict[str, Call] = {
        "native": lambda: plan.run(scaled, out=out),
        "predict": lambda: model.predict(x, batch_size=1000, verbose=0),
    }
    single: Dict[str, Call] = {"predict": lambda: model.predict(one, verbose=0)}
    if "keras" in installed:
        from ...zoo.recipes import RECIPES

        recipe = RECIPES[name]
        twin = recipe.build(recipe.twin)
        shaped = x.reshape((1000, *twin.input_shape[1:]))
        calls["keras"] = lambda: twin.predict(shaped, batch_size=1000, verbose=0)
        single["keras"] = lambda: twin.predict(shaped[:1], verbose=0)
    times = measure(calls, rounds, seconds)
    return {
        "model": name,
        "images_per_second": {name: 1000 / value for name, value in times.items()},
        "one_sample_seconds": measure(single, rounds, seconds),
        "times_faster": times["keras"] / times["native"] if "keras" in times else None,
    }


def machine() -> Dict[str, Any]:
    """Return a description of the machine that the figures are measured on."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
        name = names[0] if names else name
    except OSError:
        pass
    return {
        "processor": name,
        "cores_used": 1,
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    }


def run(quick: bool = False) -> Dict[str, Any]:
    """Return all figures as JSON values; the environment must be :data:`ONE_THREAD` already."""
    rounds, seconds = (3, 0.005) if quick else (ROUNDS, SECONDS)
    installed, missing = versions()
    results: Dict[str, Any] = {
        "pynq_circnn": __version__,
        "machine": machine(),
        "versions": installed,
        "left_out": {name: "not installed" for name in missing},
        "kernel_sets": native.kernel_sets(),
    }
    results["layers"] = [
        bench_layer(size, block, batch, installed, rounds, seconds)
        for size, block in (LAYERS[:1] if quick else LAYERS)
        for batch in BATCHES
    ]
    results["peak_multiply_adds_per_second"] = peak(
        native.Plan(quantize(layer_network(64, 8), np.ones((1, 64))))
    )
    results["models"] = []
    for name in MODELS:
        try:
            results["models"].append(bench_model(name, rounds, 5 * seconds, installed))
        except Exception as error:  # the model is not shipped, or Keras lacks its back end
            results["left_out"][name] = f"{type(error).__name__}: {error}"
    if not quick:
        results["growth"] = bench_growth(rounds, seconds, installed)
    return results


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(json.dumps(run("--quick" in sys.argv)))
