"""Programs with changed words: every loader gives one verdict, and what is accepted runs alike."""

import numpy as np
import pytest
from fuzzing import times
from networks import KINDS, random_network
from program_words import field_words
from test_program import DERIVED, mutated, sealed, status_in_c

from pynq_circnn.arithmetic.fixed import Counter, dequantize, quantize_input
from pynq_circnn.backends import native
from pynq_circnn.contract import (
    CONFIGURATIONS,
    HEADER,
    OPERATIONS,
    STATUS,
    has_bit,
)
from pynq_circnn.errors import CompileError, ProgramError
from pynq_circnn.program import packets
from pynq_circnn.program.arrangement import MAX_STRIDE, EngineSizes, arrange
from pynq_circnn.program.compiler import compile_program
from pynq_circnn.program.interpreter import run_program
from pynq_circnn.program.program import Program
from pynq_circnn.simulation import build as csim_build
from pynq_circnn.simulation.engine import SimulatedEngine

WORK_MAX = 1_000_000


def programs(configuration, turn):
    """Bytes of 40 random networks' programs."""
    found, seed = 0, 1000 * turn
    while found < 40:
        seed += 1
        rng = np.random.default_rng(seed)
        kinds = rng.choice(KINDS, int(rng.integers(1, 6))).tolist()
        shape = tuple(rng.integers(1, 7, 3).tolist()) if rng.random() < 0.8 else None
        network = random_network(rng, kinds, shape, extreme=bool(rng.integers(2)))
        try:
            if network is not None:
                yield compile_program(network, configuration).to_bytes()
                found += 1
        except CompileError:
            continue


def altered(rng, data):
    """One to three words of the header or of instructions changed by little, and a byte rule."""
    words = np.frombuffer(data, "<u4").copy()
    fields = [field.index for name, field in HEADER.items() if name not in DERIVED]
    fields += field_words(data)
    for at in rng.choice(fields, int(rng.integers(1, 4))):
        word = int(words[at])
        some = [word + 1, word - 1, word + 8, word * 2, word // 2, 0, 1, 2, 3, 4, 7, 8, 15, 31]
        words[at] = some[int(rng.integers(len(some)))] % 2**32
    if rng.random() < 0.5:
        for name, low, high in (
            ("byte_scale", -32767, 32768),
            ("byte_bias", -(2**30), 2**30),
            ("byte_shift", 0, 31),
        ):
            words[HEADER[name].index] = int(rng.integers(low, high)) % 2**32
    return sealed(words.tobytes())


def engine_of(configuration):
    """The simulated engine of a configuration, or None for the host or without a compiler."""
    if configuration == "host" or csim_build.unavailable() is not None:
        return None
    return SimulatedEngine(configuration)


def status_in_hls(engine, data):
    packet = packets.packet("program", len(data), 0, data)
    return packets.read_reply(engine.step(packet, 8)).status


def in_python(data):
    try:
        return Program.from_bytes(data)
    except ProgramError:
        return None


def exceeds_engine(program):
    """Whether a program that keeps the contract's rules is beyond what its engine takes."""
    limits, header = CONFIGURATIONS[program.configuration], program.header
    engine = EngineSizes.of(program.configuration)
    ok = len(program.layers) <= limits["layers"]
    ok &= header["activation_words"] <= limits["activation_words"]
    ok &= max(program.scales.size, program.biases.size) <= limits["channel_words"]
    end = resident = largest = 0
    for index, fields in enumerate(program.layers):
        ok &= all(fields[f"{section}_offset"] % 8 == 0 for section in ("weights", "scales"))
        ok &= fields["biases_offset"] % 8 == 0
        ok &= max(fields["stride_height"], fields["stride_width"]) <= MAX_STRIDE
        operation = OPERATIONS[fields["opcode"]]
        if not operation.spectral:
            continue
        log2, row_log2 = fields["share_log2"], engine.row_words.bit_length() - 1
        if not min(max(3, fields["block_log2"]), row_log2) <= log2 <= row_log2:
            return True
        needs = arrange(fields, engine)
        streamed = has_bit(fields, "stream", "weights")
        if streamed:
            largest = max(largest, needs.weights_rows)
        else:
            resident += needs.weights_rows
        ok &= needs.spectra_rows <= engine.spectra_rows and fields["weights_offset"] == end
        end += operation.section_words(fields)["weights"]
        if has_bit(fields, "stream", "input"):
            sides = [f"{s}_{e}" for s in ("in", "out", "kernel") for e in ("height", "width")]
            ok &= index == 0 and needs.places == 1 and all(fields[side] == 1 for side in sides)
            ok &= fields["in_channels"] == header["input_words"] and not streamed
            ok &= fields["input_address"] == header["input_address"]
    ok &= resident + largest <= engine.weights_rows and end == program.weights.size
    return not ok or reads_input_that_is_not_there(program)


def reads_input_that_is_not_there(program):
    """Whether the first layer takes the input from the packet, and another one reads it too."""
    header = program.header
    if not program.layers or not has_bit(program.layers[0], "stream", "input"):
        return False
    written = np.zeros(header["activation_words"], dtype=bool)
    for index, fields in enumerate(program.layers):
        operation = OPERATIONS[fields["opcode"]]
        reads = [image(fields, "in")] if index else []
        if operation.two_operands:
            reads.append((fields["second_address"], operation.second_words(fields)))
        if not all(written[begin : begin + words].all() for begin, words in reads):
            return True
        begin, words = image(fields, "out")
        written[begin : begin + words] = True
    begin = header["output_address"]
    return not written[begin : begin + header["output_words"]].all()


@pytest.mark.fuzz
@pytest.mark.parametrize("turn", range(times(1)))
@pytest.mark.parametrize("configuration", ["host", "tiny", "z2"])
def test_every_loader_gives_one_verdict(configuration, turn):
    rng, engine, accepted = np.random.default_rng(turn), engine_of(configuration), 0
    for base in programs(configuration, turn):
        for change in (mutated, altered):
            for _ in range(50):
                data = change(rng, base)
                program = in_python(data)
                status = status_in_c(data)[0]
                assert (status == "ok") == (program is not None), status
                if engine is not None:
                    reply = status_in_hls(engine, data)
                    wanted = program is not None and not exceeds_engine(program)
                    assert (reply == "ok") == wanted, (reply, status)
                accepted += program is not None
    assert accepted > 500


# -- running what was accepted --------------------------------------------------------------------


def image(fields, side):
    address = fields["input_address" if side == "in" else "output_address"]
    extents = (fields[f"{side}_{extent}"] for extent in ("height", "width", "channels"))
    return address, int(np.prod(list(extents)))


def work_of(program):
    """Words that Python handles, about: windows may reach far beyond their image."""
    total = program.header["activation_words"]
    for fields in program.layers:
        taps, spans = 1, []
        if OPERATIONS[fields["opcode"]].windowed:
            taps = fields["kernel_height"] * fields["kernel_width"]
        for extent, pad in (("height", "pad_top"), ("width", "pad_left")):
            steps = (fields[f"out_{extent}"] - 1) * fields[f"stride_{extent}"]
            spans.append(steps + fields[f"kernel_{extent}"] + fields[pad] + fields[f"in_{extent}"])
        outputs = image(fields, "out")[1] * taps * max(fields["block_columns"], 1)
        total += outputs + spans[0] * spans[1] * fields["in_channels"]
    return total


def run_in_c(data, program, x, kernels):
    """Status, output and counters of a set of kernels; the activation memory begins as zeros."""
    ffi, lib = native.ffi, native.lib
    handle, layer = ffi.new("circnn_plan **"), ffi.new("int32_t *")
    assert lib.circnn_plan_create(data, len(data), kernels.encode(), handle, layer) == 0
    workspace = np.zeros(lib.circnn_plan_workspace_bytes(handle[0], 1), np.uint8)
    counts = np.zeros(1 + len(program.layers), np.int64)
    y = np.zeros((1, program.header["output_words"]), np.float32)
    call = ffi.new("circnn_call *")
    call.workspace, call.workspace_bytes = ffi.from_buffer("uint8_t[]", workspace), len(workspace)
    call.saturations = ffi.from_buffer("int64_t[]", counts)
    form = lib.CIRCNN_UINT8 if x.dtype == np.uint8 else lib.CIRCNN_FLOAT32
    target = ffi.from_buffer("float[]", y, True)
    status = lib.circnn_plan_run(handle[0], ffi.from_buffer(x), form, target, 1, call)
    lib.circnn_plan_destroy(handle[0])
    return status, y, counts


def run_in_hls(engine, program, x):
    """Status, output words and counters of the engine that holds the program."""
    words, limited = x, Counter()
    if x.dtype != np.uint8:
        words = quantize_input(x, program.header["input_exponent"], limited.saturate)
        words = words.astype(np.int16)
    answer = engine.step(packets.run_packet(program, words), packets.reply_beats(program, 1))
    status = packets.read_reply(answer).status
    if status != "ok":
        return status, None, None
    form = packets.BYTES if x.dtype == np.uint8 else packets.WORDS
    y, counts = packets.RunPackets(program, form).read(answer.view("u1"), 1)
    counts[0] += limited.count
    return status, y, counts


def one_sample(rng, program):
    shape = (1, program.header["input_words"])
    if rng.random() < 0.5:
        return rng.integers(0, 256, shape).astype(np.uint8)
    words = rng.normal(0, 2 ** rng.uniform(3, 16), shape)
    return (words * 2.0 ** program.header["input_exponent"]).astype(np.float32)


@pytest.mark.fuzz
@pytest.mark.parametrize("turn", range(times(1)))
@pytest.mark.parametrize("configuration", ["host", "tiny", "z2"])
def test_what_is_accepted_runs_to_the_same_bits(configuration, turn):
    rng, engine, done = np.random.default_rng(turn), engine_of(configuration), 0
    for base in programs(configuration, turn):
        for _ in range(30):
            data = altered(rng, base)
            program = in_python(data)
            if program is None or work_of(program) > WORK_MAX:
                continue
            done += 1
            x = one_sample(rng, program)
            counts = np.zeros(1 + len(program.layers), np.int64)
            sets = native.kernel_sets()
            loaded = engine is not None and status_in_hls(engine, data) == "ok"
            if x.dtype == np.uint8 and program.header["byte_scale"] == 0:
                with pytest.raises(ProgramError, match="takes no bytes"):
                    run_program(program, x)
                assert {run_in_c(data, program, x, s)[0] for s in sets} == {STATUS["no_bytes"]}
                assert not loaded or run_in_hls(engine, program, x)[0] == "no_bytes"
                continue
            words = run_program(program, x, counts)
            y = dequantize(words, program.header["output_exponent"])
            for kernels in sets:
                found = run_in_c(data, program, x, kernels)
                np.testing.assert_array_equal(found[1], y, err_msg=kernels)
                np.testing.assert_array_equal(found[2], counts, err_msg=kernels)
            if loaded:
                status, found, found_counts = run_in_hls(engine, program, x)
                assert status == "ok"
                np.testing.assert_array_equal(found, words)
                np.testing.assert_array_equal(found_counts, counts)
    assert done > 150
