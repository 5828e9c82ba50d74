"""The C sources under the address and undefined-behaviour sanitizers: clean, and the same bits."""

import driver
import numpy as np
import pytest
from networks import KINDS, random_input, random_network

from pynq_circnn import backends
from pynq_circnn.contract import BLOCK_SIZES, STATUS
from pynq_circnn.layers import Reshape, Softmax
from pynq_circnn.program.compiler import compile_program

pytestmark = pytest.mark.skipif(not driver.compiler(), reason="no compiler with sanitizers here")


@pytest.fixture(scope="module")
def path():
    return driver.build()


def reference(network, x):
    counts = np.zeros(len(network.layers), dtype=np.int64)
    y = backends.get("reference").Plan(network).run(x, saturations=counts)
    own = [not isinstance(layer, (Reshape, Softmax)) for layer in network.layers]
    return y.ravel(), counts[own]


def check(path, folder, networks):
    """Run (network, x) pairs and compare outputs and counters with the reference's."""
    records = [
        driver.record(compile_program(network).to_bytes(), x, workspace_samples=1 + index % 5)
        for index, (network, x) in enumerate(networks)
    ]
    for (network, x), (status, counts, y) in zip(networks, driver.run(path, folder, records)):
        assert status == STATUS["ok"]
        expected, expected_counts = reference(network, x)
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(counts, expected_counts)


@pytest.mark.parametrize("extreme", [False, True])
def test_random_networks(path, tmp_path, extreme):
    networks = []
    for seed in range(80):
        rng = np.random.default_rng([seed, extreme])
        kinds = rng.choice(KINDS, int(rng.integers(1, 7)))
        network = random_network(rng, kinds.tolist(), extreme=extreme)
        if network is not None:
            networks.append((network, random_input(rng, network, int(rng.integers(1, 9)), extreme)))
    assert len(networks) > 60
    assert {layer.kind for network, _ in networks for layer in network.layers} >= set(KINDS)
    check(path, str(tmp_path), networks)


def test_every_block_size(path, tmp_path):
    networks = []
    for block in BLOCK_SIZES:
        for kind, seed in (("Dense", 0), ("Conv2D", 1), ("Dense", 2)):
            rng = np.random.default_rng([seed, block])
            shape = (2 * block + 1,) if kind == "Dense" else (3, 3, block)
            network = random_network(rng, [kind], shape, block, extreme=bool(seed))
            if network is not None:
                networks.append((network, random_input(rng, network, 3, bool(seed))))
    assert len(networks) > 20
    check(path, str(tmp_path), networks)
