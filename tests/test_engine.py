"""The HLS engine in C simulation: its packets, its status codes, its trips, its threads."""

import os
import re
import shutil
import subprocess
import zlib
from dataclasses import asdict

import numpy as np
import pytest
from fuzz_engine import good_packets
from fuzz_engine import run as fuzz
from networks import KINDS, random_input, random_integers, random_network
from program_words import field_word

from pynq_circnn import layers as L
from pynq_circnn.arithmetic.fixed import quantize_input
from pynq_circnn.backends import csim, native, reference
from pynq_circnn.contract import (
    CONFIGURATIONS,
    HEADER,
    OPCODES,
    OPERATIONS,
    REGISTERS,
    STATUS,
    UNITS,
    configuration_digest,
    hardware_configurations,
    has_bit,
)
from pynq_circnn.contract.headers import engine_headers, write_headers
from pynq_circnn.engine.cycles import batch_cycles
from pynq_circnn.errors import CompileError, ProgramError
from pynq_circnn.program import packets
from pynq_circnn.program.arrangement import EngineSizes, arrange
from pynq_circnn.program.compiler import compile_program
from pynq_circnn.program.program import Program
from pynq_circnn.simulation import build as csim_build
from pynq_circnn.simulation.engine import MOVES, SimulatedEngine

pytestmark = pytest.mark.skipif(
    csim_build.unavailable() is not None, reason=str(csim_build.unavailable())
)

HARDWARE = hardware_configurations()


def words_of(network, x):
    words = quantize_input(x, network.exponents["x"]).astype(np.int16)
    return words.reshape(len(x), -1)


def check_equal(network, x, configuration, flags=("-O3",)):
    """Reference, C simulation, and native on the same hardware program: the same bits."""
    plan = csim.Plan(network, configuration=configuration, flags=flags)
    expected_counts = np.zeros(len(network.layers), dtype=np.int64)
    expected = reference.Plan(network).run(x, saturations=expected_counts)
    plans = [plan]
    if native.unavailable() is None:
        plans.append(native.Plan(network, plan.program))
    for other in plans:
        counts = np.zeros_like(expected_counts)
        actual = other.run(x, saturations=counts)
        np.testing.assert_array_equal(actual, expected, err_msg=other.name)
        np.testing.assert_array_equal(counts, expected_counts, err_msg=f"{other.name}: counts")
    return plan


def check_trips(plan, x):
    """The cycle model predicts the trips of every unit for every layer."""
    program = plan.program
    plan.engine.clear_trips()
    plan.run(x)
    counted = plan.engine.trips()
    layers = np.zeros((len(program.layers), len(UNITS)), dtype=np.int64)
    moves = dict.fromkeys(MOVES, 0)
    for first in range(0, len(x), packets.batch_samples(program)):
        now = min(packets.batch_samples(program), len(x) - first)
        batch = batch_cycles(program, now, x.dtype == np.uint8)
        for index, layer in enumerate(batch.layers):
            layers[index] += [layer.trips[unit] for unit in UNITS]
        for name, trips in batch.moves.items():
            moves[name] += trips
    np.testing.assert_array_equal(layers, counted.layers[: len(layers)])
    assert moves == counted.moves


def random_cases(count, first=0):
    for seed in range(first, first + count):
        rng = np.random.default_rng(seed)
        kinds = list(rng.choice(KINDS, int(rng.integers(1, 6))))
        extreme = bool(rng.integers(2))
        network = random_network(rng, kinds, extreme=extreme)
        if network is not None:
            yield network, random_input(rng, network, int(rng.integers(1, 20)), extreme)


@pytest.mark.parametrize("configuration", HARDWARE)
def test_equal_bits_and_predicted_trips(configuration):
    done = 0
    for network, x in random_cases(80):
        try:
            plan = check_equal(network, x, configuration)
        except CompileError:
            continue
        check_trips(plan, x)
        done += 1
    assert done >= 60


def test_units_as_threads_do_not_deadlock():
    """With bounded channels and every unit a thread: the same bits."""
    for network, x in random_cases(6, first=500):
        try:
            check_equal(network, x[:2], "tiny", flags=("-O1", "-DCIRCNN_THREADS"))
        except CompileError:
            continue


def test_units_as_threads_do_not_race(tmp_path):
    program, data = str(tmp_path / "threads"), str(tmp_path / "packets")
    flags = ("-O1", "-g", "-DCIRCNN_THREADS", "-fsanitize=thread")
    csim_build.build_program("tiny", "fuzz.cpp", program, flags)
    with open(data, "wb") as file:
        for packet in good_packets("tiny", pairs=4):
            file.write(np.array([len(packet)], "<u8").tobytes() + packet.tobytes())
    done = subprocess.run([program, data, "1", "0"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


@pytest.mark.parametrize(
    ("what", "threads", "says"),
    [
        ("full", True, "deadlock: nobody reads from the full channel test"),
        ("empty", True, "deadlock: nobody writes to the empty channel test"),
        ("empty", False, "read from the empty channel test"),
        ("left", False, "leftovers in the channel test"),
    ],
)
def test_channels_complain(tmp_path, what, threads, says):
    flags = ("-DCIRCNN_THREADS", "-DCIRCNN_PATIENCE_MS=50") if threads else ()
    program = str(tmp_path / "stuck")
    csim_build.build_program("tiny", "stuck.cpp", program, flags)
    done = subprocess.run([program, what], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert says in done.stderr


def test_fuzzed_packets():
    assert "400 mutated packets" in fuzz("tiny", 7, 400)


@pytest.mark.parametrize("cxx", ["g++", "clang++"])
def test_sources_compile_without_warnings(tmp_path, cxx):
    path = shutil.which(cxx)
    if path is None:
        pytest.skip(f"{cxx} is not installed")
    target = str(tmp_path / "all")
    csim_build.build_program("z2", "fuzz.cpp", target, ("-O0", "-Werror"), path)


# -- status codes -------------------------------------------------------------------------------


def small_network(seed=3, kinds=("Conv2D", "MaxPool2D", "Add", "Reshape", "Dense")):
    rng = np.random.default_rng(seed)
    network = None
    while network is None or len(network.layers) < 5:
        network = random_network(rng, kinds, (6, 5, 3), 4)
    return network, random_input(rng, network, 3)


@pytest.fixture
def loaded():
    network, x = small_network()
    plan = csim.Plan(network, configuration="tiny")
    return plan, words_of(network, x), reference.Plan(network).run(x), x


def status_of(engine, beats):
    return packets.read_reply(engine.step(np.asarray(beats, dtype="<u8"), 4096))


def test_identify(loaded):
    plan = loaded[0]
    reply = status_of(plan.engine, packets.packet("identify", 0, 0))
    assert (reply.status, reply.beats_in) == ("ok", 2)
    assert reply.configuration == configuration_digest("tiny")


def test_weights_of_a_layer_can_be_replaced():
    network, x = dense_stack(24, 8, 1)
    plan, index = csim.Plan(network, configuration="tiny"), 0
    expected = plan.run(x)
    weights = packets.layer_weights(plan.program, index)
    zeros = packets.packet("weights", index, 0, np.zeros_like(weights).tobytes())
    assert status_of(plan.engine, zeros).status == "ok"
    assert not np.array_equal(plan.run(x), expected)
    again = packets.packet("weights", index, 0, weights.tobytes())
    assert status_of(plan.engine, again).status == "ok"
    np.testing.assert_array_equal(plan.run(x), expected)


def damaged(program, what, name, value, layer=0):
    """A program packet with one field of the header or an instruction changed, checksum mended."""
    beats = packets.program_packet(program).copy()
    words = beats.view("<u4")
    header = what == "header"
    at = HEADER[name].index if header else field_word(program.to_bytes(), layer, name)
    words[4 + at] = value
    if name not in ("checksum", "bytes"):
        words[4 + HEADER["checksum"].index] = 0
        words[4 + HEADER["checksum"].index] = zlib.crc32(beats[2:].tobytes())
    return beats


@pytest.mark.parametrize(
    ("what", "name", "value", "status"),
    [
        ("header", "magic", 0, "bad_header"),
        ("header", "version", 9, "bad_header"),
        ("header", "bytes", 8, "bad_length"),
        ("header", "configuration", 1, "bad_configuration"),
        ("header", "checksum", 1, "bad_checksum"),
        ("header", "layers", 5000, "bad_field"),
        ("header", "layers", 4000, "too_large"),
        ("header", "activation_words", 1 << 30, "too_large"),
        ("header", "output_address", 1 << 20, "bad_address"),
        ("header", "instruction_words", 8, "bad_length"),
        ("descriptor", "opcode", 0, "bad_field"),
        ("descriptor", "payload_words", 22, "bad_field"),
        ("descriptor", "share_log2", 0, "bad_field"),
        ("descriptor", "input_address", 1 << 20, "bad_address"),
        ("descriptor", "block_rows", 77, "bad_field"),
        ("descriptor", "stride_width", 5000, "bad_field"),
        ("descriptor", "scales_offset", 3, "bad_field"),
        ("descriptor", "stream", 1, "bad_field"),
    ],
)
def test_every_finding_has_its_status(loaded, what, name, value, status):
    plan, words, expected, x = loaded
    reply = status_of(plan.engine, damaged(plan.program, what, name, value))
    assert reply.status == status
    assert reply.detail == (0 if what == "descriptor" else 0xFFFFFFFF)
    run = packets.run_packet(plan.program, words)
    assert status_of(plan.engine, run).status == "no_program"
    assert status_of(plan.engine, packets.program_packet(plan.program)).status == "ok"
    np.testing.assert_array_equal(plan.run(x), expected)


@pytest.mark.parametrize(("pad", "status"), [(1, "ok"), (2, "too_large")])
def test_more_columns_than_the_reader_counts_are_refused(pad, status):
    """No layer has them, but a program may: the window reaches two columns out of the image."""
    fields = {
        "opcode": OPCODES["matrix"],
        "output_address": 65535,
        **dict.fromkeys(("in_height", "in_channels", "out_height", "out_width"), 1),
        **dict.fromkeys(("out_channels", "kernel_height", "stride_height", "stride_width"), 1),
        **{"in_width": 65535, "kernel_width": 3, "pad_left": pad},
        **{"block_rows": 1, "block_columns": 1, "share_log2": 3},
    }
    header = {
        **{"activation_words": 65536, "input_address": 0, "input_words": 65535},
        **{"output_address": 65535, "output_words": 1},
        **dict.fromkeys(("input_exponent", "output_exponent"), 0),
        **dict.fromkeys(("byte_scale", "byte_bias", "byte_shift"), 0),
    }
    weights, zeros = np.arange(24), np.zeros(8, int)
    program = Program("z2", header, (fields,), weights, zeros, zeros)
    engine = SimulatedEngine("z2")
    assert status_of(engine, packets.program_packet(program)).status == status
    if status == "ok":
        run = packets.run_packet(program, np.ones((1, 65535), np.int16))
        assert status_of(engine, run).status == "ok"


def test_packets_of_a_wrong_length(loaded):
    plan, words, expected, x = loaded
    run, program = packets.run_packet(plan.program, words), packets.program_packet(plan.program)
    assert status_of(plan.engine, run[:-1]).status == "truncated"
    assert status_of(plan.engine, run[:1]).status == "truncated"
    assert status_of(plan.engine, np.append(run, run[-1:])).status == "overlong"
    assert status_of(plan.engine, packets.packet("run", 1 << 31, 0)).status == "truncated"
    assert status_of(plan.engine, packets.packet("run", 1, 1)).status == "no_bytes"
    assert status_of(plan.engine, packets.packet("run", 1, 2)).status == "bad_packet"
    assert status_of(plan.engine, packets.packet("weights", 99, 0)).status == "bad_packet"
    assert status_of(plan.engine, np.zeros(3, "<u8")).status == "bad_packet"
    np.testing.assert_array_equal(plan.run(x), expected)
    assert status_of(plan.engine, program[:-1]).status in ("truncated", "bad_length")
    assert status_of(plan.engine, program).status == "ok"
    np.testing.assert_array_equal(plan.run(x), expected)


def test_a_refused_packet_is_an_error_of_python():
    reply = packets.Reply("bad_address", 1, 0, 0, 0, 12, 0)
    with pytest.raises(ProgramError, match="bad_address in layer 1"):
        packets.check_status(reply, ["a", "b"])
    with pytest.raises(ProgramError, match="must end in a reply"):
        packets.read_reply(np.zeros(9, "<u8"))


# -- what fits ----------------------------------------------------------------------------------


def dense_stack(units, block, layers, features=64):
    rng = np.random.default_rng(0)
    network = None
    while network is None:
        stack = [L.Input("x", (), (features,))]
        for index in range(layers):
            name = f"dense_{index}"
            stack.append(L.Dense(name, (stack[-1].name,), units=units, block=block))
        network = random_integers(rng, stack)
    return network, random_input(rng, network, 5)


@pytest.mark.parametrize(
    ("block", "units", "layers", "features"),
    [(1, 64, 3, 64), (2, 96, 3, 96), (8, 160, 3, 160), (16, 256, 2, 500)],
)
def test_weights_that_do_not_fit_are_streamed(block, units, layers, features):
    network, x = dense_stack(units, block, layers, features)
    x = np.concatenate([x] * 3)
    plan = check_equal(network, x, "tiny")
    assert any(has_bit(fields, "stream", "weights") for fields in plan.program.layers)
    check_trips(plan, x)


def test_input_straight_from_the_packet():
    network, x = dense_stack(16, 8, 1, features=100)
    plan = check_equal(network, x, "tiny")
    assert has_bit(plan.program.layers[0], "stream", "input")
    check_trips(plan, x)


def test_what_does_not_fit_is_reported():
    network, _ = dense_stack(512, 8, 1, features=512)
    with pytest.raises(CompileError, match=r"dense_0.*weights.*8192 words.*Use block=32"):
        compile_program(network, "tiny")
    network, _ = dense_stack(8, 8, 1, features=2300)
    with pytest.raises(CompileError, match="must fit"):
        compile_program(network, "tiny")


def test_the_arrangement_fills_the_lanes():
    sizes = EngineSizes.of("z2")
    for block, outputs, side, places in (
        (8, 16, 2, 4),
        (16, 16, 1, 4),
        (64, 10, 1, 1),
        (1, 10, 16, 4),
    ):
        fields = {
            "opcode": OPCODES["matrix"],
            "block_log2": block.bit_length() - 1,
            "block_rows": -(-outputs // block),
            "block_columns": 16,
            "out_channels": outputs,
            "in_channels": 16 * block,
            "in_height": 8,
            "in_width": 8,
            "out_height": 8,
            "out_width": 8,
            "kernel_height": 1,
            "kernel_width": 1,
            "stride_height": 1,
            "stride_width": 1,
        }
        arrangement = arrange(fields, sizes)
        assert (arrangement.side, arrangement.places) == (side, places)
    # in an image no more blocks side by side than the input has, unless there are too few columns
    fields.update(block_log2=3, block_rows=8, block_columns=1, out_channels=64, in_channels=8)
    assert (arrange(fields, sizes).side, arrange(fields, sizes).places) == (1, 8)
    fields.update(out_width=4)
    assert (arrange(fields, sizes).side, arrange(fields, sizes).places) == (2, 4)
    fields.update(out_width=1)
    assert (arrange(fields, sizes).side, arrange(fields, sizes).places) == (8, 1)


def decoded_layers(program):
    """The engine's arrangement of each matrix layer of a program: dicts of fields by index."""
    lib = csim_build.load(csim_build.build(program.configuration))
    engine = lib.circnn_csim_create()
    try:
        beats, reply = packets.program_packet(program), np.zeros(4, "<u8")
        sent = lib.circnn_csim_step(
            engine, beats.ctypes.data, len(beats), reply.ctypes.data, len(reply), None
        )
        assert packets.read_reply(reply[:sent]).status == "ok"
        names, layers = lib.circnn_csim_layer_fields().decode().split(), {}
        for index, fields in enumerate(program.layers):
            if OPERATIONS[fields["opcode"]].spectral:
                values = np.zeros(len(names), np.int32)
                lib.circnn_csim_layer(engine, index, values.ctypes.data)
                layers[index] = dict(zip(names, values.tolist()))
        return layers
    finally:
        lib.circnn_csim_destroy(engine)


def matrix_networks(count):
    """Networks of matrix layers alone, on images and vectors up to 512 channels."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        if seed % 3 == 0:
            units, block = int(rng.integers(1, 300)), 2 ** int(rng.integers(9))
            yield dense_stack(units, block, 2, features=int(rng.integers(1, 512)))[0]
            continue
        height, width = (int(size) for size in rng.integers(1, 24, 2))
        shape = (height, 1 if seed % 3 == 1 else width, int(rng.integers(1, 64)))
        network = random_network(rng, ["Conv2D"] * int(rng.integers(1, 4)), shape)
        if network is not None:
            yield network


@pytest.mark.parametrize("configuration", HARDWARE)
def test_engine_and_compiler_arrange_alike(configuration):
    """Every field of every matrix layer is the same in Python and in C++."""
    sizes, compared, seen = EngineSizes.of(configuration), 0, {}
    for network in matrix_networks(90):
        try:
            program = compile_program(network, configuration)
        except CompileError:
            continue
        resident = 0
        for index, actual in decoded_layers(program).items():
            fields = program.layers[index]
            arrangement = arrange(fields, sizes)
            expected = {name: int(value) for name, value in asdict(arrangement).items()}
            streamed = has_bit(fields, "stream", "weights")
            expected.update(from_stream=has_bit(fields, "stream", "input"), streamed=streamed)
            if streamed:
                del actual["weights_row"]  # after all resident layers
            else:
                expected["weights_row"] = resident
                resident += arrangement.weights_rows
            assert actual == expected
            compared += 1
            for name, value in expected.items():
                seen.setdefault(name, set()).add(value)
    assert compared >= 60
    assert all(len(seen[name]) > 1 for name in asdict(arrangement))


# -- the contract -------------------------------------------------------------------------------


def test_register_offsets_of_the_source():
    """The offsets in the top function's pragmas are the contract's."""
    folder = csim_build.source_folder()
    with open(os.path.join(folder, "src", "circnn_top.cpp"), encoding="utf-8") as file:
        lines = [line for line in file if "offset =" in line]
    found = {}
    for line in lines:
        words = line.replace("=", " ").split()
        found[words[words.index("port") + 1]] = int(words[-1], 16)
    inputs = ("control", "global_interrupt_enable", "interrupt_enable", "interrupt_status")
    expected = {
        name: offset
        for name, offset in REGISTERS.items()
        if name not in inputs and not name.endswith("_control")
    }
    assert found == expected
    for name, offset in expected.items():
        assert REGISTERS[f"{name}_control"] == offset + 4


def test_two_operands_are_whole_tensors_or_joined():
    """The engine's units that read these fields rely on it."""
    for operation in OPERATIONS.values():
        assert operation.two_operands == (operation.flat or operation.joined)
        assert not (operation.flat and operation.joined)
        assert not (operation.joined and operation.scaled)  # rows of scales hold eight channels


def test_every_opcode_has_its_header(tmp_path):
    """A layer kind is one header; without its rule nothing compiles."""
    folder = os.path.join(csim_build.source_folder(), "src")
    kinds = os.path.join(folder, "kinds")
    assert sorted(os.listdir(kinds)) == sorted(f"{name}.hpp" for name in OPCODES)
    write_headers(str(tmp_path), engine_headers("tiny"))
    compiler = csim_build.compiler()
    for rule in (None, "combination"):
        lines = [f'#include "{folder}/kinds.hpp"', ""]
        if rule is not None:  # the kind pad has it under another name
            lines[:0] = [f"#define {rule} other", '#include "kinds/pad.hpp"', f"#undef {rule}"]
        file = tmp_path / f"{rule}.cpp"
        file.write_text("\n".join(lines))
        command = [compiler, "-std=c++14", "-w", "-fsyntax-only", f"-I{folder}", f"-I{tmp_path}"]
        done = subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)
        assert (done.returncode == 0) == (rule is None), done.stderr


def test_unit_names():
    """The units are those of the source, in its order."""
    path = os.path.join(csim_build.source_folder(), "src", "circnn_engine.hpp")
    with open(path, encoding="utf-8") as file:
        names = re.search(r"enum Unit \{ (.*), kUnits \}", file.read()).group(1).split(", ")
    assert UNITS == tuple(name[1:].lower() for name in names)
    assert len(set(STATUS.values())) == len(STATUS)
    assert all("part" in CONFIGURATIONS[name] for name in HARDWARE)
