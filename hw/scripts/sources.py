"""Reads the HLS sources as far as our checks need: functions, structures, constants, loops, calls.

Not a compiler: it relies on the style of ``hw/src``, which clang-format keeps (a definition begins
its line, every pragma has a line of its own). What it cannot read is an error, never left out.
Needs nothing but Python, so that the checks run on every machine.
"""

import glob
import os
import re
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

HW = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCE_FOLDER = os.path.join(HW, "src")

BITS = {
    "bool": 1, "char": 8, "int8_t": 8, "uint8_t": 8, "int16_t": 16, "uint16_t": 16, "int": 32,
    "unsigned": 32, "int32_t": 32, "uint32_t": 32, "int64_t": 64, "uint64_t": 64, "size_t": 64,
}  # fmt: skip
"""The widths of the types that C++ has."""

_KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "static_cast", "alignof", "catch"}


class ReadError(Exception):
    """A source is written in a way that these checks do not read."""


class Pragma(NamedTuple):
    """A line ``#pragma HLS ...``: its words after HLS, and where it stands."""

    text: str
    at: int


class Loop(NamedTuple):
    """A pipelined loop, or a pipelined function, whose label is the function's name."""

    label: str
    function: "Function"
    pragma: Pragma
    begin: int  # of the loop's head
    end: int

    @property
    def interval(self) -> Optional[int]:
        """The interval that the pragma states."""
        stated = re.search(r"\bII\s*=\s*(\d+)", self.pragma.text)
        return int(stated[1]) if stated else None

    @property
    def text(self) -> str:
        """Head and body."""
        return self.function.file.text[self.begin : self.end]


class Function(NamedTuple):
    """A definition of a function."""

    name: str
    returns: str
    parameters: Tuple[Tuple[str, str], ...]  # type and name, the type with & * and [extent]
    file: "File"
    begin: int  # of the body, at its brace
    end: int
    template: str
    constant: bool = False  # constexpr

    @property
    def body(self) -> str:
        return self.file.text[self.begin : self.end]


class Access(NamedTuple):
    """An access to a memory, as CIRCNN_READS and CIRCNN_WRITES announce it."""

    writes: bool
    memory: str
    ram: str
    place: str


class File(NamedTuple):
    """A source: `text` has blanks for comments, texts and preprocessor lines, pragmas included."""

    name: str
    text: str
    pragmas: Tuple[Pragma, ...]
    raw: str

    def line(self, at: int) -> int:
        """Return the number of the line of a position."""
        return self.raw.count("\n", 0, at) + 1

    def place(self, at: int) -> str:
        """Return file and line for a message."""
        return f"{self.name}:{self.line(at)}"


def blank(text: str) -> str:
    """Return blanks of the same length, with the same ends of lines."""
    return re.sub(r"[^\n]", " ", text)


def read_file(name: str, raw: str) -> File:
    """Return a source without comments, texts and preprocessor lines, at the same positions."""
    hide = r'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)\''
    text = re.sub(hide, lambda m: blank(m[0]), raw, flags=re.S)
    pragmas: List[Pragma] = []

    def directive(match: "re.Match[str]") -> str:
        found = re.match(r"\s*#\s*pragma\s+HLS\s+(.*)", match[0].replace("\\\n", "  "), re.S)
        if found:
            pragmas.append(Pragma(" ".join(found[1].split()), match.start()))
        return blank(match[0])

    text = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", directive, text, flags=re.M)
    return File(name, text, tuple(pragmas), raw)


def closing(text: str, at: int) -> int:
    """Return the position after the bracket that closes the one at `at`."""
    pairs = {"(": ")", "[": "]", "{": "}"}
    opened, closed, depth = text[at], pairs[text[at]], 0
    for i in range(at, len(text)):
        depth += (text[i] == opened) - (text[i] == closed)
        if depth == 0:
            return i + 1
    raise ReadError(f"no {closed} for the {opened} before {text[at : at + 60]!r}")


def split(text: str, separator: str = ",") -> List[str]:
    """Return the parts between separators outside of all brackets.

    >>> split("a, f(b, c), d<e, f>")
    ['a', 'f(b, c)', 'd<e, f>']
    """
    parts, depth, last = [], 0, 0
    for i, c in enumerate(text):
        if c == "<":
            depth += re.match(r"<[\w:\s,<>*&]*>", text[i:]) is not None
        elif c == ">":
            depth -= depth > 0 and text[i - 1] != "-"
        else:
            depth += (c in "([{") - (c in ")]}")
        if c == separator and depth == 0:
            parts.append(text[last:i])
            last = i + 1
    parts.append(text[last:])
    return [part.strip() for part in parts if part.strip()]


def declared(text: str) -> Tuple[str, str]:
    """Return type and name of a parameter or field.

    >>> declared("const Word row[kRow]"), declared("Layer &layer")
    (('const Word[kRow]', 'row'), ('Layer &', 'layer'))
    """
    text = " ".join(text.split("=")[0].split())
    match = re.fullmatch(r"(.*?[\s&*])?(\w+)\s*((?:\[[^\]]*\]\s*)*)", text)
    if match is None or match[1] is None:
        return text, ""
    return match[1].strip() + match[3].strip(), match[2]


def path_of(argument: str) -> str:
    """Return a variable's path without indices.

    >>> path_of("&engine.spectra[1]"), path_of("work[b]")
    ('engine.spectra', 'work')
    """
    match = re.match(r"[&*(\s]*([A-Za-z_]\w*(?:(?:\.|->)\w+)*)", argument)
    return match[1] if match else ""


class Sources:
    """All sources of a folder, with the constants of one configuration.

    Parameters
    ----------
    files : sequence of File
    headers : sequence of str
        The generated headers, for their constants.
    """

    def __init__(self, files: Sequence[File], headers: Sequence[str] = ()) -> None:
        self.files = tuple(files)
        self.headers = tuple(headers)
        self.functions: Dict[str, List[Function]] = {}
        self.structures: Dict[str, Dict[str, str]] = {}  # fields: name to type
        self.aliases: Dict[str, str] = {}
        self.constants: Dict[str, int] = {}
        self.arrays: Dict[
            str, str
        ] = {}  # of the generated headers: tables, to their element's type
        self.rams: Dict[str, List[str]] = {}  # rows, read ports, write ports, latency
        self._expressions: Dict[str, str] = {}
        for header in headers:
            self._read_header(header)
        for file in self.files:
            self._read(file)
        for name in list(self._expressions):
            self.value(name)

    # -- reading --------------------------------------------------------------------------------

    def _read_header(self, text: str) -> None:
        for name, value in re.findall(
            r"^#define (\w+) \(?(-?\w+?)[uUlL]*\)?\s*(?:/\*.*)?$", text, re.M
        ):
            self._expressions[name] = value
        for kind, name in re.findall(
            r"^(?:static const|CIRCNN_CONSTANT) (\w+) (\w+)\[", text, re.M
        ):
            self.arrays[name] = kind
        for body, name in re.findall(r"typedef struct \{(.*?)\} (\w+);", text, re.S):
            body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
            self.structures[name] = self._fields(body)

    def _fields(self, body: str) -> Dict[str, str]:
        fields: Dict[str, str] = {}
        while "{" in body:  # members that are functions
            at = body.index("{")
            begin = max(body.rfind(c, 0, at) for c in ";}") + 1
            body = body[:begin] + ";" + body[closing(body, at) :]
        for statement in body.split(";"):
            statement = re.sub(r"\b(?:public|private)\s*:", "", statement).strip()
            if not statement or "(" in statement or statement.startswith(("typedef", "using")):
                continue
            first, *more = split(statement)
            kind, name = declared(first)
            fields[name] = kind
            base = kind.split("[")[0]
            for other in more:
                extents = "".join(re.findall(r"\[[^\]]*\]", other))
                fields[re.match(r"\w+", other.lstrip("*&"))[0]] = base + extents  # type: ignore
        return fields

    def _read(self, file: File) -> None:
        text = file.text
        for match in re.finditer(r"\bconstexpr\s+\w+\s+(\w+\s*=[^;{]+);", text):
            for piece in split(match[1]):
                name, _, expression = piece.partition("=")
                self._expressions[name.strip()] = expression.strip()
        for match in re.finditer(r"\benum\s+(?:\w+\s*)?(?::\s*\w+\s*)?\{([^}]*)\}", text):
            last = "-1"
            for piece in split(match[1]):
                name, _, expression = piece.partition("=")
                last = expression.strip() or f"{last} + 1"
                self._expressions[name.strip()] = last
        for match in re.finditer(r"\bconstexpr\s+Ram\s+(\w+)\s*=\s*\{([^}]*)\}", file.text):
            self.rams[match[1]] = split(match[2])[-4:]
        for match in re.finditer(r"\bstruct\s+(\w+)\s*\{", text):
            end = closing(text, match.end() - 1)
            self.structures[match[1]] = self._fields(text[match.end() : end - 1])
        for match in re.finditer(r"\benum\s+(?:class\s+)?(\w+)\s*(?::\s*(\w+)\s*)?\{", text):
            self.aliases[match[1]] = match[2] or "int32_t"
        for match in re.finditer(r"\btypedef\s+([^;{]+?)\s*\b(\w+)((?:\[[^\]]*\])*);", text):
            if not self.aliases.get(match[2], "").startswith("ap_"):  # the silicon's width holds
                self.aliases[match[2]] = match[1] + match[3]
        for match in re.finditer(r"\busing\s+(\w+)\s*=\s*([^;]+);", text):
            self.aliases[match[1]] = match[2]
        taken = 0
        for match in re.finditer(r"([\w>&*\]])[\s]+[&*]?(?:\w+::)*(\w+)\s*\(", text):
            opened = match.end() - 1
            if opened < taken or match[2] in _KEYWORDS:
                continue
            after = closing(text, opened)
            tail = re.match(r"\s*(?:const|noexcept|override|\s)*\{", text[after:])
            if tail is None:
                continue
            begin = after + tail.end() - 1
            end = closing(text, begin)
            start = max(text.rfind(c, 0, match.start() + 1) for c in ";}{") + 1
            head = text[start : match.start(2)].strip()
            template = re.match(r"template\s*<([^{}]*?)>\s*(?=\w)", head)
            returns = head[template.end() :] if template else head
            returns = re.sub(r"\b(?:inline|static|constexpr|extern)\b|\[\[\w+\]\]", "", returns)
            returns = " ".join(re.sub(r"^\s*(?:public|private)\s*:", "", returns).split())
            if returns.split(" ")[0] in ("else", "return", "new", "case"):
                continue
            parameters = tuple(declared(p) for p in split(text[opened + 1 : after - 1]))
            found = Function(
                match[2],
                returns,
                parameters,
                file,
                begin,
                end,
                template[1] if template else "",
                "constexpr" in head,
            )
            self.functions.setdefault(match[2], []).append(found)
            taken = end

    # -- constants and types --------------------------------------------------------------------

    def value(self, expression: str, known: Optional[Dict[str, int]] = None) -> Optional[int]:
        """Return the value of a constant expression, or None if it is none."""
        text = expression.strip()
        if known and text in known:
            return known[text]
        if text in self.constants:
            return self.constants[text]
        if text in self._expressions:
            inner = self._expressions.pop(text)
            found = self.value(inner)
            if found is not None:
                self.constants[text] = found
            return found
        text = re.sub(r"static_cast<[\w\s]+>", "", text)
        question = text.find("?")
        if question >= 0 and text.count("?") == 1 and text.count(":") == 1:
            colon = text.index(":")
            parts = (text[:question], text[question + 1 : colon], text[colon + 1 :])
            values_of = [self.value(part, known) for part in parts]
            if text.count("(") == text[:question].count("(") or "(" not in text:
                return None if None in values_of else values_of[1 if values_of[0] else 2]
        text = re.sub(r"\b(0x[0-9a-fA-F]+|\d+)[uUlL]*\b", r"\1", text)
        if re.search(r"[\[\]{}?]|&&|\|\|", text):
            return None
        names = re.findall(r"\b[A-Za-z_]\w*", re.sub(r"0x[0-9a-fA-F]+", "", text))
        if any(re.search(rf"\b{name}\s*\(", text) for name in names):
            return None
        values: Dict[str, int] = {}
        for name in names:
            found = self.value(name, known) if name != text else None
            if found is None:
                return None
            values[name] = found
        try:
            return int(eval(text.replace("/", "//"), {"__builtins__": {}}, values))
        except (SyntaxError, TypeError, ZeroDivisionError):
            return None

    def plain(self, kind: str) -> str:
        """Return a type without const, references and aliases: ``Word[kRow]`` is int16_t[kRow]."""
        kind = re.sub(r"\b(?:const|struct|static|volatile)\b|&", "", kind)
        kind = " ".join(kind.split()).replace(" [", "[").replace(" *", "*")
        base, extents = (kind + "[").split("[", 1)
        base = base.strip()
        extents = ("[" + extents)[:-1] if extents else ""
        pointer = base.endswith("*")
        base = base.rstrip("* ")
        seen: Set[str] = set()
        while base in self.aliases and base not in seen:
            seen.add(base)
            inner = self.aliases[base]
            inner_base, inner_extents = (inner + "[").split("[", 1)
            base = " ".join(inner_base.replace("const", "").split())
            extents += ("[" + inner_extents)[:-1] if inner_extents else ""
        return base + ("*" if pointer else "") + extents

    def bits(self, kind: str) -> int:
        """Return the bits of a type: of all elements of an array, of all fields of a structure."""
        kind = self.plain(kind)
        base, *extents = re.split(r"\[", kind)
        number = 1
        for extent in extents:
            value = self.value(extent.rstrip("] "))
            if value is None:
                raise ReadError(f"the extent of {kind} must be a constant")
            number *= value
        narrow = re.fullmatch(r"(?:hls::)?ap_u?int<(.*)>", base)
        if narrow:
            width = self.value(narrow[1])
            if width is None:
                raise ReadError(f"the width of {kind} must be a constant")
            return number * width
        if base in BITS:
            return number * BITS[base]
        if base in self.structures:
            return number * sum(self.bits(field) for field in self.structures[base].values())
        raise ReadError(f"a type must be a number, or a structure of hw/src. Received: {kind}")

    def scalar(self, kind: str) -> bool:
        """Return whether a type is a number."""
        plain = self.plain(kind)
        return plain in BITS or plain.startswith("ap_")

    def holds_array(self, kind: str) -> bool:
        """Return whether a type is an array, or a structure with one, of more elements than Vitis HLS
        makes into registers by itself (four, UG1399: config_array_partition)."""  # noqa: E501
        plain = self.plain(kind)
        extents = [self.value(extent) for extent in re.findall(r"\[([^\]]*)\]", plain)]
        if any(extent is None or extent > 4 for extent in extents):
            return True
        return any(self.holds_array(field) for field in self.structures.get(plain, {}).values())

    # -- loops and calls ------------------------------------------------------------------------

    def regions(self) -> Iterator[Tuple[File, Pragma, Optional[Function]]]:
        """Return every DATAFLOW pragma with its file, and the function that it is in, if any."""
        for file in self.files:
            for pragma in file.pragmas:
                if re.match(r"DATAFLOW\b", pragma.text, re.I):
                    yield file, pragma, self.function_at(file, pragma.at)

    def function_at(self, file: File, at: int) -> Optional[Function]:
        """Return the function that a position lies in."""
        for functions in self.functions.values():
            for function in functions:
                if function.file is file and function.begin <= at < function.end:
                    return function
        return None

    def loops(self) -> List[Loop]:
        """Return every pipelined loop and function, in the order of the sources."""
        found = []
        for file in self.files:
            for pragma in file.pragmas:
                if not re.match(r"PIPELINE\b", pragma.text, re.I):
                    continue
                found.append(self._loop(file, pragma))
        return found

    def _loop(self, file: File, pragma: Pragma) -> Loop:
        function = self.function_at(file, pragma.at)
        if function is None:
            raise ReadError(f"{file.place(pragma.at)}: a PIPELINE pragma must be in a function")
        opened = pragma.at
        depth = 1
        while depth:
            opened -= 1
            depth += (file.text[opened] == "}") - (file.text[opened] == "{")
        if opened == function.begin:
            return Loop(function.name, function, pragma, function.begin, function.end)
        before = file.text[:opened].rstrip()
        begin = len(before)
        if before.endswith(")"):
            depth = 0
            while True:
                begin -= 1
                depth += (before[begin] == ")") - (before[begin] == "(")
                if depth == 0:
                    break
        head = re.search(r"(?:\b(\w+)\s*:\s*)?\b(for|while|do)\s*$", file.text[:begin])
        if head is None or head[1] is None:
            raise ReadError(f"{file.place(pragma.at)}: a pipelined loop must have a label")
        return Loop(head[1], function, pragma, head.start(2), closing(file.text, opened))

    def calls(self, text: str) -> Iterator[Tuple[str, List[str], int]]:
        """Give the functions of these sources that a text calls: name, arguments, position."""
        for match in re.finditer(r"(?<![\w.>])(\w+)\s*(?:<[\w\s,+*/-]*>\s*)?\(", text):
            if match[1] in self.functions and match[1] not in _KEYWORDS:
                end = closing(text, match.end() - 1)
                yield match[1], split(text[match.end() : end - 1]), match.start()

    def called(self, name: str, arguments: Sequence[str]) -> List[Function]:
        """Return the functions that a call can mean: those with as many parameters, else all."""
        all_of = self.functions[name]
        return [f for f in all_of if len(f.parameters) == len(arguments)] or all_of

    def accesses(
        self, text: str, function: Function, begin: int, names: Optional[Dict[str, str]] = None,
        within: Tuple[str, ...] = (),
    ) -> Iterator["Access"]:  # fmt: skip
        """Give the accesses to memories that a text announces, with those of what it calls.

        A memory is named as the text names it: parameters of what it calls are followed back.
        """
        for match in re.finditer(r"\bCIRCNN_(READ|WRITE)S\s*\(", text):
            end = closing(text, match.end() - 1)
            memory, *_, ram = split(text[match.end() : end - 1])
            path, at = self._outer(memory, names or {}), begin + match.start()
            yield Access(match[1] == "WRITE", path, ram, function.file.place(at))
        for name, arguments, _ in self.calls(text):
            for called in self.called(name, arguments) if name not in within else ():
                inner = {
                    parameter: self._outer(argument, names or {})
                    for (_, parameter), argument in zip(called.parameters, arguments)
                }
                yield from self.accesses(called.body, called, called.begin, inner, (*within, name))

    @staticmethod
    def _outer(argument: str, names: Dict[str, str]) -> str:
        first, dot, rest = path_of(argument).partition(".")
        return names.get(first, first) + dot + rest

    def reached(self, text: str) -> List[Function]:
        """Return the functions that a text calls, and those that they call."""
        todo, seen = [text], {}  # type: List[str], Dict[int, Function]
        while todo:
            for name, arguments, _ in self.calls(todo.pop()):
                for function in self.called(name, arguments):
                    if id(function) not in seen:
                        seen[id(function)] = function
                        todo.append(function.body)
        return list(seen.values())


def read_folder(folder: str = SOURCE_FOLDER, headers: Sequence[str] = ()) -> Sources:
    """Return the sources of a folder and the folders in it."""
    files = []
    for path in sorted(glob.glob(os.path.join(folder, "**", "*.[hc]pp"), recursive=True)):
        with open(path, encoding="utf-8") as file:
            files.append(read_file(os.path.relpath(path, folder), file.read()))
    return Sources(files, headers)


def engine_sources(configuration: str = "z2", folder: str = SOURCE_FOLDER) -> Sources:
    """Return the engine's sources with the constants of a configuration."""
    import settings

    made = settings.headers.engine_headers(configuration)
    code = read_folder(folder, [text for name, text in made.items() if name.endswith(".h")])
    # what they define is called in loops as well
    generated = [read_file(name, text) for name, text in sorted(made.items())]
    return Sources([*code.files, *generated], code.headers)
