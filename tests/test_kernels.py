"""Every set of kernels that this machine can run, forced in turn: the bits of the reference."""

import glob
import os
import shutil
import subprocess
import sys

import driver
import numpy as np
import pytest
from fuzzing import times
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import KINDS, random_input, random_network

from pynq_circnn import backends
from pynq_circnn import layers as L
from pynq_circnn.backends import native
from pynq_circnn.contract import BLOCK_SIZES, OPCODES, headers
from pynq_circnn.network.quantized import QuantizedNetwork

pytestmark = pytest.mark.skipif(native.lib is None, reason="the native back end is not built")
SETS = native.kernel_sets() if native.lib is not None else []


def check(network, x, threads=1):
    expected_counts = np.zeros(len(network.layers), dtype=np.int64)
    expected = backends.get("reference").Plan(network).run(x, saturations=expected_counts)
    for kernels in SETS:
        plan = native.Plan(network, kernels=kernels)
        assert plan.kernels == kernels
        counts = np.zeros_like(expected_counts)
        counted = plan.run(x, saturations=counts, threads=threads)
        np.testing.assert_array_equal(counted, expected, err_msg=f"{kernels}, counting")
        np.testing.assert_array_equal(counts, expected_counts, err_msg=f"{kernels}: counts")
        out = plan.run(x, threads=threads)
        np.testing.assert_array_equal(out, expected, err_msg=kernels)
        out[:] = 0
        assert plan.run(x, out=out) is out  # the fast path, which does not check again
        np.testing.assert_array_equal(out, expected, err_msg=f"{kernels}, again")


def layer_network(rng, layer, shape, arrays, **schedule):
    """A network of one matrix layer; only some entries of its schedule are given."""
    stages = layer.block.bit_length() - 1
    full = {
        "weights_exponent": -15,
        "scale_exponent": -15,
        "forward_shifts": rng.integers(0, 2, stages).tolist(),
        "inverse_shifts": rng.integers(0, 2, stages).tolist(),
        "accumulate_shift": 15,
        "output_shift": 14,
        **schedule,
    }
    layers = [L.Input("x", (), shape), layer]
    words = {
        name: np.asarray(array, "int32" if name == "bias" else "int16")
        for name, array in arrays.items()
    }
    schedules = {"x": {"exponent": -15}, layer.name: full}
    return QuantizedNetwork(layers, schedules, {layer.name: words})


@pytest.mark.fuzz
@settings(max_examples=times(150), deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6),
    samples=st.integers(1, 40),
    extreme=st.booleans(),
    threads=st.integers(1, 3),
)
def test_random_networks(seed, kinds, samples, extreme, threads):
    rng = np.random.default_rng(seed)
    network = random_network(rng, kinds, extreme=extreme)
    if network is not None:
        check(network, random_input(rng, network, samples, extreme), threads)


@pytest.mark.parametrize("block", BLOCK_SIZES)
@pytest.mark.parametrize("kind", ["Dense", "Conv2D"])
def test_every_block_size(kind, block):
    for seed in range(8):
        rng = np.random.default_rng([seed, block, 1])
        channels = int(rng.integers(1, 5 * block + 2))
        shape = (channels,) if kind == "Dense" else (4, 3, channels)
        network = random_network(rng, [kind], shape, block, extreme=seed % 2 == 0)
        if network is not None:
            check(network, random_input(rng, network, int(rng.integers(1, 40)), seed % 2 == 0))


@pytest.mark.parametrize("shift", [0, 1, 2, 14, 15, 16, 17, 18, 31, 32, 33, 40])
@pytest.mark.parametrize("block", [1, 2, 16, 64])
def test_sums_beyond_32_bits(block, shift):
    """All words as large as they can be, so that runs are as short as one term."""
    rng = np.random.default_rng(shift)
    q = 300
    for weights in (np.full((3, q, block), 32767), rng.choice([-32767, 32767], (3, q, block))):
        layer = L.Dense("d", ("x",), units=3 * block, block=block)
        arrays = {
            "weights": weights,
            "scale": np.full(3 * block, 32767),
            "bias": rng.integers(-(2**30), 2**30, 3 * block),
        }
        network = layer_network(rng, layer, (q * block,), arrays, accumulate_shift=shift)
        x = np.sign(rng.normal(size=(5, q * block))).astype(np.float32)
        x[0], x[1] = 1, -1
        check(network, x)


@pytest.mark.parametrize("shift", [0, 1, 15, 16, 17, 31])
def test_largest_biases(shift):
    """The largest sums of an epilogue: value * scale + bias fills 32 bits but for a few words."""
    rng = np.random.default_rng(shift)
    layer = L.ScaleBias("s", ("x",))
    words = {"scale": np.array([32767, -32767] * 9, "int16")}
    words["bias"] = np.array([2**30, -(2**30)] * 9, "int32")
    schedules = {"x": {"exponent": -15}, "s": {"scale_exponent": -15, "output_shift": shift}}
    network = QuantizedNetwork([L.Input("x", (), (18,)), layer], schedules, {"s": words})
    check(network, rng.choice([-1, 1, 0.5], (7, 18)).astype(np.float32))


@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (3, 4)])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_images_larger_than_a_tile(padding, strides):
    """Rows of spectra are then kept in a ring: each is transformed once and used by every row."""
    rng = np.random.default_rng(3)
    layer = L.Conv2D(
        "c", ("x",), filters=24, kernel_size=(3, 2), strides=strides, padding=padding, block=16
    )
    arrays = {
        "weights": rng.integers(-9000, 9000, (3, 2, 2, 3, 16)),
        "scale": rng.integers(-32767, 32768, 24),
        "bias": rng.integers(-(2**28), 2**28, 24),
    }
    network = layer_network(rng, layer, (40, 41, 40), arrays, accumulate_shift=17)
    check(network, rng.normal(0, 0.4, (2, 40, 41, 40)).astype(np.float32))


def small_network():
    rng = np.random.default_rng(0)
    return random_network(rng, ["Dense"], (24,), 8)


def test_kernels_are_chosen_by_name(monkeypatch):
    network = small_network()
    assert native.Plan(network).kernels == os.environ.get("CIRCNN_KERNELS", SETS[0])
    assert SETS[-1] == "portable"
    monkeypatch.setenv("CIRCNN_KERNELS", "portable")
    assert native.Plan(network).kernels == "portable"
    assert native.Plan(network, kernels=SETS[0]).kernels == SETS[0]
    monkeypatch.setenv("CIRCNN_KERNELS", "abacus")
    with pytest.raises(ValueError, match=r"must be one of .*portable.* Received: 'abacus'"):
        native.Plan(network)


def test_what_was_right_once_is_not_taken_for_right():
    network = small_network()
    plan = native.Plan(network)
    x = np.zeros((6, 24), np.float32)
    out = plan.run(x)
    plan.run(x, out)
    for wrong in (x[:5], x.astype(np.float64), x[:, ::-1], x.T, x.tolist(), x[::2]):
        with pytest.raises(ValueError, match="Received"):
            plan.run(wrong, out)
    with pytest.raises(ValueError, match="Received"):
        plan.run(x, out[:5])
    with pytest.raises(ValueError, match="Received"):
        plan.run(x, np.asfortranarray(out))
    frozen = out.copy()
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="out must be"):
        plan.run(x, frozen)
    x[4, 3] = np.nan
    with pytest.raises(ValueError, match="sample 4"):
        plan.run(x, out)


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_threads_must_be_a_positive_integer(threads):
    with pytest.raises(ValueError, match="threads must be a positive integer"):
        native.Plan(small_network()).run(np.zeros((1, 24), np.float32), threads=threads)


def test_the_first_bad_sample_of_all_threads_is_named(monkeypatch):
    monkeypatch.setattr(native, "cores", lambda: 4)
    plan = native.Plan(small_network())
    x = np.zeros((40, 24), np.float32)
    x[33, 0], x[19, 5] = np.inf, np.nan
    with pytest.raises(ValueError, match="sample 19"):
        plan.run(x, threads=4)


def test_threads_share_the_batch_and_change_nothing(monkeypatch):
    monkeypatch.setattr(native, "cores", lambda: 4)
    rng = np.random.default_rng(5)
    network = random_network(rng, ["Conv2D", "MaxPool2D", "Reshape", "Dense"], (6, 6, 20), 8, True)
    x = random_input(rng, network, 37, True)
    for threads in (2, 3, 4, 50):
        check(network, x, threads)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_threads_after_a_fork():
    plan = native.Plan(small_network())
    x = np.zeros((8, 24), np.float32)
    plan.run(x, threads=2)
    child = os.fork()
    if child == 0:
        plan.run(x, threads=2)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_time_is_reported_by_part():
    plan = native.Plan(small_network())
    x = np.zeros((8, 24), np.float32)
    parts = plan.time_parts(x, plan.run(x), 3)
    assert parts.shape == (len(native.PARTS),) and (parts >= 0).all() and parts.sum() > 0
    assert plan.time_kernels(x, plan.run(x), 3) > 0
    assert plan.multiply_adds(10) > 0


def test_each_opcode_has_a_header_of_its_own():
    assert sorted(os.listdir(os.path.join(driver.NATIVE, "kinds"))) == sorted(
        name + ".h" for name in OPCODES
    )


@pytest.mark.skipif(not shutil.which("gcc"), reason="needs gcc")
def test_every_header_compiles_on_its_own(tmp_path):
    """With the widths that vector.h documents, each header includes everything else it needs."""
    headers.write_headers(str(tmp_path), headers.native_headers())
    paths = glob.glob(os.path.join(driver.NATIVE, "**", "*.h"), recursive=True)
    names = {os.path.relpath(path, driver.NATIVE) for path in paths} - {"kernel_set.h"}
    assert {f"kinds/{name}.h" for name in OPCODES} < names
    for name in sorted(names):
        source = f'#define LANES 8\n#define SLOTS 4\n#define TILE 4\n#include "{name}"\n'
        command = ["gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"]
        command += ["-fsyntax-only", f"-I{driver.NATIVE}", f"-I{tmp_path}", "-x", "c", "-"]
        done = subprocess.run(command, input=source, capture_output=True, text=True)
        assert done.returncode == 0, f"{name}: {done.stderr}"


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
