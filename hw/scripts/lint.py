"""Our own rules for the HLS sources, checked without any tool: what would break silently or slowly.

::

    python3 hw/scripts/lint.py [FOLDER]          # hw/src

Each rule is a function that finds its faults; ``--rules`` prints what each asks for. In a pipelined
loop means in its body and in every function that it calls. The sources are read as text
(``sources.py``), so widths are those of the declared types: narrow a value by its type or a cast.
"""

import argparse
import re
import sys
from typing import Callable, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

import sources
from sources import File, Function, Loop, Sources

FACTOR_BITS = 18  # the narrower factor of a DSP48E1; the wider one takes a second slice up to
WIDE_BITS = 35  # this many bits (UG479)
ACTIVATIONS = "ActivationBank"  # the one memory that a dataflow region may be given twice


class Fault(NamedTuple):
    """A place in the sources that breaks a rule."""

    rule: str
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.rule}: {self.text}"


class Part(NamedTuple):
    """A text that belongs to a pipelined loop, with the constants that its parameters have."""

    function: Function
    begin: int
    text: str
    known: Dict[str, int]

    def place(self, at: int) -> str:
        """Return file and line of a position in the text."""
        return self.function.file.place(self.begin + at)


def parts(code: Sources, loop: Loop) -> Iterator[Part]:
    """Give a loop's text and those of the functions that it calls, each with its constants once."""
    todo = [Part(loop.function, loop.begin, loop.text, {})]
    seen: Set[Tuple[int, Tuple[Tuple[str, int], ...]]] = set()
    while todo:
        part = todo.pop()
        yield part
        widths = Widths(code, part)
        for name, arguments, _ in code.calls(part.text):
            for function in code.called(name, arguments):
                if function.constant and all(map(widths.constant, arguments)):
                    continue  # the compiler computes it
                known = {}
                for (_, parameter), argument in zip(function.parameters, arguments):
                    value = code.value(argument, part.known)
                    if value is not None:
                        known[parameter] = value
                key = (id(function), tuple(sorted(known.items())))
                if key not in seen:
                    seen.add(key)
                    todo.append(Part(function, function.begin, function.body, known))


# -- expressions ------------------------------------------------------------------------------------  # noqa: E501

_TOKEN = re.compile(r"0x[0-9a-fA-F]+\w*|\d+\w*|[A-Za-z_]\w*|<<=|>>=|->|::|\+\+|--|&&|\|\||<<|>>|"
                    r"[-+*/%&|^=!<>]=|[^\s\w]")  # fmt: skip


class Token(NamedTuple):
    """A word or sign and where it stands."""

    text: str
    at: int


def tokens(text: str) -> List[Token]:
    """Return the tokens of a text."""
    return [Token(match[0], match.start()) for match in _TOKEN.finditer(text)]


_OPEN = {"(": ")", "[": "]", "{": "}"}
_CLOSE = {value: key for key, value in _OPEN.items()}


def _forward(line: Sequence[Token], at: int) -> int:
    """Return the index after the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(line)):
        depth += (line[i].text in _OPEN) - (line[i].text in _CLOSE)
        if depth == 0:
            return i + 1
    return len(line)


def _template(line: Sequence[Token], at: int) -> int:
    """Return the index after ``<...>`` if a template's arguments begin at `at`, else `at`."""
    depth = 0
    for i in range(at, min(at + 24, len(line))):
        if line[i].text in "<>":
            depth += 1 if line[i].text == "<" else -1
            if depth == 0:
                follows = i + 1 < len(line) and line[i + 1].text in "({"
                return i + 1 if follows else at
        elif not re.match(r"[\w:,*&]", line[i].text):
            return at
    return at


def right_operand(line: Sequence[Token], at: int) -> Tuple[int, int]:
    """Return begin and end of what stands to the right of the operator at `at`."""
    i = at + 1
    while i < len(line) and line[i].text in "-+!~*&":
        i += 1
    return at + 1, _postfix(line, i)


def _postfix(line: Sequence[Token], i: int) -> int:
    if i < len(line):
        i = _forward(line, i) if line[i].text in _OPEN else i + 1
    while i < len(line):
        if line[i].text in ("[", "("):
            i = _forward(line, i)
        elif line[i].text in (".", "->", "::"):
            i += 2
        elif line[i].text == "<" and _template(line, i) > i:
            i = _template(line, i)
        else:
            break
    return i


def left_operand(line: Sequence[Token], at: int) -> Tuple[int, int]:
    """Return begin and end of what stands to the left of a ``*``, ``/`` or ``%``."""
    i = at - 1
    while i >= 0:
        if line[i].text in _CLOSE:
            depth = 0
            while i >= 0:
                depth += (line[i].text in _CLOSE) - (line[i].text in _OPEN)
                if depth == 0:
                    break
                i -= 1
        elif line[i].text == ">":
            while i >= 0 and line[i].text != "<":
                i -= 1
        before = line[i - 1].text if i > 0 else ""
        joins = line[i].text in ("(", "[", "<") and re.match(r"[\w\])>]", before)
        if joins and before not in ("return", "case"):
            i -= 1
        elif before in (".", "->", "::"):
            i -= 2
        elif before in ("*", "/", "%") and _binary(line, i - 1):
            return left_operand(line, i - 1)[0], at
        else:
            break
    return max(i, 0), at


_TYPES = set(sources.BITS) | {"const", "auto", "return", "case", "else"}


def _binary(line: Sequence[Token], at: int) -> bool:
    """Return whether the ``*`` at `at` multiplies."""
    before = line[at - 1].text if at else ""
    return bool(re.fullmatch(r"[\w\])]+", before)) and before not in _TYPES


class Widths:
    """Bits of expressions in a part of the sources, from the declared types."""

    def __init__(self, code: Sources, part: Part) -> None:
        self.code, self.part = code, part
        self.locals: Dict[str, Tuple[str, str]] = {}  # type and first value
        self.counters: Set[str] = set()
        for kind, name in part.function.parameters:
            self.locals[name] = (kind, "")
        body = part.function.body
        pattern = (
            r"(?:^|[;{}(])\s*((?:(?:const|static)\s+)*[A-Za-z_]\w*(?:<[^;<>]*>)?\s*[&*]?)\s+"
            r"([A-Za-z_]\w*(?:\[[^\]]*\])*)\s*(?:=\s*([^;]*?))?(?=;|,|\s:\s)"
        )
        for match in re.finditer(pattern, body, re.M):
            if match[1].split()[0] in ("return", "else", "case", "goto", "typedef", "using"):
                continue
            end = match.end(1)
            statement = body[end : body.find(";", end)]
            for index, piece in enumerate(sources.split(statement)):
                name = re.match(
                    r"[&*]*([A-Za-z_]\w*)((?:\[[^\]]*\])*)\s*(?:=\s*(.*))?$", piece, re.S
                )
                if name is None or (index and "=" in match[1]):
                    continue
                constant = "const" in match[1]
                self.locals[name[1]] = (match[1] + name[2], name[3] or "" if constant else "")
        for match in re.finditer(r"for\s*\(\s*\w+\s+(\w+)\s*=\s*([^;]*);\s*([^;]*);", body):
            bound = re.fullmatch(r"(?:1 << )?\w+\s*<=?\s*(.*)", match[3].strip())
            if bound and self.code.value(bound[1], part.known) is not None:
                self.counters.add(match[1])

    def constant(self, text: str) -> bool:
        """Return whether a text is made of constants and counters of unrolled loops alone."""
        names = re.findall(r"\b[A-Za-z_]\w*", re.sub(r"0x[0-9a-fA-F]+\w*|\d+\w*", "", text))
        own = re.findall(r"\bint\s+(\w+)", self.part.function.template)  # template <int N>
        return all(
            name in self.counters
            or name in own
            or self.code.value(name, self.part.known) is not None
            for name in names
        )

    def of(self, text: str, depth: int = 0) -> int:
        """Return the bits of an expression."""
        line = tokens(text)
        if depth > 12 or not line:
            return 64
        value = self.code.value(text, self.part.known)
        if value is not None:
            return value.bit_length() + 1
        at = self._split(line, ("?",))
        if at is not None:
            other = self._split(line, (":",)) or at
            yes = text[line[at].at + 1 : line[other].at]
            return max(self.of(yes, depth + 1), self.of(text[line[other].at + 1 :], depth + 1))
        for signs in (("||", "&&", "==", "!=", "<", ">", "<=", ">="), ("|", "^"), ("&",),
                      ("<<", ">>"), ("+", "-"), ("*", "/", "%")):  # fmt: skip
            at = self._split(line, signs)
            if at is not None:
                sign = line[at].text
                left = text[: line[at].at]
                right = text[line[at].at + len(sign) :]
                return self._binary(sign, left, right, depth)
        return self._unary(line, text, depth)

    def _split(self, line: Sequence[Token], signs: Sequence[str]) -> Optional[int]:
        """Return the index of the last of some binary operators outside of brackets."""
        found, i = None, 0
        while i < len(line):
            if line[i].text in _OPEN:
                i = _forward(line, i)
                continue
            if line[i].text == "<" and _template(line, i) > i:
                i = _template(line, i)
                continue
            if line[i].text in signs:
                operand = i > 0 and re.fullmatch(r"[\w\])]+|>", line[i - 1].text)
                if operand or line[i].text in ("?", ":"):
                    if signs in (("?",), (":",)):
                        return i
                    found = i
            i += 1
        return found

    def _binary(self, sign: str, left: str, right: str, depth: int) -> int:
        if sign in ("||", "&&", "==", "!=", "<", ">", "<=", ">="):
            return 1
        a, b = self.of(left, depth + 1), self.of(right, depth + 1)
        amount = self.code.value(right, self.part.known)
        if sign == "<<":
            return min(64, a + amount) if amount is not None else max(32, a)
        if sign == ">>":
            return max(1, a - amount) if amount is not None else a
        if sign == "&":
            constants = [self.code.value(side, self.part.known) for side in (left, right)]
            known = [v.bit_length() + 1 for v in constants if v is not None and v >= 0]
            return min([a, b, *known])
        if sign == "%":
            return min(a, b)
        if sign == "*":
            return min(64, a + b)
        return min(64, max(a, b) + (sign in "+-")) if sign != "/" else a

    def _unary(self, line: Sequence[Token], text: str, depth: int) -> int:
        first = line[0].text
        if first in ("-", "+", "~"):
            return self.of(text[line[1].at :], depth + 1)
        if first in ("!", "true", "false"):
            return 1
        if first == "(" and _forward(line, 0) == len(line):
            return self.of(text[line[0].at + 1 : line[-1].at], depth + 1)
        if first == "static_cast":
            end = _template(line, 1)
            kind = text[line[1].at + 1 : line[end - 1].at]
            inner = text[line[end].at + 1 : line[-1].at]
            return min(self._bits(kind), self.of(inner, depth + 1))
        members = [i for i, token in enumerate(line) if token.text in (".", "->")]
        members = [i for i in members if not self._inside(line, i)]
        if members:
            return self._member(line, members)
        call = len(line) > 1 and line[1].text == "("
        if call and first in ("least", "most", "clamp"):
            inner = text[line[1].at + 1 : line[-1].at]
            widths = [self.of(argument, depth + 1) for argument in sources.split(inner)]
            return max(widths)
        if call and first in self.code.functions:
            return max(self._bits(f.returns) for f in self.code.functions[first])
        if first in self.locals:
            kind, value = self.locals[first]
            declared = self._bits(self._element(kind))
            return min(declared, self.of(value, depth + 1)) if value else declared
        if first in self.code.arrays:
            return self._bits(self.code.arrays[first])
        return 64 if not self.constant(first) else 32

    def _inside(self, line: Sequence[Token], at: int) -> bool:
        depth = 0
        for token in line[:at]:
            depth += (token.text in _OPEN) - (token.text in _CLOSE)
        return depth != 0

    def _member(self, line: Sequence[Token], members: Sequence[int]) -> int:
        """Return the bits of a member: by its structure's type, else the widest of that name."""
        names = [line[i + 1].text for i in members]
        kind = self.locals.get(line[0].text, ("", ""))[0]
        called = len(line) > 1 and line[1].text == "(" and self.code.functions.get(line[0].text)
        if called:
            kind = called[0].returns
        for name in names:
            kind = self.code.structures.get(self._element(kind), {}).get(name, "")
        if kind:
            return self._bits(kind)
        kinds = [
            fields[names[-1]] for fields in self.code.structures.values() if names[-1] in fields
        ]
        return max([self._bits(kind) for kind in kinds] or [64])

    def _element(self, kind: str) -> str:
        return self.code.plain(kind).split("[")[0].rstrip("*")

    def _bits(self, kind: str) -> int:
        try:
            return self.code.bits(self._element(kind))
        except sources.ReadError:
            return 64


# -- the rules --------------------------------------------------------------------------------------  # noqa: E501

RULES: Dict[str, Callable[[Sources], Iterator[Tuple[str, str]]]] = {}
"""By name: a function that gives place and text of each fault."""

_Rule = Callable[[Sources], Iterator[Tuple[str, str]]]


def rule(function: _Rule) -> _Rule:
    """Make a function one of the rules."""
    RULES[function.__name__.replace("_", "-")] = function
    return function


def _operators(code: Sources, signs: str) -> Iterator[Tuple[Part, Widths, str, str, str, int]]:
    """Give each multiplication or division in a pipelined loop, with its operands."""
    for loop in code.loops():
        for part in parts(code, loop):
            line = tokens(part.text)
            widths = Widths(code, part)
            for i, token in enumerate(line):
                assigns = len(token.text) == 2 and token.text[1] == "=" and token.text[0] in signs
                if assigns:
                    left = part.text[line[left_operand(line, i)[0]].at : token.at]
                    right = part.text[token.at + 2 : _end(part.text, token.at + 2)]
                elif token.text in signs and _binary(line, i):
                    if line[i - 1].text in code.structures or line[i - 1].text in code.aliases:
                        continue  # a declaration
                    begin, end = left_operand(line, i)
                    left = part.text[line[begin].at : token.at]
                    begin, end = right_operand(line, i)
                    last = line[end - 1]
                    right = part.text[line[begin].at : last.at + len(last.text)]
                else:
                    continue
                yield part, widths, token.text[0], left.strip(), right.strip(), token.at


def _end(text: str, at: int) -> int:
    """Return where an expression ends: at a semicolon, a comma or the bracket around it."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] in "([{") - (text[i] in ")]}")
        if depth < 0 or (depth == 0 and text[i] in ";,"):
            return i
    return len(text)


def _power_of_two(value: Optional[int]) -> bool:
    return value is not None and value > 0 and value & (value - 1) == 0


@rule
def division(code: Sources) -> Iterator[Tuple[str, str]]:
    """In a pipelined loop, divide only by constants that are powers of two."""
    for part, widths, sign, left, right, at in _operators(code, "/%"):
        value = code.value(right, part.known)
        if not _power_of_two(value) and not (value is not None and widths.constant(left)):
            yield part.place(at), f"{left} {sign} {right}: a divider of many cycles"


@rule
def wide_product(code: Sources) -> Iterator[Tuple[str, str]]:
    """In a pipelined loop, one factor has at most 18 bits and the other at most 35."""
    for part, widths, _, left, right, at in _operators(code, "*"):
        values = [code.value(side, part.known) for side in (left, right)]
        if any((v is not None and _power_of_two(abs(v))) or v == 0 for v in values):
            continue
        if widths.constant(left) and widths.constant(right):
            continue
        bits = sorted((widths.of(left), widths.of(right)))
        if bits[0] > FACTOR_BITS or bits[1] > WIDE_BITS:
            yield (
                part.place(at),
                (f"{left} * {right}: {bits[1]} x {bits[0]} bits take several DSP slices in turn"),
            )


@rule
def memory_copy(code: Sources) -> Iterator[Tuple[str, str]]:
    """No memcpy and no memset: a tool refuses them on structures, or makes a loop of them."""
    for file in code.files:
        for match in re.finditer(r"\b(?:std::)?(memcpy|memset|memmove)\s*\(", file.text):
            yield file.place(match.start()), f"{match[1]}: assign the fields"


@rule
def cleared_array(code: Sources) -> Iterator[Tuple[str, str]]:
    """No ``= {}`` on an array of more than four elements or on a structure with one: clear it in a
    counted loop."""
    for functions in code.functions.values():
        for function in functions:
            if function.constant:
                continue  # the compiler computes it
            text = function.body
            for match in re.finditer(r"\b(\w+)\s+(\w+)((?:\[[^\]]*\])*)\s*=\s*\{\s*\}", text):
                if code.holds_array(match[1] + match[3]):
                    place = function.file.place(function.begin + match.start())
                    yield place, f"{match[2]} = {{}}"
            for match in re.finditer(r"=\s*(\w+)\s*\{\s*\}|=\s*(\w+)\(\s*\)", text):
                kind = match[1] or match[2]
                if kind in code.structures and code.holds_array(kind):
                    yield function.file.place(function.begin + match.start()), f"= {kind}{{}}"


@rule
def dependence(code: Sources) -> Iterator[Tuple[str, str]]:
    """DEPENDENCE is ``true`` with a distance that the simulation checks: a memory's latency."""
    latencies = {v for name, v in code.constants.items() if name.startswith("CIRCNN_LATENCY_")}
    latencies |= {code.value(ram[-1]) for ram in code.rams.values()}
    for file in code.files:
        for pragma in file.pragmas:
            if not re.match(r"DEPENDENCE\b", pragma.text, re.I):
                continue
            distance = re.search(r"\bdistance\s*=\s*([\w:]+)", pragma.text)
            if re.search(r"\bfalse\b", pragma.text, re.I):
                yield file.place(pragma.at), f"{pragma.text}: a promise that nothing checks"
            elif distance is None or code.value(distance[1]) not in latencies:
                yield file.place(pragma.at), f"{pragma.text}: state distance = one of the latencies"


def processes(code: Sources, function: Function) -> List[Tuple[Function, List[str]]]:
    """Return the calls that a dataflow region consists of: function and arguments."""
    found = []
    last = 0
    for name, arguments, at in code.calls(function.body):
        if at >= last:
            found.append((code.called(name, arguments)[0], arguments))
            last = sources.closing(function.body, function.body.index("(", at))
    return found


@rule
def dataflow(code: Sources) -> Iterator[Tuple[str, str]]:
    """In a DATAFLOW region, an array or structure has one reading and one writing process."""
    for file, pragma, region in code.regions():
        if region is None:
            yield file.place(pragma.at), "DATAFLOW must be in a function"
            continue
        for text in _region_faults(code, region):
            yield file.place(pragma.at), text


def _region_faults(code: Sources, region: Function) -> Iterator[str]:
    uses: Dict[str, List[Tuple[int, str, bool]]] = {}
    calls = processes(code, region)
    own_streams = re.findall(r"\b\w*Stream\w*(?:<[^;]*?>)?\s+(\w+)\s*[(;]", region.body)
    for index, (function, arguments) in enumerate(calls):
        for (kind, _), argument in zip(function.parameters, arguments):
            path = sources.path_of(argument)
            if path and code.value(path) is None:
                writes = bool(re.search(r"[&*\[]", kind)) and "const" not in kind
                writes = writes or (kind in code.aliases and "[" in code.plain(kind))
                uses.setdefault(path, []).append((index, kind, writes))
    for path, used in uses.items():
        kinds = {kind for _, kind, _ in used}
        processes_of = sorted({index for index, _, _ in used})
        if any("Stream" in kind for kind in kinds):
            expected = 2 if path in own_streams else 1
            if len(processes_of) != expected:
                yield f"the channel {path} must have {expected} ends. Received: {len(processes_of)}"
            continue
        readers = sorted({index for index, _, writes in used if not writes})
        writers = sorted({index for index, _, writes in used if writes})
        if len(writers) > 1:
            yield f"{path} is written by {len(writers)} processes"
        if all(code.scalar(kind) for kind in kinds):
            continue
        if len(readers) > 1:
            yield f"{path} is read by {len(readers)} processes: give each its own copy"
        if readers and writers and readers[0] >= writers[0]:
            yield f"{path} is written before it is read"
        elif readers and writers and not all(ACTIVATIONS in kind for kind in kinds):
            yield f"{path} is read by one process and written by another: only the activations may be"  # noqa: E501
    yield from _twice_passed(code, region, calls)


def _twice_passed(
    code: Sources, region: Function, calls: List[Tuple[Function, List[str]]]
) -> Iterator[str]:
    """Give the faults of a memory that callers pass to a region's parameters twice."""

    def first_use(parameter: str) -> int:
        indices = [
            i
            for i, (_, arguments) in enumerate(calls)
            if any(sources.path_of(a) == parameter for a in arguments)
        ]
        return indices[0] if indices else -1

    for functions in code.functions.values():
        for caller in functions:
            for name, arguments, _ in code.calls(caller.body):
                if region not in code.functions[name]:
                    continue
                paths = [sources.path_of(argument) for argument in arguments]
                for path in sorted({p for p in paths if p and paths.count(p) > 1}):
                    which = [i for i, p in enumerate(paths) if p == path]
                    kinds = [region.parameters[i][0] for i in which]
                    if not any(re.search(r"[&*\[]", kind) for kind in kinds):
                        continue  # copies
                    constant = ["const" in kind for kind in kinds]
                    memory = all(ACTIVATIONS in kind for kind in kinds)
                    if len(which) != 2 or not memory or constant != [True, False]:
                        yield (
                            f"{path} is passed {len(which)} times: only the activation memory may "
                            "be, read-only first and written last"
                        )
                        continue
                    read, write = (first_use(region.parameters[i][1]) for i in which)
                    if read >= write:
                        yield f"{path} must be read by an earlier process than the one that writes"


@rule
def write_sites(code: Sources) -> Iterator[Tuple[str, str]]:
    """In a pipelined loop, a memory is written at one place in the sources: it has one port."""
    for loop in code.loops():
        sites: Dict[str, List[str]] = {}
        for access in code.accesses(loop.text, loop.function, loop.begin):
            if access.writes:
                sites.setdefault(access.memory, []).append(access.place)
        for memory, places in sites.items():
            if len(places) > 1:
                yield (
                    loop.function.file.place(loop.begin),
                    f"{memory} is written at {len(places)} places: {', '.join(places)}",
                )


@rule
def synthesis_types(code: Sources) -> Iterator[Tuple[str, str]]:
    """What ``__SYNTHESIS__`` chooses is a macro or an error, never a type or a function."""
    for file in code.files:
        depth, inside = 0, 0
        continued = False
        for number, line in enumerate(file.raw.split("\n"), 1):
            words = line.strip()
            if re.match(r"#\s*if", words):
                depth += 1
                if "__SYNTHESIS__" in words and not inside:
                    inside = depth
            elif re.match(r"#\s*elif", words) and "__SYNTHESIS__" in words and not inside:
                inside = depth
            elif re.match(r"#\s*endif", words):
                inside = 0 if inside == depth else inside
                depth -= 1
            elif inside and words and not continued:
                if not re.match(r"#\s*(?:define|error|else|undef|elif)\b|//|/\*", words):
                    yield f"{file.name}:{number}", f"under __SYNTHESIS__: {words}"
            continued = words.endswith("\\")


@rule
def unrolled_loop(code: Sources) -> Iterator[Tuple[str, str]]:
    """A loop in a pipelined loop counts by a constant to a constant: only then it is unrolled."""
    for loop in code.loops():
        for part in parts(code, loop):
            own = part.begin == loop.begin and part.function is loop.function
            for match in re.finditer(r"\b(for|while|do)\b\s*(?=[({])", part.text):
                if own and match.start() == 0:
                    continue
                head = part.text[match.end() : _head_end(part.text, match.end())]
                counted = re.match(
                    r"\(\s*\w+\s+(\w+)\s*=\s*([^;]+);\s*(?:1 << )?\1\s*(?:<|<=|>|>=)\s*([^;]+);"
                    r"\s*(?:(?:\+\+|--)\1|\1(?:\+\+|--)|\1\s*[-+]=\s*([^)]+))\s*\)$", head)  # fmt: skip  # noqa: E501
                bounds = counted and [b for b in counted.groups()[1:] if b is not None]
                if not bounds or not all(Widths(code, part).constant(b) for b in bounds):
                    yield part.place(match.start()), f"{match[1]} {' '.join(head.split())}"


def _head_end(text: str, at: int) -> int:
    return sources.closing(text, at) if text[at] == "(" else at


@rule
def stated_interval(code: Sources) -> Iterator[Tuple[str, str]]:
    """A pipelined loop states its interval."""
    for loop in code.loops():
        if loop.interval is None:
            yield loop.function.file.place(loop.pragma.at), f"{loop.label}: say II = 1"


def faults(code: Sources, names: Sequence[str] = ()) -> List[Fault]:
    """Return the faults that the rules find, each once."""
    found = []
    for name, function in RULES.items():
        if not names or name in names:
            found += [Fault(name, place, text) for place, text in function(code)]
    return list(dict.fromkeys(found))


def read(text: str, name: str = "sample.hpp", headers: Sequence[str] = ()) -> Sources:
    """Return one text as sources, for the examples of the rules."""
    file: File = sources.read_file(name, text)
    return Sources([file], headers)


def main(arguments: Sequence[str]) -> int:
    """Print the faults; return the exit status."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("folder", nargs="?", default=sources.SOURCE_FOLDER)
    parser.add_argument("--rules", action="store_true", help="print the rules")
    chosen = parser.parse_args(arguments)
    if chosen.rules:
        for name, function in RULES.items():
            print(f"{name}: {function.__doc__}")
        return 0
    code = sources.engine_sources(folder=chosen.folder)
    found = faults(code)
    for fault in found:
        print(fault)
    files = len(code.files)
    print(
        f"{len(RULES)} rules, {files} files, {len(code.loops())} pipelined loops: {len(found)} faults"  # noqa: E501
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
