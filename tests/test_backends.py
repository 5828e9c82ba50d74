"""Every available back end computes the same bits: outputs and saturation counts."""

import numpy as np
import pytest
from fuzzing import times
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import KINDS, random_input, random_network

from pynq_circnn import backends
from pynq_circnn.contract import BLOCK_SIZES
from pynq_circnn.errors import CompileError

OTHERS = [name for name, why in backends.availability().items() if not why and name != "reference"]


def check_equal(network, x):
    expected_counts = np.zeros(len(network.layers), dtype=np.int64)
    expected = backends.get("reference").Plan(network).run(x, saturations=expected_counts)
    for name in OTHERS:
        counts = np.zeros_like(expected_counts)
        try:
            plan = backends.get(name).Plan(network)
        except CompileError:
            assert name != "native", "only the engine's memories can be too small"
            continue
        actual = plan.run(x, saturations=counts)
        np.testing.assert_array_equal(actual, expected, err_msg=name)
        np.testing.assert_array_equal(counts, expected_counts, err_msg=f"{name}: saturations")


def test_native_is_there():
    assert "native" in OTHERS, backends.availability()["native"]


@pytest.mark.fuzz
@settings(max_examples=times(100), deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=6),
    samples=st.integers(1, 20),
    extreme=st.booleans(),
)
def test_random_networks(seed, kinds, samples, extreme):
    rng = np.random.default_rng(seed)
    network = random_network(rng, kinds, extreme=extreme)
    if network is not None:
        check_equal(network, random_input(rng, network, samples, extreme))


@pytest.mark.parametrize("block", BLOCK_SIZES)
@pytest.mark.parametrize("extreme", [False, True])
@pytest.mark.parametrize("kind", ["Dense", "Conv2D"])
def test_every_block_size(kind, block, extreme):
    tried = 0
    for seed in range(12):
        rng = np.random.default_rng([seed, block])
        channels = int(rng.integers(1, 3 * block + 2))
        shape = (channels,) if kind == "Dense" else (3, 4, channels)
        network = random_network(rng, [kind], shape, block, extreme)
        if network is not None:
            tried += 1
            check_equal(network, random_input(rng, network, int(rng.integers(1, 40)), extreme))
    assert tried >= 6
