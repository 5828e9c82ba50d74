"""The C simulation with the silicon's memories: their ports, and writes that take a while to land.

Every kind, block size and schedule runs without a fault, and a design with a mistake does not.
"""

import os
import shutil
import subprocess

import numpy as np
import pytest
from networks import random_input, random_network
from test_engine import HARDWARE, check_equal, dense_stack, random_cases, words_of

from pynq_circnn.errors import CompileError
from pynq_circnn.program import packets
from pynq_circnn.program.compiler import compile_program
from pynq_circnn.simulation import build as csim_build

pytestmark = pytest.mark.skipif(
    csim_build.unavailable() is not None, reason=str(csim_build.unavailable())
)

SILICON = ("-O1", "-DCIRCNN_SILICON")


@pytest.mark.parametrize("configuration", HARDWARE)
def test_every_kind(configuration):
    done = 0
    for network, x in random_cases(30, first=9000):
        try:
            check_equal(network, x, configuration, flags=SILICON)
        except CompileError:
            continue
        done += 1
    assert done >= 20


@pytest.mark.parametrize("block", [1, 2, 4, 8, 16, 32, 64, 128, 256])
def test_every_block_size(block):
    done = 0
    for seed in range(12):
        rng = np.random.default_rng(100 * block + seed)
        network = random_network(rng, [("Conv2D", "Dense")[seed % 2]] * 2, block=block)
        if network is None:
            continue
        x = random_input(rng, network, 3)
        for configuration in ("tiny", "z2"):
            try:
                check_equal(network, x, configuration, flags=SILICON)
            except CompileError:
                continue
            done += 1
    assert done >= 6


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

MISTAKES = {
    "a row of spectra is read too soon": (
        "src/outputs.hpp",
        "kSettling = CIRCNN_LATENCY_SPECTRA - 2;",
        "kSettling = 0;",
        "a read while a write is under way: spectra",
    ),
    "passes of the forward transform follow too soon": (
        "src/transform.hpp",
        "kHalfDistance = 6",
        "kHalfDistance = 8",
        "a read while a write is under way: forward work",
    ),
    "a result is written twice": (
        "src/write.hpp",
        "        write_words(memory, result.address, result.w, result.count);\n",
        "        write_words(memory, result.address, result.w, result.count);\n" * 2,
        "more writes in a trip than ports: activations",
    ),
    "words are read twice": (
        "src/read.hpp",
        "        const bool hold =",
        "        if (!c.direct) read_words(memory, c.address, c.count, words);\n"
        "        const bool hold =",
        "more reads in a trip than ports: activations",
    ),
    "results go where the input is read": (
        "src/write.hpp",
        "write_words(memory, result.address,",
        "write_words(memory, result.address % kBanks,",
        "a write of what another unit reads: activations",
    ),
    "an address is beyond the memory": (
        "src/write.hpp",
        "write_words(memory, result.address,",
        "write_words(memory, result.address + kActivationWords,",
        "a write outside the memory activations",
    ),
}


def run_packets(folder, flags):
    """Run dense layers on an engine that is built with `flags`; return the finished process."""
    program, data = str(folder / "engine"), str(folder / "packets")
    csim_build.build_program("tiny", "fuzz.cpp", program, flags)
    with open(data, "wb") as file:
        for block in (1, 16, 64, 256):
            network, x = dense_stack(8, block, 2, 64)
            compiled = compile_program(network, "tiny")
            run = packets.run_packet(compiled, words_of(network, x))
            for packet in (packets.program_packet(compiled), run):
                file.write(np.array([len(packet)], "<u8").tobytes() + packet.tobytes())
    return subprocess.run([program, data, "1", "0"], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_a_fault(what, tmp_path, monkeypatch):
    name, right, wrong, says = MISTAKES[what]
    folder = tmp_path / "hw"
    for part in ("src", "sim"):
        shutil.copytree(os.path.join(csim_build.source_folder(), part), folder / part)
    text = (folder / name).read_text()
    assert text.count(right) == 1
    (folder / name).write_text(text.replace(right, wrong))
    monkeypatch.setattr(csim_build, "source_folder", lambda: str(folder))
    done = run_packets(tmp_path, SILICON)
    assert done.returncode != 0
    assert says in done.stderr


def test_no_mistake_is_no_fault(tmp_path):
    done = run_packets(tmp_path, SILICON)
    assert done.returncode == 0, done.stderr[-2000:]
