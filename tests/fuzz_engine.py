"""Mutated packets into the C simulation under the sanitisers: ``python tests/fuzz_engine.py``."""

import argparse
import os
import subprocess
import sys
import tempfile

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from networks import KINDS, random_input, random_network

from pynq_circnn.arithmetic.fixed import quantize_input
from pynq_circnn.errors import CompileError
from pynq_circnn.program.compiler import compile_program
from pynq_circnn.program.packets import program_packet, run_packet
from pynq_circnn.simulation import build as csim_build

SANITIZERS = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


def good_packets(configuration, pairs=12):
    """Pairs of packets, a program and a run, of networks of all layer kinds."""
    packets, seed = [], 0
    while len(packets) < 2 * pairs:
        seed += 1
        rng = np.random.default_rng(seed)
        kinds = rng.choice(KINDS, int(rng.integers(1, 5)))
        network = random_network(rng, kinds)
        if network is None or len(network.layers) < 2:
            continue
        try:
            program = compile_program(network, configuration)
        except CompileError:
            continue
        x = random_input(rng, network, int(rng.integers(1, 4)))
        words = quantize_input(x, network.exponents["x"]).astype(np.int16).reshape(len(x), -1)
        packets += [program_packet(program), run_packet(program, words)]
    return packets


def run(configuration, seed, count, cxx=None):
    """Return the fuzz program's report on `count` mutated packets."""
    with tempfile.TemporaryDirectory() as folder:
        program, data = os.path.join(folder, "fuzz"), os.path.join(folder, "packets")
        csim_build.build_program(configuration, "fuzz.cpp", program, SANITIZERS, cxx)
        with open(data, "wb") as file:
            for packet in good_packets(configuration):
                file.write(np.array([len(packet)], "<u8").tobytes() + packet.tobytes())
        done = subprocess.run(
            [program, data, str(seed), str(count)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise AssertionError(f"fuzz ended with {done.returncode}:\n{done.stderr[-4000:]}")
        return done.stdout.strip()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--configuration", default="tiny")
    arguments = parser.parse_args()
    print(run(arguments.configuration, arguments.seed, arguments.count))
