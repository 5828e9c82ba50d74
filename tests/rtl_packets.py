"""Packets for the RTL's bench and the C simulation's replies to them, as a C header.

``python tests/rtl_packets.py CONFIGURATION HEADER``: networks of every opcode and of several block
sizes, with random and with extreme data, each as a program and a run; and packets with faults.
"""

import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from networks import random_input, random_network

from pynq_circnn.arithmetic.fixed import quantize_input
from pynq_circnn.contract import OPCODES
from pynq_circnn.errors import CompileError
from pynq_circnn.program.compiler import compile_program
from pynq_circnn.program.packets import program_packet, run_packet
from pynq_circnn.simulation.engine import SimulatedEngine

CASES = (  # kinds in order, shape of the input, block size, extreme data
    (("Dense", "Dense"), (40,), 32, False),
    (("Dense",), (24,), 2, True),
    (("Conv2D", "MaxPool2D"), (4, 3, 6), 8, False),
    (("Conv2D",), (2, 2, 3), 1, True),
    (("ZeroPadding2D", "ScaleBias", "Add", "AveragePool2D"), (3, 2, 5), 4, False),
    (("MaxPool2D", "Concatenate", "ScaleBias"), (4, 4, 3), 4, True),
    (("Dense",), (150,), 128, False),
)


def programs(configuration):
    """Return program and samples of every case, the same at every call."""
    found = []
    for index, (kinds, shape, block, extreme) in enumerate(CASES):
        for seed in range(1000):
            rng = np.random.default_rng([index, seed])
            network = random_network(rng, kinds, shape, block, extreme)
            if network is None or len(network.layers) != 1 + len(kinds):
                continue
            try:
                program = compile_program(network, configuration)
            except CompileError:
                continue
            if len(program_packet(program)) > 600:
                continue
            x = random_input(rng, network, 2, extreme)
            words = quantize_input(x, network.exponents["x"]).astype(np.int16)
            found.append((program, words.reshape(len(x), -1)))
            break
    opcodes = {layer["opcode"] for program, _ in found for layer in program.layers}
    missing = [name for name, code in OPCODES.items() if code not in opcodes]
    assert len(found) == len(CASES) and not missing, f"cases without a network, or {missing}"
    return found


def good_and_bad(configuration):
    """Return packets in the order in which the engine gets them."""
    packets = []
    for program, words in programs(configuration):
        packets += [program_packet(program), run_packet(program, words)]
    wrong = packets[0].copy()
    wrong[-1] ^= np.uint64(1 << 20)  # a weight or bias: the checksum no longer matches
    return [*packets, packets[1][:-2], wrong, packets[1], packets[2][:-4]]


def header(packets, replies):
    """Return the C header with packets and replies."""
    lines = [f"static const int kCount = {len(packets)};"]
    for name, rows in (("Packet", packets), ("Reply", replies)):
        beats = ", ".join(f"0x{beat:x}ull" for row in rows for beat in row.tolist())
        lengths = ", ".join(str(len(row)) for row in rows)
        plural = "Packets" if name == "Packet" else "Replies"
        lines.append(f"static const uint32_t k{name}Beats[] = {{{lengths}}};")
        lines.append(f"static const uint64_t k{plural}[] = {{{beats}}};")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    configuration, target = sys.argv[1:]
    sent = good_and_bad(configuration)
    engine = SimulatedEngine(configuration)
    with open(target, "w", encoding="ascii") as file:
        file.write(header(sent, [engine.step(packet, 4096) for packet in sent]))
