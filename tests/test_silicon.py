"""The C simulation with the silicon's memories: their ports, and writes that take a while to land.

Every kind, block size and schedule runs without a fault, and a design with a mistake does not.
"""

import shutil
import subprocess

import numpy as np
import pytest
from networks import random_input, random_integers, random_network
from test_engine import HARDWARE, check_equal, dense_stack, random_cases, words_of

from pynq_circnn import layers as L
from pynq_circnn.errors import CompileError
from pynq_circnn.program import packets
from pynq_circnn.program.compiler import compile_program
from pynq_circnn.simulation import build as csim_build

pytestmark = pytest.mark.skipif(
    csim_build.unavailable() is not None, reason=str(csim_build.unavailable())
)

SILICON = ("-O1", "-DCIRCNN_SILICON")
BLOCKS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@pytest.mark.parametrize("configuration", HARDWARE)
def test_every_kind(configuration):
    done = 0
    for network, x in random_cases(25, first=900):
        try:
            check_equal(network, x, configuration, flags=SILICON)
        except CompileError:
            continue
        done += 1
    assert done >= 15


@pytest.mark.parametrize("configuration", HARDWARE)
def test_every_block_size(configuration):
    for block in BLOCKS:
        for units, features in ((block, block), (2 * block, 3 * block)):
            network, x = dense_stack(units, block, 1, features)
            try:
                check_equal(network, x, configuration, flags=SILICON)
            except CompileError:
                assert configuration == "tiny" and block == 256


@pytest.mark.parametrize("block", BLOCKS)
def test_convolutions_of_every_block_size(block):
    done = 0
    for seed in range(6):
        rng = np.random.default_rng(100 * block + seed)
        network = random_network(rng, ["Conv2D", "Conv2D"], block=block)
        if network is None:
            continue
        check_equal(network, random_input(rng, network, 3), "z2", flags=SILICON)
        done += 1
    assert done >= 3


@pytest.mark.parametrize("block", [2, 4, 8, 16, 64, 128, 256])
def test_transforms_of_extreme_values(block):
    """Saturations in every stage of the transforms, and batches that are not full."""
    for seed in range(4):
        rng, network = np.random.default_rng(seed), None
        while network is None:
            layers = [L.Input("x", (), (5, 3, 2 * block))]
            layers.append(L.Conv2D("c", ("x",), filters=block, kernel_size=(2, 1), block=block))
            network = random_integers(rng, layers, extreme=True)
        check_equal(network, random_input(rng, network, 3, extreme=True), "z2", flags=SILICON)


@pytest.mark.parametrize(("block", "units", "layers"), [(1, 64, 3), (8, 160, 3)])
def test_weights_that_are_streamed(block, units, layers):
    network, x = dense_stack(units, block, layers, 64)
    check_equal(network, x, "tiny", flags=SILICON)


def test_units_at_the_same_time():
    """Each unit a thread, with channels of the design's depth."""
    done = 0
    for network, x in random_cases(10, first=9500):
        try:
            check_equal(network, x[:2], "z2", flags=(*SILICON, "-DCIRCNN_THREADS"))
        except CompileError:
            continue
        done += 1
    assert done >= 6


# -- what is not allowed ------------------------------------------------------------------------

EARLY, PORTS = "a read while a write is under way: ", "more {} in a trip than ports: "
_WRITES = "        write_words(memory, result.address, result.w, result.count);\n"
MISTAKES = {
    "rows of spectra are read too soon": (
        "outputs.hpp", "kSettling = CIRCNN_LATENCY_SPECTRA - 2;", "kSettling = 0;",
        16, "tiny", EARLY + "spectra",
    ),
    "points are split too soon": (
        "split.hpp", "kGroups / 2 - 1 + CIRC", "kGroups / 2 - 2 + CIRC", 16, "tiny",
        EARLY + "came",
    ),
    "spectra are sent too soon": (
        "split.hpp", "LATENCY_READY + job", "LATENCY_READY - 1 + job", 16, "tiny",
        EARLY + "split",
    ),
    "spectra are sent before the rows that mirror them": (
        "split.hpp", "mirror.row_mask / 2)", "mirror.row_mask / 2 - 1)", 256, "z2",
        EARLY + "split",
    ),
    "sums are merged too soon": (
        "inverse.hpp", "= CIRCNN_LATENCY_LOADED +", "= CIRCNN_LATENCY_LOADED - 1 +", 8, "tiny",
        EARLY + "slots",
    ),
    "sums are merged before the rows that mirror them": (
        "inverse.hpp", "(rows - 1) / 2;", "(rows - 1) / 2 - 1;", 256, "z2", EARLY + "slots",
    ),
    "merged points are taken too soon": (
        "inverse.hpp", "+ CIRCNN_LATENCY_READY +", "+ CIRCNN_LATENCY_READY - 1 +", 8, "tiny",
        EARLY + "merged",
    ),
    "merged points are taken before the rows that mirror them": (
        "inverse.hpp", "+ rows / 4;", "+ rows / 4 - 1;", 256, "z2", EARLY + "merged",
    ),
    "merged points are written twice": (
        "inverse.hpp", "merged[i][row] = y[i];",
        "CIRCNN_WRITES(merged[i], row ^ 1, kMergedRam); merged[i][row] = y[i];",
        64, "tiny", PORTS.format("writes"),
    ),
    "points are written twice": (
        "split.hpp", "CIRCNN_WRITES(memory[i], row, kSplitRam);",
        "CIRCNN_WRITES(memory[i], row, kSplitRam); CIRCNN_WRITES(memory[i], row ^ 1, kSplitRam);",
        64, "tiny", PORTS.format("writes") + "split",
    ),
    "results are written twice": (
        "write.hpp", _WRITES, 2 * _WRITES, 16, "tiny", PORTS.format("writes") + "activations",
    ),
    "words are read twice": (
        "read.hpp", "        const uint64_t beat =",
        "        if (!c.direct) read_banks<kBanks>(memory, c.address, c.count, words);\n"
        "        const uint64_t beat =",
        16, "tiny", PORTS.format("reads") + "activations",
    ),
    "results go where the input is read": (
        "write.hpp", "write_words(memory, result.address,",
        "write_words(memory, result.address | kBanks,",
        16, "tiny", "a write of what another unit reads: activations",
    ),
    "an address is beyond the memory": (
        "write.hpp", "write_words(memory, result.address,",
        "write_words(memory, result.address + kActivationWords,",
        16, "tiny", "a write outside the memory activations",
    ),
}  # fmt: skip
"""A header, a text in it and what it becomes; the block size and the configuration in which that
is a fault, and what the fault says."""


def run_packets(folder, configuration, block):
    """Run two dense layers on an engine that is built with the checks; return the process."""
    program, data = str(folder / "engine"), str(folder / "packets")
    csim_build.build_program(configuration, "fuzz.cpp", program, SILICON)
    network, x = dense_stack(block, block, 2, features=block)
    compiled = compile_program(network, configuration)
    run = packets.run_packet(compiled, words_of(network, x))
    with open(data, "wb") as file:
        for packet in (packets.program_packet(compiled), run):
            file.write(np.array([len(packet)], "<u8").tobytes() + packet.tobytes())
    return subprocess.run([program, data, "1", "0"], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_a_fault(what, tmp_path, monkeypatch):
    header, right, wrong, block, configuration, says = MISTAKES[what]
    shutil.copytree(csim_build.source_folder(), tmp_path / "hw")
    source = tmp_path / "hw" / "src" / header
    text = source.read_text()
    assert text.count(right) == 1
    source.write_text(text.replace(right, wrong))
    monkeypatch.setattr(csim_build, "source_folder", lambda: str(tmp_path / "hw"))
    done = run_packets(tmp_path, configuration, block)
    assert done.returncode != 0
    assert says in done.stderr


@pytest.mark.parametrize(
    ("configuration", "block"), sorted({(c, b) for *_, b, c, _ in MISTAKES.values()})
)
def test_no_mistake_is_no_fault(configuration, block, tmp_path):
    done = run_packets(tmp_path, configuration, block)
    assert done.returncode == 0, done.stderr[-2000:]
