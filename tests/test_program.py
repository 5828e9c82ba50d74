"""The program: its bytes, what loaders refuse, allocation of memory, and the limits of engines."""

import zlib
from dataclasses import replace

import driver
import examples
import numpy as np
import pytest
from fuzzing import times
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import KINDS, random_input, random_layers, random_network
from program_words import field_word, instruction_starts

from pynq_circnn import CompileError, ProgramError
from pynq_circnn import layers as L
from pynq_circnn.backends import csim, native, reference
from pynq_circnn.contract import (
    CONFIGURATIONS,
    DESCRIPTOR,
    HEADER,
    HEADER_WORDS,
    OPCODES,
    OPERATIONS,
    RECORD_WORDS,
    STATUS,
)
from pynq_circnn.network.graph import infer_shapes
from pynq_circnn.program.allocator import allocate
from pynq_circnn.program.arrangement import in_lane_order, in_natural_order, share_log2
from pynq_circnn.program.compiler import compile_program
from pynq_circnn.program.program import Program

NETWORK = examples.model().network
PROGRAM = compile_program(NETWORK)
DATA = PROGRAM.to_bytes()
OPS = {value: name for name, value in OPCODES.items()}


def sealed(data):
    """The bytes with a checksum and length that are right."""
    words = np.frombuffer(data, "<u4", HEADER_WORDS).copy()
    words[HEADER["bytes"].index], words[HEADER["checksum"].index] = len(data), 0
    rest = data[4 * HEADER_WORDS :]
    words[HEADER["checksum"].index] = zlib.crc32(words.tobytes() + rest)
    return words.tobytes() + rest


def with_word(index, value, data=DATA):
    """The program with another 32-bit word, and a checksum that is right."""
    changed = bytearray(data)
    changed[4 * index : 4 * index + 4] = (value % 2**32).to_bytes(4, "little")
    return sealed(bytes(changed))


def status_in_c(data):
    """The status, by name, of the native loader, and the layer at fault."""
    ffi, lib = native.ffi, native.lib
    handle, layer = ffi.new("circnn_plan **"), ffi.new("int32_t *")
    choice = (ffi.NULL,) if len(ffi.typeof(lib.circnn_plan_create).args) == 5 else ()  # of kernels
    status = lib.circnn_plan_create(data, len(data), *choice, handle, layer)
    assert (handle[0] == ffi.NULL) == bool(status)
    lib.circnn_plan_destroy(handle[0])
    return {value: name for name, value in STATUS.items()}[status], layer[0]


def descriptor_word(layer, name):
    return field_word(DATA, layer, name)


def layer_of(op):
    return next(i for i, fields in enumerate(PROGRAM.layers) if OPS[fields["opcode"]] == op)


# -- bytes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("configuration", CONFIGURATIONS)
def test_round_trip(configuration):
    program = compile_program(NETWORK, configuration)
    again = Program.from_bytes(program.to_bytes())
    assert again.to_bytes() == program.to_bytes()
    assert again.configuration == configuration
    assert {k: again.header[k] for k in program.header} == program.header
    for fields, expected in zip(again.layers, program.layers):
        assert {name: value for name, value in fields.items() if value} == {
            name: value for name, value in expected.items() if value
        }
    for section in ("weights", "scales", "biases"):
        np.testing.assert_array_equal(getattr(again, section), getattr(program, section))


def test_round_trip_of_an_empty_program():
    program = compile_program(examples.quantized((L.Input("x", (), (5,)),)))
    assert Program.from_bytes(program.to_bytes()).layers == ()
    assert status_in_c(program.to_bytes()) == ("ok", -1)


def test_native_runs_what_was_read_back():
    x = examples.images(5)
    plan = native.Plan(NETWORK, Program.from_bytes(DATA))
    np.testing.assert_array_equal(plan.run(x), examples.model().plan("reference").run(x))


# -- what is refused ----------------------------------------------------------------------------


def both_refuse(data, status, message=""):
    with pytest.raises(ProgramError) as error:
        Program.from_bytes(data)
    assert message in str(error.value)
    assert status_in_c(data)[0] == status


@pytest.mark.parametrize(
    "data, status, message",
    [
        (b"", "bad_length", "at least 128 bytes"),
        (DATA[:100], "bad_length", "at least 128 bytes"),
        (DATA[:-8], "bad_length", "bytes of a program must be"),
        (DATA + bytes(8), "bad_length", "bytes of a program must be"),
        (with_word(HEADER["magic"].index, 0), "bad_header", "magic of a program must be 827212611"),
        (with_word(HEADER["version"].index, 1), "bad_header", "version of a program must be 2"),
        (with_word(HEADER["version"].index, 3), "bad_header", "Compile the network again"),
        (DATA[:200] + bytes([DATA[200] ^ 1]) + DATA[201:], "bad_checksum", "checksum of"),
        (DATA[:-1] + bytes([DATA[-1] ^ 1]), "bad_checksum", "compile it again"),
        (sealed(DATA[:-8]), "bad_length", "biases"),
        (sealed(DATA + bytes(8)), "bad_length", "the sections must fill"),
        (with_word(HEADER["layers"].index, 4096), "bad_length", "must lie within"),
        (with_word(HEADER["weights_words"].index, 2**30), "bad_length", "weights must lie within"),
        (with_word(HEADER_WORDS - 1, 1), "bad_field", "words after the fields must be zero"),
    ],
)
def test_damaged_programs_are_refused(data, status, message):
    both_refuse(data, status, message)


DERIVED = {"magic", "version", "bytes", "checksum", "configuration"}


@pytest.mark.parametrize("name", [name for name in HEADER if name not in DERIVED])
def test_header_fields_beyond_their_range_are_refused(name):
    field = HEADER[name]
    for value in {field.min - 1, field.max + 1, 2**32 - 1 if field.min >= 0 else -(2**31)}:
        both_refuse(with_word(field.index, value), "bad_field", f"{name} of a program must lie in")


def layers_with(name):
    return [i for i, x in enumerate(PROGRAM.layers) if name in OPERATIONS[x["opcode"]].fields]


@pytest.mark.parametrize("name", DESCRIPTOR)
def test_fields_beyond_their_range_are_refused(name):
    field, layers = DESCRIPTOR[name], layers_with(name)
    for value in {field.min - 1, field.max + 1, 2**31}:
        for layer in {layers[0], layers[-1]}:
            data = with_word(descriptor_word(layer, name), value)
            both_refuse(data, "bad_field", f"{name} of a program must lie in")
            assert status_in_c(data)[1] == layer


MEMORY = PROGRAM.header["activation_words"]
CONV, ADD = layer_of("matrix"), layer_of("add")


@pytest.mark.parametrize(
    "op, name, value, status",
    [
        (None, "input_address", MEMORY, "bad_address"),
        (None, "output_address", MEMORY - 2, "bad_address"),
        (None, "activation_words", 1, "bad_address"),
        ("matrix", "input_address", MEMORY, "bad_address"),
        ("matrix", "output_address", MEMORY - 1, "bad_address"),
        ("matrix", "output_address", PROGRAM.layers[CONV]["input_address"], "bad_address"),
        ("add", "second_address", PROGRAM.layers[ADD]["output_address"], "bad_address"),
        ("add", "second_address", MEMORY - 1, "bad_address"),
        ("matrix", "in_channels", 2**26, "bad_address"),
        ("matrix", "kernel_height", 0, "bad_field"),
        ("matrix", "kernel_height", 65535, "bad_field"),
        ("matrix", "stride_width", 0, "bad_field"),
        ("matrix", "block_log2", 1, "bad_field"),
        ("matrix", "block_rows", 2, "bad_field"),
        ("matrix", "block_columns", 2, "bad_field"),
        ("matrix", "forward_shifts", 4, "bad_field"),
        ("matrix", "inverse_shifts", 128, "bad_field"),
        ("matrix", "weights_offset", PROGRAM.weights.size - 35, "bad_field"),
        ("matrix", "scales_offset", PROGRAM.scales.size - 3, "bad_field"),
        ("matrix", "biases_offset", PROGRAM.biases.size - 3, "bad_field"),
        ("scale_bias", "scales_offset", PROGRAM.scales.size - 3, "bad_field"),
        ("scale_bias", "biases_offset", PROGRAM.biases.size - 3, "bad_field"),
        ("scale_bias", "out_width", 1, "bad_field"),
        ("add", "out_width", 1, "bad_field"),
        ("max_pool", "kernel_width", 0, "bad_field"),
        ("max_pool", "stride_height", 65535, "bad_field"),
        ("max_pool", "pad_top", 2, "bad_field"),
        ("max_pool", "out_channels", 1, "bad_field"),
        ("average_pool", "stride_height", 0, "bad_field"),
        ("average_pool", "pad_left", 2, "bad_field"),
        ("average_pool", "kernel_height", 4096, "bad_field"),
        ("average_pool", "scales_offset", PROGRAM.scales.size - 3, "bad_field"),
        ("pad", "pad_top", 2, "bad_field"),
        ("pad", "pad_left", 65535, "bad_field"),
        ("pad", "out_channels", 1, "bad_field"),
    ],
)
def test_contradictions_are_refused(op, name, value, status):
    index = HEADER[name].index if op is None else descriptor_word(layer_of(op), name)
    data = with_word(index, value)
    assert status_in_c(data) == (status, -1 if op is None else layer_of(op))
    with pytest.raises(ProgramError, match="Compile the network again"):
        Program.from_bytes(data)


@pytest.mark.parametrize("layer", range(len(PROGRAM.layers)))
def test_a_payload_has_the_length_of_its_opcode(layer):
    """Whatever else of the program is right: all that follows moves with it."""
    start, end = instruction_starts(DATA)[layer : layer + 2]
    for data, message in (
        (DATA[: 4 * end - 8] + DATA[4 * end :], "payload_words"),
        (DATA[: 4 * end] + bytes(8) + DATA[4 * end :], "payload_words"),
    ):
        change = (len(data) - len(DATA)) // 4
        total = PROGRAM_WORDS + change
        data = with_word(HEADER["instruction_words"].index, total, data)
        length = end - start - RECORD_WORDS
        both_refuse(with_word(start + 1, length + change, data), "bad_field", message)
        if layer < len(PROGRAM.layers) - 1:  # what follows is read as the next record
            with pytest.raises(ProgramError):
                Program.from_bytes(data)
            assert status_in_c(data)[0] in ("bad_field", "bad_length")
        else:
            both_refuse(data, "bad_length", "instruction")


PROGRAM_WORDS = instruction_starts(DATA)[-1] - HEADER_WORDS


@pytest.mark.parametrize("change", [-2, 2, 8, -PROGRAM_WORDS])
def test_instructions_have_the_length_of_the_header(change):
    """The sections take what the instructions lose, or the other way round."""
    data = with_word(HEADER["instruction_words"].index, PROGRAM_WORDS + change)
    size = HEADER["weights_words"].index
    data = with_word(size, PROGRAM.weights.size - 2 * change, data)
    both_refuse(data, "bad_field" if change > 0 else "bad_length")  # too few weights come first


def test_padding_of_a_payload_is_zero():
    layer = layer_of("add")
    end = instruction_starts(DATA)[layer + 1]
    assert OPERATIONS[OPCODES["add"]].payload_words == len(OPERATIONS[OPCODES["add"]].payload) + 1
    both_refuse(with_word(end - 1, 1), "bad_field", "words after the fields must be zero")


def test_unknown_opcodes_are_refused():
    for opcode in (0, max(OPCODES.values()) + 1, 32, 2**32 - 1):
        both_refuse(with_word(descriptor_word(0, "opcode"), opcode), "bad_field", "opcode")
    layer = {**PROGRAM.layers[layer_of("max_pool")], "weights_offset": 8}
    with pytest.raises(ProgramError, match=r"only the fields of its opcode. Received: weights_off"):
        replace(PROGRAM, layers=(layer,)).to_bytes()


def test_tensors_are_limited_whatever_the_memory():
    data = with_word(HEADER["activation_words"].index, 2**31 - 1)
    assert status_in_c(data) == ("ok", -1)
    names = ("in_height", "in_width", "out_height", "out_width")
    for name in names:
        data = with_word(descriptor_word(layer_of("scale_bias"), name), 60000, data)
    both_refuse(data, "bad_address", "must have at most 67108864 words")


@pytest.mark.parametrize("layer", [*range(len(PROGRAM.layers)), None])
def test_parts_of_tensors_are_not_read(layer):
    """Native keeps the samples of a tile apart by tensor, so a part of one would be other words."""
    name = "output_address" if layer is None else "input_address"
    index = HEADER[name].index if layer is None else descriptor_word(layer, name)
    address = (PROGRAM.header if layer is None else PROGRAM.layers[layer])[name]
    for other in (address + 8, max(address - 8, 0)):
        if other != address:
            data = with_word(index, other)
            assert status_in_c(data) == ("bad_address", -1 if layer is None else layer)
            with pytest.raises(ProgramError, match=r"whole tensor|must lie within|write over"):
                Program.from_bytes(data)


def test_both_alignments_at_once_are_refused():
    data = with_word(descriptor_word(ADD, "first_align"), 1)
    assert status_in_c(with_word(descriptor_word(ADD, "second_align"), 1, data)) == (
        "bad_field",
        ADD,
    )


@pytest.mark.parametrize(
    "section, word",
    [("weights", -32768), ("scales", -32768), ("biases", 2**30 + 1), ("biases", -(2**30) - 1)],
)
def test_words_beyond_the_arithmetic_are_refused(section, word):
    array = getattr(PROGRAM, section).copy()
    array[-1] = word
    sections = {"weights": PROGRAM.weights, "scales": PROGRAM.scales, "biases": PROGRAM.biases}
    program = Program("host", PROGRAM.header, PROGRAM.layers, **{**sections, section: array})
    both_refuse(program.to_bytes(), "bad_field", f"{section} of a program must lie in -")


def test_native_says_what_is_wrong():
    layers = list(PROGRAM.layers)
    layers[2] = {**layers[2], "output_address": layers[2]["input_address"]}
    program = Program(
        "host", PROGRAM.header, tuple(layers), PROGRAM.weights, PROGRAM.scales, PROGRAM.biases
    )
    with pytest.raises(ProgramError, match="Received: bad_address in layer 2"):
        native.Plan(NETWORK, program)


@pytest.mark.parametrize("module", [native, reference, csim])
@pytest.mark.parametrize(("name", "value"), [
    ("input_words", 29), ("output_words", 4), ("input_exponent", 0), ("output_exponent", 0),
    ("byte_scale", 0), ("layers", len(PROGRAM.layers) - 1),
])  # fmt: skip
def test_a_program_of_another_network_is_refused(module, name, value):
    program = compile_program(NETWORK, "tiny" if module is csim else "host")
    layers = program.layers[: value if name == "layers" else None]
    header = {**program.header, **({} if name == "layers" else {name: value})}
    other = replace(program, header=header, layers=layers)
    with pytest.raises(ProgramError, match="must be one of the network, with"):
        module.Plan(NETWORK, other)


@pytest.mark.parametrize("program", [None, PROGRAM])
def test_the_host_is_no_engine(program):
    with pytest.raises(ValueError, match="must be one of z2, zcu104, tiny: an engine"):
        csim.Plan(NETWORK, program, configuration="host")


def test_unknown_configurations_are_refused():
    with pytest.raises(
        ProgramError, match="configuration of the program must be known to this package"
    ):
        Program.from_bytes(with_word(HEADER["configuration"].index, 1))
    with pytest.raises(ValueError, match="must be one of host, z2"):
        compile_program(NETWORK, "z7")


# -- the order of the weights --------------------------------------------------------------------


def reversed_slot(slot, bits):
    return int(f"{slot:0{bits}b}"[::-1], 2) if bits > 0 else slot


@pytest.mark.parametrize("row_words", [16, 64, 128])
@pytest.mark.parametrize("block_log2", range(9))
def test_weights_in_the_order_of_the_lanes(row_words, block_log2):
    """Word by word, by the formula of the page; what belongs to no block is zero."""
    k, rng = 1 << block_log2, np.random.default_rng(block_log2)
    for rows in (1, 2, 3, 5, 12):
        terms = int(rng.integers(1, 5))
        blocks = rng.integers(1, 100, (rows, terms, k)).astype(np.int16)
        log2 = share_log2(k, rows, terms, 1, row_words)
        words = in_lane_order(blocks, log2)
        share = 1 << log2
        side, chunks = max(share // k, 1), max(k // share, 1)
        assert 8 <= share <= row_words
        total = 0
        for block, term, word in np.ndindex(rows, terms, k):
            slot = reversed_slot(word // 2, block_log2 - 1)
            at = word if k < 4 else 2 * slot + word % 2
            row = (block // side * chunks + at // share) * terms + term
            position = block % side * k + at % share
            assert words[row * share + position] == blocks[block, term, word]
            total += int(blocks[block, term, word])
        assert words.sum() == total and words.size == -(-rows // side) * chunks * terms * share
        fields = {"block_log2": block_log2, "block_rows": rows, "block_columns": terms}
        fields.update(kernel_height=1, kernel_width=1, share_log2=log2, out_channels=rows * k)
        np.testing.assert_array_equal(in_natural_order(fields, words), blocks.ravel())
        matrix = OPERATIONS[OPCODES["matrix"]]
        assert matrix.section_words(fields)["weights"] == words.size
        assert matrix.section_words({**fields, "share_log2": 0})["weights"] == blocks.size


# -- allocation of activation memory ------------------------------------------------------------


def places_in_use(layers, shapes):
    """Yield, for each layer, the tensors that must be intact while it runs."""
    source = {}
    for layer in layers:
        shares = isinstance(layer, (L.Reshape, L.Softmax))
        source[layer.name] = source[layer.inputs[0]] if shares else layer.name
    readers = {}
    for position, layer in enumerate(layers):
        for name in layer.inputs:
            readers.setdefault(source[name], []).append(position)
    readers.setdefault(source[layers[-1].name], []).append(len(layers))
    written = [
        (position, layer.name)
        for position, layer in enumerate(layers)
        if source[layer.name] == layer.name
    ]
    for position, _ in enumerate(layers):
        yield [
            name for begin, name in written if begin <= position <= max(readers.get(name, [begin]))
        ]


@pytest.mark.fuzz
@settings(max_examples=times(150), deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=12)
)
def test_live_tensors_never_overlap(seed, kinds):
    layers = random_layers(np.random.default_rng(seed), kinds)
    try:
        shapes = infer_shapes(layers)
    except ValueError:
        return  # an output that nobody reads
    addresses, needed = allocate(tuple(layers), shapes)
    for names in places_in_use(layers, shapes):
        memory = np.zeros(needed, dtype=int)
        for name in names:
            size = L.size_of(shapes[name])
            assert 0 <= addresses[name] and addresses[name] + size <= needed
            assert addresses[name] % 8 == 0
            memory[addresses[name] : addresses[name] + size] += 1
        assert memory.max() <= 1, names


def test_a_chain_needs_two_places():
    layers = [L.Input("x", (), (80,))]
    for i in range(10):
        layers.append(L.ScaleBias(f"s{i}", (layers[-1].name,)))
    assert allocate(tuple(layers), infer_shapes(layers))[1] == 160


# -- limits of an engine ------------------------------------------------------------------------


def chain(count):
    layers = [L.Input("x", (), (500,))]
    for i in range(count):
        layers.append(L.ScaleBias(f"s{i}", (layers[-1].name,)))
    return examples.quantized(layers, samples=2)


def test_what_does_not_fit_is_said_with_figures():
    limit = CONFIGURATIONS["tiny"]["layers"]
    with pytest.raises(CompileError, match=rf"layers: {limit + 3} of {limit} \(3 too many\)"):
        compile_program(chain(limit + 3), "tiny")
    wide = examples.quantized([L.Input("x", (), (3000,)), L.ScaleBias("y", ("x",))], samples=2)
    limit = CONFIGURATIONS["tiny"]["activation_words"]
    with pytest.raises(CompileError, match=rf"6000 of {limit} \({6000 - limit} too many\)"):
        compile_program(wide, "tiny")
    assert compile_program(wide, "host").header["activation_words"] == 6000


@pytest.mark.parametrize("configuration", [name for name in CONFIGURATIONS if name != "host"])
def test_weights_just_fit_or_are_too_many(configuration):
    limit = CONFIGURATIONS[configuration]["weights_words"]
    exact = [L.Input("x", (), (256,)), L.Dense("y", ("x",), units=limit // 256)]
    assert (
        compile_program(examples.quantized(exact, samples=2), configuration).weights.size == limit
    )
    above = [exact[0], L.Dense("y", ("x",), units=2 * limit // 256)]
    with pytest.raises(CompileError, match=f"{2 * limit}.* {limit} too many"):
        compile_program(examples.quantized(above, samples=2), configuration)


# -- fuzzing the loader -------------------------------------------------------------------------


def interesting(rng, word):
    choices = [
        0,
        1,
        2,
        3,
        7,
        8,
        255,
        256,
        4095,
        65535,
        65536,
        2**26,
        2**31 - 1,
        2**31,
        2**32 - 1,
        word + 1,
        word - 1,
        2 * word,
        word // 2,
        word ^ 1 << int(rng.integers(0, 32)),
    ]
    return int(choices[int(rng.integers(len(choices)))]) % 2**32


def mutated(rng, data):
    """One to four words of header, descriptors or sections changed; length and checksum right."""
    changed = bytearray(data)
    words = len(data) // 4
    skipped = {HEADER[name].index for name in DERIVED}
    for _ in range(int(rng.integers(1, 5))):
        top = instruction_starts(data)[-1] if rng.random() < 0.9 else words
        at = int(rng.integers(top))
        if at not in skipped:
            word = int.from_bytes(changed[4 * at : 4 * at + 4], "little")
            changed[4 * at : 4 * at + 4] = interesting(rng, word).to_bytes(4, "little")
    return sealed(bytes(changed))


@pytest.mark.fuzz
@pytest.mark.parametrize("turn", range(times(1)))
@pytest.mark.skipif(not driver.compiler(), reason="no compiler with sanitizers here")
def test_mutated_programs_never_leave_their_memory(tmp_path, turn):
    path, rng, records = driver.build(), np.random.default_rng(turn), []
    for seed in range(60 * turn, 60 * turn + 60):
        own = np.random.default_rng(seed)
        kinds = own.choice(KINDS, 5).tolist()
        network = random_network(own, kinds, shape=tuple(own.integers(1, 7, 3).tolist()))
        if network is None:
            continue
        data = compile_program(network).to_bytes()
        x = random_input(own, network, 2)
        records += [driver.record(mutated(rng, data), x, 1) for _ in range(60)]
    statuses = [status for status, _, _ in driver.run(path, str(tmp_path), records)]
    names = {value: name for name, value in STATUS.items()}
    seen = {names.get(status, "not run"): statuses.count(status) for status in set(statuses)}
    assert set(seen) <= {"ok", "not run", "bad_field", "bad_address", "bad_length", "no_memory"}
    assert min(seen[name] for name in ("ok", "bad_field", "bad_address")) > 100, seen
