"""``circnn bench``: the native back end side by side with what people would use instead.

Everything runs on one core, one side after the other and that again for several rounds, so that
what else the machine does hits all alike; every figure is a median of CPU time, which on an idle
machine is the time on the clock.  Alternatives that are not installed are left out and named.
"""

import argparse
import functools
import json
import logging
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

import numpy as np

from .. import __version__, backends
from ..layers import Conv2D, Dense, Input
from ..network.graph import Network
from ..network.quantized import QuantizedNetwork
from ..quantization.quantizer import quantize

LAYERS = ((1024, 64), (4096, 128), (1024, 16))  # size of a square layer, block
BATCHES = (1, 64)
GROWTH = (256, 512, 1024, 2048, 4096, 8192)  # sizes of the plot
MODELS = ("mnist_mlp", "mnist_cnn")
ROUNDS, SECONDS = 9, 0.02  # how often each side is measured, and for how long
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
    "KERAS_BACKEND": "jax",
    "JAX_PLATFORMS": "cpu",
}

Side = Callable[[], Any]
# What to reach: times faster than dense float32, at batch 1 and 64.
TARGETS = {(1024, 64): (25, 20), (4096, 128): (250, 60), (1024, 16): (12, 10)}


def _target(size: int, block: int, batch: int) -> Optional[float]:
    targets = dict(zip(BATCHES, TARGETS.get((size, block), ())))
    return targets.get(batch)


def layer_network(size: int, block: int, seed: int = 0) -> Network:
    """Return a square dense layer of random weights, as trained ones are scaled."""
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
    from ..arithmetic.circulant import expand

    return np.asarray(expand(network.parameters["y"]["weights"]), dtype=np.float32)


# -- measuring ----------------------------------------------------------------------------------


def _repeats(side: Side, seconds: float) -> int:
    """Return how often to call a side so that it takes about that long."""
    side()
    count = 1
    while True:
        begin = time.process_time()
        for _ in range(count):
            side()
        taken = time.process_time() - begin
        if taken > seconds / 4:
            return max(1, round(count * seconds / taken))
        count *= 4


def measure(sides: Mapping[str, Side], rounds: int, seconds: float) -> Dict[str, float]:
    """Return the median seconds of one call of each side."""
    repeats = {name: _repeats(side, seconds) for name, side in sides.items()}
    times: Dict[str, List[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, side in sides.items():
            begin = time.process_time()
            for _ in range(repeats[name]):
                side()
            times[name].append((time.process_time() - begin) / repeats[name])
    return {name: statistics.median(values) for name, values in times.items()}


# -- alternatives -------------------------------------------------------------------------------


def _versions() -> Tuple[Dict[str, str], List[str]]:
    """Return the versions of the alternatives, and the names of those that are not installed."""
    import importlib

    found, missing = {"numpy": np.__version__}, []
    for name in ("torch", "onnxruntime", "onnx", "keras", "jax", "matplotlib"):
        try:
            found[name] = importlib.import_module(name).__version__
        except ImportError:
            missing.append(name)
    return found, missing


def _numpy_dense(matrix: np.ndarray, bias: np.ndarray, x: np.ndarray) -> Side:
    transposed = np.ascontiguousarray(matrix.T)
    out = np.empty((len(x), len(matrix)), np.float32)

    def run() -> None:
        np.matmul(x, transposed, out=out)
        np.add(out, bias, out=out)

    return run


def _torch_dense(matrix: np.ndarray, bias: np.ndarray, x: np.ndarray) -> Side:
    import torch

    torch.set_num_threads(1)
    w, b, source = torch.tensor(matrix), torch.tensor(bias), torch.tensor(x)

    def run() -> Any:
        with torch.inference_mode():
            return torch.nn.functional.linear(source, w, b)

    return run


def _torch_fft(vectors: np.ndarray, bias: np.ndarray, x: np.ndarray) -> Side:
    """The same block-circulant layer in float32, products as one batched multiplication a bin."""
    import torch

    torch.set_num_threads(1)
    p, q, k = vectors.shape
    spectra = torch.fft.rfft(torch.tensor(vectors.astype(np.float32)))
    weights = spectra.permute(2, 1, 0).contiguous()  # bins, q, p
    b, source = torch.tensor(bias), torch.tensor(x)

    def run() -> Any:
        with torch.inference_mode():
            bins = torch.fft.rfft(source.view(-1, q, k)).permute(2, 0, 1)
            product = torch.bmm(bins, weights).permute(1, 2, 0)
            return torch.fft.irfft(product, n=k).reshape(-1, p * k) + b

    return run


def _onnx_int8(matrix: np.ndarray, bias: np.ndarray, x: np.ndarray) -> Side:
    """The dense layer as ONNX Runtime's dynamic quantisation makes it: int8, float32 outside."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["xw"]),
            helper.make_node("Add", ["xw", "b"], ["y"]),
        ],
        "dense",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, matrix.shape[1]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, matrix.shape[0]])],
        [
            numpy_helper.from_array(np.ascontiguousarray(matrix.T), "w"),
            numpy_helper.from_array(bias, "b"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    with tempfile.TemporaryDirectory() as folder:
        source, target = os.path.join(folder, "float.onnx"), os.path.join(folder, "int8.onnx")
        onnx.save(model, source)
        logging.disable(logging.WARNING)  # it recommends a pass that changes nothing here
        quantize_dynamic(source, target, weight_type=QuantType.QInt8)
        logging.disable(logging.NOTSET)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(target, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x})


# -- what is measured ---------------------------------------------------------------------------


def multiply_adds(network: QuantizedNetwork) -> int:
    """Return the 16-bit multiply-adds of one sample's spectral products: 4 for a complex one."""
    total = 0
    for layer in network.layers:
        if isinstance(layer, (Dense, Conv2D)):
            p, q, k = network.arrays[layer.name]["weights"].shape[-3:]
            bin_products = 4 * (k // 2 - 1) + 2 if k > 1 else 1
            positions = pixels = 1
            if isinstance(layer, Conv2D):
                positions = layer.kernel_size[0] * layer.kernel_size[1]
                shape = network.shapes[layer.name]
                pixels = shape[0] * shape[1]
            total += p * q * bin_products * positions * pixels
    return total


def peak(plan: Any) -> float:
    """Return how many 16-bit multiply-adds a second the plan's kernels can do, the best of 7."""
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
    from ..backends import native

    network = layer_network(size, block)
    rng = np.random.default_rng(1)
    quantized = quantize(network, rng.normal(size=(32, size)))
    plan = native.Plan(quantized)
    x = rng.normal(size=(batch, size)).astype(np.float32)
    y = plan.run(x)
    matrix, bias = dense_matrix(network), network.parameters["y"]["bias"].astype(np.float32)
    sides: Dict[str, Side] = {
        "native": lambda: plan.run(x, out=y),
        "numpy_dense": _numpy_dense(matrix, bias, x),
    }
    if "torch" in installed:
        sides["torch_dense"] = _torch_dense(matrix, bias, x)
        sides["torch_fft"] = _torch_fft(network.parameters["y"]["weights"], bias, x)
    if "onnxruntime" in installed and "onnx" in installed:
        sides["onnxruntime_int8"] = _onnx_int8(matrix, bias, x)
    times = measure(sides, rounds, seconds)
    runs = max(3, round(seconds / times["native"]))
    kernels = statistics.median(plan.time_kernels(x, y, runs) for _ in range(rounds))
    # the clock on the wall tells the parts apart, so the round counts that was disturbed least
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
    from ..backends import native

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
        sides: Dict[str, Side] = {
            "native, k = 64": functools.partial(plan.run, x, y),
            "native, k = 256": functools.partial(largest.run, x, y_largest),
            "dense float32, NumPy": _numpy_dense(matrix, bias, x),
        }
        if "torch" in installed:
            sides["dense float32, PyTorch"] = _torch_dense(matrix, bias, x)
        rows.append({"size": size, "seconds": measure(sides, rounds, seconds)})
    return rows


def bench_model(name: str, rounds: int, seconds: float, installed: Mapping[str, str]) -> Any:
    """Return the figures of a shipped model against its dense twin in Keras.

    The twin is not trained, which makes it neither faster nor slower.
    """
    from ..model.model import load_model

    model = load_model(name)
    plan = model.plan("native")
    rng = np.random.default_rng(3)
    x = 255 * rng.random((1000, *model.input_shape), dtype=np.float32) ** 6  # as bright as digits
    scaled = model.as_batch(x)
    out = plan.run(scaled)
    one = x[0]
    sides: Dict[str, Side] = {
        "native": lambda: plan.run(scaled, out=out),
        "predict": lambda: model.predict(x, batch_size=1000, verbose=0),
    }
    single: Dict[str, Side] = {"predict": lambda: model.predict(one, verbose=0)}
    if "keras" in installed:
        from ..zoo.recipes import RECIPES

        recipe = RECIPES[name]
        twin = recipe.build(recipe.twin)
        shaped = x.reshape((1000, *twin.input_shape[1:]))
        sides["keras"] = lambda: twin.predict(shaped, batch_size=1000, verbose=0)
        single["keras"] = lambda: twin.predict(shaped[:1], verbose=0)
    times = measure(sides, rounds, seconds)
    return {
        "model": name,
        "images_per_second": {side: 1000 / value for side, value in times.items()},
        "one_sample_seconds": measure(single, rounds, seconds),
        "times_faster": times["keras"] / times["native"] if "keras" in times else None,
    }


def machine() -> Dict[str, Any]:
    """Return what the figures were measured on."""
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
    """Return all figures as JSON values; the environment must already hold the threads to one."""
    from ..backends import native

    rounds, seconds = (3, 0.005) if quick else (ROUNDS, SECONDS)
    installed, missing = _versions()
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
        except Exception as error:  # a model that is not shipped, or Keras without its back end
            results["left_out"][name] = f"{type(error).__name__}: {error}"
    if not quick:
        results["growth"] = bench_growth(rounds, seconds, installed)
    return results


# -- showing ------------------------------------------------------------------------------------


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
    from .plots import _figure

    figure, axes = _figure(6.4, 4.2)
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


# -- the command --------------------------------------------------------------------------------


def _bench(arguments: argparse.Namespace) -> int:
    """Measure in a process of its own, whose libraries all start with one thread."""
    if backends.get("native").unavailable():
        backends.select("native")  # raises with the reason
    command = [sys.executable, "-m", "pynq_circnn.commands.bench"] + ["--quick"] * arguments.quick
    done = subprocess.run(
        command, env={**os.environ, **_ONE_THREAD}, stdout=subprocess.PIPE, check=True
    )
    results = json.loads(done.stdout.decode().strip().splitlines()[-1])
    if arguments.plot:
        from .plots import save

        if "growth" not in results:
            raise ValueError("--plot needs the whole bench. Received: --quick. Leave it out.")
        save(draw(results), arguments.plot)
        print(f"{arguments.plot}: written", file=sys.stderr)
    print(
        json.dumps(results, indent=2, ensure_ascii=False) if arguments.json else markdown(results)
    )
    return 0


def register(commands: Any) -> None:
    """Add this module's subcommands."""
    from .cli import add_command, add_json

    parser = add_command(
        commands, "bench", _bench, "measure the native back end beside NumPy, PyTorch and others"
    )
    parser.add_argument("--plot", metavar="FILE.png", help="draw how the cost grows with the size")
    parser.add_argument("--quick", action="store_true", help="a rough look: one layer, few repeats")
    add_json(parser)


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(json.dumps(run("--quick" in sys.argv)))
