"""One trip of a pipelined loop as a netlist of gates: LLVM IR to Verilog, for Yosys to count.

At an interval of one, a pipelined loop is its body as hardware, cut into stages by registers. So the
body's logic without the registers is what has to be placed: this writes it as one combinational
module. States and what memories and channels give are inputs; states, addresses, data and commands
are outputs. Arrays in registers are bytes that the trip reads and writes. Yosys then maps it to LUT6,
CARRY4 and DSP48E1 of the 7 series.

It shares nothing that the source does not share, and knows neither stages nor placement.
"""  # noqa: E501

import re
from typing import Any, Callable, Dict, FrozenSet, List, NamedTuple, Optional, Sequence, Set, Tuple

import ir
import sources


class Pointer(NamedTuple):
    """An address: what it begins at, bytes after it, and indices with their steps and extents."""

    base: str
    offset: int
    indices: Tuple[Tuple[str, int, int], ...]


class Netlist:
    """The body of a loop, or of a function without loops, in Verilog.

    Parameters
    ----------
    code : dict
        Basic blocks by name, in any order.
    entry : str
        Where the body begins: a loop's header, whose phis are states.
    types : dict of str to str
        Structures that the module names.
    constants : dict of str to bytes
        Tables.
    needed, signed_bits : callable, optional
        Give how many of a value's low bits are needed, since the others repeat the sign or nothing
        looks at them, and from how many on they repeat the sign. A vendor's tool works that out;
        Yosys finds only some.
    """

    def __init__(self, code: Dict[str, List[str]], entry: str, types: Dict[str, str],
                 constants: Dict[str, bytes],
                 needed: Callable[[str, int], int] = lambda name, bits: bits,
                 signed_bits: Callable[[str, int], int] = lambda name, bits: bits,
                 ) -> None:  # fmt: skip
        self.needed, self.signed_bits = needed, signed_bits
        self.code, self.entry, self.types, self.constants = code, entry, types, constants
        self.lines: List[str] = []
        self.ports: List[str] = []
        self.kinds: Dict[str, int] = {}  # bits of a value
        self.pointers: Dict[str, Pointer] = {}
        self.memory: Dict[Tuple[str, int], str] = {}  # a byte of an array in registers
        self.fields: Dict[Tuple[str, int, int], str] = {}
        self.allocated: Dict[str, int] = {}
        self.count = 0
        self.table_lut = 0  # of large tables, which stay outside: a LUT for 64 entries of a bit

    # -- wires ----------------------------------------------------------------------------------

    def wire(self, bits: int, expression: str) -> str:
        """Return a new wire of an expression."""
        self.count += 1
        name = f"w{self.count}"
        self.lines.append(f"wire [{bits - 1}:0] {name} = {expression};")
        return name

    def narrowed(self, name: str, bits: int, operation: str, *operands: str) -> str:
        """Return a new wire of an operation on as many bits as its result needs, signed."""
        few = max(1, min(bits, self.needed(name, bits)))
        parts = [self._part(operand, few) for operand in operands]
        result = self.wire(few, operation.format(*parts))
        if few == bits:
            return result
        return self.wire(bits, f"{{{{{bits - few}{{{result}[{few - 1}]}}}}, {result}}}")

    def _part(self, operand: str, bits: int) -> str:
        if constant := re.match(r"(\d+)'d(\d+)$", operand):
            return f"{bits}'d{int(constant[2]) & ((1 << bits) - 1)}"
        return f"{operand}[{bits - 1}:0]"

    def input(self, bits: int) -> str:
        """Return a new input."""
        self.count += 1
        self.ports.append(f"input [{bits - 1}:0] i{self.count}")
        return f"i{self.count}"

    def output(self, bits: int, expression: str) -> None:
        """Make an output of an expression, unless it is a constant or an input."""
        if re.fullmatch(r"i\d+|\d+'d\d+|i\d+\[\d+:\d+\]", expression):
            return
        self.count += 1
        self.ports.append(f"output [{bits - 1}:0] o{self.count}")
        self.lines.append(f"assign o{self.count} = {expression};")

    def value(self, name: str, bits: int) -> str:
        """Return an operand in Verilog."""
        if re.fullmatch(r"-?\d+", name):
            return f"{bits}'d{int(name) & ((1 << bits) - 1)}"
        if name in ("true", "false"):
            return f"1'd{int(name == 'true')}"
        if name in ("undef", "poison", "zeroinitializer", "null"):
            return f"{bits}'d0"
        if name not in self.names:
            self.names[name] = self.input(bits)
            self.kinds[name] = bits
        return self.names[name]

    # -- types ----------------------------------------------------------------------------------

    def size(self, kind: str) -> Tuple[int, int]:
        """Return bytes and alignment of a type."""
        if match := re.match(r"\[(\d+) x (.*)\]$", kind):
            size, align = self.size(match[2])
            return int(match[1]) * size, align
        if match := re.match(r"i(\d+)$", kind):
            size = max(1, -(-int(match[1]) // 8))
            return size, min(size, 8)
        if kind == "ptr":
            return 8, 8
        size, most = 0, 1
        for field in self.members(kind):
            inner, align = self.size(field)
            size, most = -(-size // align) * align + inner, max(most, align)
        return -(-size // most) * most, most

    def members(self, kind: str) -> List[str]:
        """Return the types of a structure's fields."""
        text = self.types.get(kind, kind).strip()
        return sources.split(text.strip("<{} ")) if text.startswith(("{", "<{")) else []

    def address(self, text: str) -> Optional[Pointer]:
        """Return the pointer that a getelementptr computes."""
        match = re.match(r"getelementptr (?:inbounds )?(.+?), ptr (\S+?), (.*)$", text)
        if match is None:
            return None
        kind, base = match[1], match[2]
        at = self.pointer(base)
        offset, indices = at.offset, list(at.indices)
        parts = [part.split() for part in match[3].split(", ")]
        step = self.size(kind)[0]
        for level, (index_kind, position) in enumerate((p[-2], p[-1]) for p in parts):
            extent = 0
            if level:
                inner = re.match(r"\[(\d+) x (.*)\]$", kind)
                if inner:
                    kind, extent = inner[2], int(inner[1])
                    step = self.size(kind)[0]
                else:
                    place = 0
                    for field in self.members(kind)[: int(position) + 1]:
                        size, align = self.size(field)
                        place = -(-place // align) * align
                        last, kind_of_field = place, field
                        place += size
                    offset, kind = offset + last, kind_of_field
                    continue
            if re.fullmatch(r"-?\d+", position):
                offset += int(position) * step
            else:
                bits = int(index_kind[1:])
                indices.append((self.value(position, bits), step, extent))
        return Pointer(at.base, offset, tuple(indices))

    def pointer(self, name: str) -> Pointer:
        """Return what a pointer is known to be."""
        return self.pointers.get(name, Pointer(name, 0, ()))

    # -- the body -------------------------------------------------------------------------------

    def verilog(self) -> str:
        """Return the module."""
        self.names: Dict[str, str] = {}
        order = self._order()
        edges: Dict[Tuple[str, str], str] = {}
        reached = {self.entry: "1'd1"}
        for name in order:
            if name not in reached:
                into = [edges[key] for key in edges if key[1] == name]
                joined = ir._joined(name, order, self.code, reached)
                reached[name] = joined or self.wire(1, " | ".join(into) or "1'd0")
            for line in self.code[name]:
                plain = re.sub(r", !\w[\w.]* !\d+", "", line)
                left, _, text = (
                    plain.partition(" = ") if re.match(r"%\S+ = ", plain) else ("", "", plain)
                )
                if left and text.startswith("phi "):
                    self._phi(left, text, name, edges)
                else:
                    self._instruction(left, text, reached[name])
            self._leave(name, reached[name], edges, order)
        self._states()
        ports = ",\n  ".join(self.ports)
        body = "\n".join("  " + line for line in self.lines)
        return f"module trip(\n  {ports}\n);\n{body}\nendmodule\n"

    def _order(self) -> List[str]:
        after = {name: [s for s in ir.successors(lines) if s in self.code and s != self.entry]
                 for name, lines in self.code.items()}  # fmt: skip
        done: List[str] = []
        state: Dict[str, int] = {}

        def visit(name: str) -> None:
            if state.get(name) == 1:
                raise ir.IrError("a pipelined loop must have no loop in it")
            if name not in state:
                state[name] = 1
                for other in after[name]:
                    visit(other)
                state[name] = 2
                done.append(name)

        visit(self.entry)
        return done[::-1]

    def _phi(self, left: str, text: str, block: str, edges: Dict[Tuple[str, str], str]) -> None:
        kind = re.match(r"phi (?:[a-z]+ )*?(\S+) \[", text)[1]  # type: ignore[index]
        pairs = re.findall(r"\[ (.+?), %(\"?[-\w.$]+\"?) \]", text)
        if not kind.startswith("i"):
            return
        bits = int(kind[1:])
        if block == self.entry:
            self.names[left] = self.input(bits)
            self.next = getattr(self, "next", [])
            self.next += [(value, bits) for value, source in pairs if source in self.code]
            return
        value = self.value(pairs[-1][0], bits)
        for other, source in reversed(pairs[:-1]):
            value = self.wire(bits, f"{edges.get((source, block), chr(49) + chr(39) + 'd0')} ? "
                                    f"{self.value(other, bits)} : {value}")  # fmt: skip
        self.names[left] = value

    def _states(self) -> None:
        for value, bits in getattr(self, "next", []):
            self.output(bits, self.value(value, bits))
        for (base, _), wire in self.memory.items():
            if base in self.allocated:
                self.output(8, wire)

    def _leave(self, name: str, reached: str, edges: Dict[Tuple[str, str], str],
               order: Sequence[str]) -> None:  # fmt: skip
        last = re.sub(r", !\w[\w.]* !\d+", "", self.code[name][-1])

        def edge(target: str, condition: str) -> None:
            if target in self.code and target != self.entry:
                key = (name, target)
                old = edges.get(key)
                edges[key] = condition if old is None else self.wire(1, f"{old} | {condition}")
            else:
                self.output(1, condition)

        if last.startswith("br i1 "):
            condition = self.value(re.match(r"br i1 (\S+),", last)[1], 1)  # type: ignore[index]
            yes, no = re.findall(ir.LABEL, last)[:2]
            edge(yes, self.wire(1, f"{reached} & {condition}"))
            edge(no, self.wire(1, f"{reached} & ~{condition}"))
        elif last.startswith("br "):
            edge(re.findall(ir.LABEL, last)[0], reached)
        elif last.startswith("switch "):
            kind, value = re.match(r"switch i(\d+) (\S+),", last).groups()  # type: ignore[union-attr]
            tested = self.value(value, int(kind))
            rest = reached
            for constant, target in re.findall(rf"i{kind} (-?\w+), {ir.LABEL}", last):
                equal = self.wire(1, f"{tested} == {self.value(constant, int(kind))}")
                edge(target, self.wire(1, f"{reached} & {equal}"))
                rest = self.wire(1, f"{rest} & ~{equal}")
            edge(re.findall(ir.LABEL, last)[0], rest)
        elif last.startswith("ret i"):
            kind, value = last.split()[1:3]
            self.output(int(kind[1:]), self.value(value, int(kind[1:])))

    _SIGNS = {"add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|", "xor": "^", "shl": "<<",
              "lshr": ">>", "udiv": "/", "urem": "%"}  # fmt: skip
    _TESTS = {"eq": "==", "ne": "!=", "ult": "<", "ule": "<=", "ugt": ">", "uge": ">=", "slt": "<",
              "sle": "<=", "sgt": ">", "sge": ">="}  # fmt: skip

    def _instruction(self, left: str, text: str, reached: str) -> None:
        two = re.match(r"(\w+)(?: nuw| nsw| exact| disjoint)* i(\d+) (\S+), (\S+)$", text)
        if left and two and (two[1] in self._SIGNS or two[1] in ("ashr", "sdiv", "srem")):
            bits = int(two[2])
            a, b = self.value(two[3], bits), self.value(two[4], bits)
            if two[1] == "mul":
                self.names[left] = self.wire(bits, self._product(two[3], two[4], a, b, bits))
            elif two[1] in ("ashr", "sdiv", "srem"):
                sign = {"ashr": ">>>", "sdiv": "/", "srem": "%"}[two[1]]
                other = b if two[1] == "ashr" else f"$signed({b})"
                self.names[left] = self.wire(bits, f"$signed({a}) {sign} {other}")
            elif two[1] in ("add", "sub", "and", "or", "xor") and bits > 1:
                sign = self._SIGNS[two[1]]
                self.names[left] = self.narrowed(left, bits, f"{{}} {sign} {{}}", a, b)
            else:
                self.names[left] = self.wire(bits, f"{a} {self._SIGNS[two[1]]} {b}")
        elif match := re.match(r"icmp (\w+) i(\d+) (\S+), (\S+)$", text):
            bits = int(match[2])
            a, b = self.value(match[3], bits), self.value(match[4], bits)
            few = max(self.signed_bits(name, bits) for name in (match[3], match[4]))
            if few < bits:  # cut alike, both keep their order
                a, b = (self.wire(few, self._part(operand, few)) for operand in (a, b))
            if match[1].startswith("s"):
                a, b = f"$signed({a})", f"$signed({b})"
            self.names[left] = self.wire(1, f"{a} {self._TESTS[match[1]]} {b}")
        elif match := re.match(r"select i1 (\S+), i(\d+) (\S+), i\d+ (\S+)$", text):
            bits = int(match[2])
            yes, no = self.value(match[3], bits), self.value(match[4], bits)
            condition = self.value(match[1], 1)
            choice = f"{condition} ? {{}} : {{}}"
            self.names[left] = (
                self.narrowed(left, bits, choice, yes, no)
                if bits > 1
                else self.wire(bits, choice.format(yes, no))
            )
        elif match := re.match(r"([sz])ext i(\d+) (\S+) to i(\d+)$", text):
            bits, to = int(match[2]), int(match[4])
            a = self.wire(bits, self.value(match[3], bits))
            fill = f"{a}[{bits - 1}]" if match[1] == "s" else "1'd0"
            self.names[left] = self.wire(to, f"{{{{{to - bits}{{{fill}}}}}, {a}}}")
            self.narrow[left] = (a, bits, match[1] == "s")
        elif match := re.match(r"trunc i(\d+) (\S+) to i(\d+)$", text):
            a = self.wire(int(match[1]), self.value(match[2], int(match[1])))
            self.names[left] = self.wire(int(match[3]), f"{a}[{int(match[3]) - 1}:0]")
        elif match := re.match(r"freeze i(\d+) (\S+)$", text):
            self.names[left] = self.value(match[2], int(match[1]))
        elif match := re.match(r"(?:tail )?call .*?i(\d+) @llvm\.([us])(min|max)\.i\d+\(i\d+ \S*?([%\w.-]+), i\d+ \S*?([%\w.-]+)\)", text):  # fmt: skip  # noqa: E501
            bits = int(match[1])
            a, b = self.value(match[4], bits), self.value(match[5], bits)
            x, y = (f"$signed({a})", f"$signed({b})") if match[2] == "s" else (a, b)
            sign = "<" if match[3] == "min" else ">"
            self.names[left] = self.wire(bits, f"({x} {sign} {y}) ? {a} : {b}")
        elif match := re.match(r"alloca (.+?), align", text):
            self.allocated[left] = self.size(match[1])[0]
        elif text.startswith("getelementptr"):
            found = self.address(text)
            if found is not None:
                self.pointers[left] = found
        elif match := re.match(r"load i(\d+), ptr (\S+), align", text):
            self.names[left] = self._load(self.pointer(match[2]), int(match[1]))
        elif match := re.match(r"store i(\d+) (\S+), ptr (\S+), align", text):
            bits = int(match[1])
            self._store(self.pointer(match[3]), self.value(match[2], bits), bits, reached)
        elif "@llvm.memcpy" in text or "@llvm.memset" in text:
            self._move(text, reached)
        elif "call " in text and "@llvm." not in text:
            self._call(text, reached)
        elif left and re.match(
            r"(?:extractvalue|insertvalue|select|bitcast|inttoptr|ptrtoint|load|phi)\b", text
        ):
            pass  # a free input where it is used

    def _product(self, left: str, right: str, a: str, b: str, bits: int) -> str:
        """Return a product of the narrow words that were extended, so that it fits a DSP slice."""
        factors = []
        for name, whole in ((left, a), (right, b)):
            if name in self.narrow:
                inner, _, signed = self.narrow[name]
                factors.append(f"$signed({inner})" if signed else f"$signed({{1'd0, {inner}}})")
            else:
                few = self.signed_bits(name, bits)
                factors.append(f"$signed({self.wire(few, self._part(whole, few))})")
        return f"{factors[0]} * {factors[1]}"

    # -- memory ---------------------------------------------------------------------------------

    @property
    def narrow(self) -> Dict[str, Tuple[str, int, bool]]:
        """What was extended to a wider word: the narrow wire, its bits, whether it is signed."""
        if not hasattr(self, "_narrow"):
            self._narrow: Dict[str, Tuple[str, int, bool]] = {}
        return self._narrow

    def _byte(self, base: str, offset: int) -> str:
        key = (base, offset)
        if key not in self.memory:
            self.memory[key] = self.input(8)
        return self.memory[key]

    def _joined(self, base: str, offset: int, bits: int) -> str:
        bytes_of = [self._byte(base, offset + i) for i in range(max(1, -(-bits // 8)))]
        whole = self.wire(8 * len(bytes_of), "{" + ", ".join(reversed(bytes_of)) + "}")
        return self.wire(bits, f"{whole}[{bits - 1}:0]") if bits % 8 else whole

    def _load(self, at: Pointer, bits: int) -> str:
        if at.base in self.constants:
            return self._table(at, bits)
        if at.base not in self.allocated:
            if at.indices:
                for index, _, extent in at.indices:
                    self.output(max(1, (extent - 1).bit_length() or 13), index)
                return self.input(bits)
            key = (at.base, at.offset, bits)
            if key not in self.fields:
                self.fields[key] = self.input(bits)
            return self.fields[key]
        if not at.indices:
            return self._joined(at.base, at.offset, bits)
        places = self._places(at)
        return self._choose([self._joined(at.base, place, bits) for place in places], at, bits)

    def _places(self, at: Pointer) -> List[int]:
        """Return the offsets that an index can reach, in the order of the index."""
        (_, step, extent), *more = at.indices
        if more:
            raise ir.IrError("an array in registers must have one variable index")
        room = (
            self.allocated[at.base] if at.base in self.allocated else len(self.constants[at.base])
        )
        number = extent or max(1, (room - at.offset) // step)
        return [at.offset + i * step for i in range(number) if at.offset + i * step < room]

    def _choose(self, words: Sequence[str], at: Pointer, bits: int) -> str:
        index = at.indices[0][0]
        if len(words) == 1:
            return words[0]
        room = 1 << (len(words) - 1).bit_length()
        padded = list(words) + [words[-1]] * (room - len(words))
        whole = self.wire(bits * room, "{" + ", ".join(reversed(padded)) + "}")
        narrow = self.wire(room.bit_length() - 1, index)
        return self.wire(bits, f"{whole}[{narrow} * {bits} +: {bits}]")

    def _table(self, at: Pointer, bits: int) -> str:
        table = self.constants[at.base]
        size = -(-bits // 8)
        if at.indices and len(table) // size > 64:  # Yosys takes long for what is known
            self.table_lut += -(-len(table) // size // 64) * bits
            for index, _, extent in at.indices:
                self.output(max(1, (extent - 1).bit_length() or 10), index)
            return self.input(bits)

        def word(offset: int) -> str:
            number = int.from_bytes(table[offset : offset + size], "little") & ((1 << bits) - 1)
            return f"{bits}'d{number}"

        if not at.indices:
            return word(at.offset)
        if len(at.indices) == 1:
            return self._choose([word(place) for place in self._places(at)], at, bits)
        (outer, step, extent), (inner, small, few) = at.indices[:2]
        words = [word(at.offset + i * step + j * small) for i in range(extent) for j in range(few)]
        flat = self.wire(16, f"{outer} * {few} + {inner}")
        return self._choose(words, Pointer(at.base, 0, ((flat, 1, len(words)),)), bits)

    def _store(self, at: Pointer, value: str, bits: int, reached: str) -> None:
        if at.base not in self.allocated:
            for index, _, extent in at.indices:
                self.output(max(1, (extent - 1).bit_length() or 13), index)
            self.output(bits, value)
            self.output(1, reached)
            return
        if bits % 8:
            value, bits = self.wire(8, f"{{7'd0, {value}}}"), 8
        data = self.wire(bits, value)
        for number, place in enumerate(self._places(at) if at.indices else [at.offset]):
            chosen = reached
            if at.indices:
                chosen = self.wire(1, f"{reached} & ({at.indices[0][0]} == {number})")
            for i in range(bits // 8):
                new = f"{data}[{8 * i + 7}:{8 * i}]"
                if chosen == "1'd1":
                    self.memory[(at.base, place + i)] = self.wire(8, new)
                else:
                    old = self._byte(at.base, place + i)
                    self.memory[(at.base, place + i)] = self.wire(8, f"{chosen} ? {new} : {old}")

    def _move(self, text: str, reached: str) -> None:
        pointers = re.findall(r"ptr (?:[\w()]+ )*?([%@][\w.$\"-]+)", text)
        size = re.search(r"i64 (\d+), i1", text)
        to = self.pointer(pointers[0])
        if size is None or to.base not in self.allocated or to.indices:
            return
        for i in range(int(size[1])):
            if "@llvm.memset" in text:
                new = "8'd0"
            else:
                source = self.pointer(pointers[1])
                new = self._load(Pointer(source.base, source.offset + i, source.indices), 8)
            old = "" if reached == "1'd1" else self._byte(to.base, to.offset + i)
            wire = new if not old else f"{reached} ? {new} : {old}"
            self.memory[(to.base, to.offset + i)] = self.wire(8, wire)

    def _call(self, text: str, reached: str) -> None:
        """A channel: what it is given leaves, what it gives comes."""
        self.output(1, reached)
        for name in re.findall(r"(%[\w.$\"-]+)", text.partition("@")[2]):
            at = self.pointer(name)
            if at.base in self.allocated:
                for key in [key for key in self.memory if key[0] == at.base]:
                    self.output(8, self.memory.pop(key))
            elif name in self.names and name in self.names:
                self.output(1, f"^{self.names[name]}")


def tables(text: str, types: Dict[str, str]) -> Dict[str, bytes]:
    """Return the constants of a module as bytes."""
    helper = Netlist({}, "", types, {})
    found: Dict[str, bytes] = {}
    for match in re.finditer(r'^(@[\w.$"]+) = .*?\bconstant (.*)$', text, re.M):
        try:
            data, _ = _constant(helper, match[2])
        except (ValueError, IndexError, TypeError):
            continue
        found[match[1]] = data
    return found


def _type(text: str) -> Tuple[str, str]:
    """Return the type that a text begins with, and the rest."""
    text = text.lstrip()
    if text[0] in "[{<":
        depth = 0
        for i, c in enumerate(text):
            depth += (c in "[{<") - (c in "]}>")
            if depth == 0:
                return text[: i + 1], text[i + 1 :].lstrip()
    word = re.match(r"[%\w.\"]+", text)[0]  # type: ignore[index]
    return word, text[len(word) :].lstrip()


def _constant(helper: Netlist, text: str) -> Tuple[bytes, str]:
    kind, rest = _type(text)
    size = helper.size(kind)[0]
    if rest.startswith(("zeroinitializer", "undef", "poison", "null")):
        return bytes(size), rest[re.match(r"\w+", rest).end() :]  # type: ignore[union-attr]
    if rest.startswith('c"'):
        end = rest.index('"', 2)
        data = re.sub(rb"\\([0-9A-F]{2})", lambda m: bytes([int(m[1], 16)]), rest[2:end].encode())
        return data, rest[end + 1 :]
    if rest[0] in "[{<":
        rest = rest.lstrip("<")[1:] if rest.startswith("<{") else rest[1:]
        data = b""
        while rest.lstrip()[0] not in "]}":
            rest = rest.lstrip().lstrip(",")
            field, _ = _type(rest)
            inner, rest = _constant(helper, rest)
            align = helper.size(field)[1]
            data += bytes(-len(data) % align) + inner
        rest = rest.lstrip()[1:].lstrip(">")
        return data + bytes(size - len(data)), rest
    word = re.match(r"-?\w+", rest)[0]  # type: ignore[index]
    number = {"true": 1, "false": 0}.get(word)
    value = int(word) if number is None else number
    return (value & ((1 << (8 * size)) - 1)).to_bytes(size, "little"), rest[len(word) :]


def of_loop(function: ir.IrFunction, blocks: Set[str], types: Dict[str, str],
            constants: Dict[str, bytes], memories: Set[str], needed: Callable[[str, int], int],
            signed_bits: Callable[[str, int], int]) -> Tuple[str, int]:  # fmt: skip
    """Return one trip of a loop of a function in Verilog, and the LUT of its large tables.

    `memories` are arrays that are no registers: what they give comes from outside. `needed` and
    `signed_bits` are those of :class:`Netlist`.

    Raises
    ------
    ir.IrError
        If the loop has more than one entry, or a loop in it.
    """
    code = ir.blocks(function.lines, function.entry)
    entries = {other for name, lines in code.items() if name not in blocks
               for other in ir.successors(lines) if other in blocks}  # fmt: skip
    if len(entries) != 1:
        raise ir.IrError("a loop must have one entry")
    body = {name: code[name] for name in code if name in blocks}
    net = Netlist(body, entries.pop(), types, constants, needed, signed_bits)
    for wanted in ("alloca", "getelementptr"):  # arrays and addresses from before the loop
        for name, lines in code.items():
            for line in lines if name not in blocks else ():
                left, _, text = re.sub(r", !\w[\w.]* !\d+", "", line).partition(" = ")
                variable = re.search(r", i\d+ %", text)
                if text.startswith(wanted) and not variable and left not in memories:
                    net.names = {}
                    net._instruction(left, text, "1'd1")
    return net.verilog(), net.table_lut


# -- what Yosys has mapped -------------------------------------------------------------------------

_NEAR = 400  # others with a common input that are looked at


def paired(module: Dict[str, Any]) -> int:
    """Return the LUT of a mapped module if those with common inputs are paired.

    A LUT6 of the 7 series makes two functions of five inputs together (UG474, "Look-Up Table").
    Yosys gives each function a LUT of its own. Pairs are taken greedily, those with most common
    inputs first; a LUT in front of a carry chain stays alone.

    Parameters
    ----------
    module : dict
        As ``write_json`` gives it.
    """
    cells = module["cells"].values()
    carries = {
        bit for cell in cells if cell["type"] == "CARRY4" for bit in cell["connections"]["S"]
    }
    alone = 0
    inputs: List[FrozenSet[int]] = []
    for cell in cells:
        if not re.fullmatch(r"LUT\d|INV", cell["type"]):
            continue
        pins = cell["connections"]
        own = frozenset(
            bit for pin, bits in pins.items() if pin.startswith("I")
            for bit in bits if isinstance(bit, int)
        )  # fmt: skip
        if len(own) > 5 or pins["O"][0] in carries:
            alone += 1
        else:
            inputs.append(own)
    having: Dict[int, List[int]] = {}
    for index, own in enumerate(inputs):
        for bit in own:
            having.setdefault(bit, []).append(index)
    taken: Set[int] = set()
    pairs = 0
    for index in sorted(range(len(inputs)), key=lambda i: -len(inputs[i])):
        if index in taken:
            continue
        near = {
            other for bit in inputs[index] for other in having[bit][:_NEAR]
            if other != index and other not in taken and len(inputs[index] | inputs[other]) <= 5
        }  # fmt: skip
        if near:
            best = max(near, key=lambda i: (len(inputs[index] & inputs[i]), len(inputs[i]), -i))
            taken |= {index, best}
            pairs += 1
    return alone + len(inputs) - pairs
