"""What people would use instead of the native back end: each alternative as a call to time."""

import importlib
import logging
import os
import tempfile
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

Call = Callable[[], Any]


def versions() -> Tuple[Dict[str, str], List[str]]:
    """Return the versions of the alternatives, and the names of those that are not installed."""
    found, missing = {"numpy": np.__version__}, []
    for name in ("torch", "onnxruntime", "onnx", "keras", "jax", "matplotlib"):
        try:
            found[name] = importlib.import_module(name).__version__
        except ImportError:
            missing.append(name)
    return found, missing


def numpy_dense(matrix: np.ndarray, bias: np.ndarray, x: np.ndarray) -> Call:
    """Return a dense float32 layer in NumPy."""
    transposed = np.ascontiguousarray(matrix.T)
    out = np.empty((len(x), len(matrix)), np.float32)

    def run() -> None:
        np.matmul(x, transposed, out=out)
        np.add(out, bias, out=out)

    return run


def torch_dense(matrix: np.ndarray, bias: np.ndarray, x: np.ndarray) -> Call:
    """Return a dense float32 layer in PyTorch."""
    import torch

    torch.set_num_threads(1)
    w, b, source = torch.tensor(matrix), torch.tensor(bias), torch.tensor(x)

    def run() -> Any:
        with torch.inference_mode():
            return torch.nn.functional.linear(source, w, b)

    return run


def torch_fft(vectors: np.ndarray, bias: np.ndarray, x: np.ndarray) -> Call:
    """Return the same block-circulant layer in float32: one batched product for each bin."""
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


def onnx_int8(matrix: np.ndarray, bias: np.ndarray, x: np.ndarray) -> Call:
    """Return the dense layer by ONNX Runtime's dynamic quantisation: int8, float32 in and out."""
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
