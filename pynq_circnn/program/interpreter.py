"""Execution of a program in Python, instruction by instruction.

The results are the same bits as those of the network that it was compiled from
(:mod:`pynq_circnn.network.integers`), but they follow from the program alone: its addresses,
shifts, windows and sections.
"""

from typing import Mapping, Optional

import numpy as np

from ..arithmetic.fixed import Counter, check_finite, quantize_bytes, quantize_input
from ..errors import ProgramError
from ..layers.instruction import Instruction, execute
from .arrangement import in_natural_order
from .program import Program


def run_program(
    program: Program, x: np.ndarray, saturations: Optional[np.ndarray] = None
) -> np.ndarray:
    """Return the output words of a batch.

    Parameters
    ----------
    program : Program
    x : array of shape (n, input words)
        ``float32`` values, or unscaled ``uint8`` if the program takes bytes.
    saturations : int64 array of 1 + layers elements, optional
        The number of words that were limited at the input and by each instruction is added to it.

    Returns
    -------
    int64 array of shape (n, output words)

    Raises
    ------
    NotFiniteError
        If `x` holds NaN or infinity.
    ProgramError
        If `x` are bytes and the program takes none.
    """
    header = program.header
    # the activation memory of every sample; words are written before they are read
    memory = np.zeros((len(x), header["activation_words"]), dtype=np.int64)
    sections = {"weights": program.weights, "scales": program.scales, "biases": program.biases}
    counter = Counter()
    words = _input_words(program, x, counter)
    memory[:, header["input_address"] :][:, : words.shape[1]] = words
    counts = [counter.count]
    for fields in program.layers:
        instruction = _instruction(fields, sections)
        counter = Counter()
        shapes = instruction.operand_shapes()
        addresses = (instruction["input_address"], instruction["second_address"])
        operands = [
            memory[:, address : address + int(np.prod(shape))].reshape((len(x), *shape))
            for address, shape in zip(addresses, shapes)
        ]
        out = execute(instruction, counter, *operands).reshape(len(x), -1)
        begin = instruction["output_address"]
        memory[:, begin : begin + out.shape[1]] = out
        counts.append(counter.count)
    if saturations is not None:
        saturations += counts
    begin = header["output_address"]
    return memory[:, begin : begin + header["output_words"]]


def _instruction(fields: Mapping[str, int], sections: Mapping[str, np.ndarray]) -> Instruction:
    """Return an instruction, with its weights in natural order."""
    instruction = Instruction(fields, sections)
    if instruction["share_log2"] == 0:
        return instruction
    weights = in_natural_order(fields, instruction.section("weights"))
    own = {**fields, "weights_offset": 0, "share_log2": 0}
    return Instruction(own, {**sections, "weights": weights})


def _input_words(program: Program, x: np.ndarray, counter: Counter) -> np.ndarray:
    header = program.header
    if x.dtype == np.uint8:
        rule = (
            header.get("byte_scale", 0),
            header.get("byte_bias", 0),
            header.get("byte_shift", 0),
        )
        if rule[0] == 0:
            raise ProgramError(
                "x must be float32 for this program, which takes no bytes. Received: uint8."
            )
        return quantize_bytes(x, rule, counter.saturate)
    check_finite(x)
    return quantize_input(x, header["input_exponent"], counter.saturate)
