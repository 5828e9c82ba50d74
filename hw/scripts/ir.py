"""LLVM IR as text: functions, blocks, loops, and branches made into selections."""

import re
from functools import reduce
from typing import Dict, Iterable, List, NamedTuple, Set, Tuple

LABEL = r'label %("?[-\w.$]+"?)'


class IrError(Exception):
    """IR that is not of the kind that these checks read."""


class IrFunction(NamedTuple):
    """A function's head, up to its brace, and its lines."""

    name: str
    head: str
    lines: List[str]

    @property
    def entry(self) -> str:
        """The label of the first block: the number after the unnamed parameters."""
        named = re.match(r'("?[-\w.$]+"?):', self.lines[0]) if self.lines else None
        return named[1] if named else str(len(re.findall(r" %\d+[,)]", self.head)))


def functions(text: str) -> Dict[str, IrFunction]:
    """Return the functions that IR defines, by their mangled names."""
    found = {}
    for match in re.finditer(
        r"^(define .*?@\"?([\w.$]+)\"?\(.*?\) .*?)\{\n(.*?)^\}", text, re.M | re.S
    ):
        found[match[2]] = IrFunction(match[2], match[1], match[3].splitlines())
    return found


def blocks(lines: Iterable[str], entry: str = "entry") -> Dict[str, List[str]]:
    """Return the instructions of each basic block, without comments and debug information."""
    found: Dict[str, List[str]] = {}
    here: List[str] = []
    started = False
    for line in lines:
        label = re.match(r'("?[-\w.$]+"?):', line)
        if label:
            here = found.setdefault(label[1], [])
            started = True
        elif line.strip() and not line.lstrip().startswith(";"):
            if not started:
                here = found.setdefault(entry, [])
                started = True
            if here and here[-1].startswith("switch") and not here[-1].endswith("]"):
                here[-1] += " " + line.strip()
            else:
                here.append(line.strip())
    return found


def successors(lines: Iterable[str]) -> List[str]:
    """Return the labels that a block's last instruction names."""
    last = list(lines)[-1]
    return re.findall(LABEL, last) if last.startswith(("br ", "switch ")) else []


def loops(code: Dict[str, List[str]]) -> List[Set[str]]:
    """Return the blocks of each loop, the smallest first, with those of the loops in it."""
    after = {name: set(successors(lines)) for name, lines in code.items()}
    reached: Dict[str, Set[str]] = {}
    for name in code:
        todo, reached[name] = list(after[name]), set()
        while todo:
            block = todo.pop()
            if block not in reached[name] and block in after:
                reached[name].add(block)
                todo += after[block]
    cycles = {frozenset(b for b in reached[name] if name in reached[b]) for name in code}
    return [set(cycle) for cycle in sorted(cycles, key=len) if cycle]


def nested(code: Dict[str, List[str]], blocks_of: Set[str]) -> bool:
    """Return whether there is a loop within a loop: a cycle that leaves its entry out."""
    entries = {
        other
        for name, lines in code.items()
        if name not in blocks_of
        for other in successors(lines)
        if other in blocks_of
    }
    inner = {name: code[name] for name in blocks_of - entries}
    return bool(loops(inner))


def order(code: Dict[str, List[str]], entry: str) -> List[str]:
    """Return the blocks so that each stands after all before it.

    Raises
    ------
    IrError
        If there is a loop.
    """
    after = {name: successors(lines) for name, lines in code.items()}
    done: List[str] = []
    state: Dict[str, int] = {}

    def visit(name: str) -> None:
        if state.get(name) == 1:
            raise IrError("a function that is scheduled must have no loop")
        if name in state:
            return
        state[name] = 1
        for other in after[name]:
            visit(other)
        state[name] = 2
        done.append(name)

    visit(entry)
    return done[::-1]


def flat(function: IrFunction) -> str:
    """Return a function without branches: every one becomes a selection, as in a pipeline.

    A tool computes both sides of a branch in a pipelined loop and selects. Bambu would give each
    block a state of its own. The function must have no loop and must write no memory.
    """
    code = blocks(function.lines, function.entry)
    names = order(code, function.entry)
    lines: List[str] = []
    edges: Dict[Tuple[str, str], str] = {}
    counter = 0

    def new(text: str) -> str:
        nonlocal counter
        counter += 1
        lines.append(f"%flat{counter} = {text}")
        return f"%flat{counter}"

    def both(a: str, b: str) -> str:
        if "true" in (a, b):
            return b if a == "true" else a
        return new(f"and i1 {a}, {b}")

    def either(a: str, b: str) -> str:
        return "true" if "true" in (a, b) else new(f"or i1 {a}, {b}")

    def add_edge(source: str, target: str, condition: str) -> None:
        key = (source, target)
        edges[key] = either(edges[key], condition) if key in edges else condition

    reached = {function.entry: "true"}
    complement: Dict[str, str] = {}
    for name in names:
        if name not in reached:
            into = [edges[key] for key in edges if key[1] == name]
            reached[name] = _joined(name, names, code, reached) or reduce(either, into)
        for line in code[name][:-1]:
            result, _, text = line.partition(" = ")
            if text.startswith("phi "):
                kind = re.match(r"phi (?:[a-z]+ )*?(\S+) \[", text)
                pairs = re.findall(r"\[ (.+?), %(\"?[-\w.$]+\"?) \]", text)
                if kind is None:
                    raise IrError(f"this phi cannot be read: {line}")
                value = pairs[-1][0]
                for other, block in reversed(pairs[:-1]):
                    if other != value:
                        value = new(
                            f"select i1 {edges[(block, name)]}, {kind[1]} {other}, {kind[1]} {value}"  # noqa: E501
                        )
                lines.append(f"{result} = bitcast {kind[1]} {value} to {kind[1]}")
            elif line.startswith(("store ", "call void @llvm.", "tail call void @llvm.")):
                if line.startswith("store "):
                    raise IrError("a function that is scheduled must write no memory")
            else:
                lines.append(line)
        last = code[name][-1]
        if last.startswith("br i1 "):
            condition = re.match(r"br i1 (\S+),", last)[1]  # type: ignore[index]
            yes, no = re.findall(LABEL, last)[:2]
            if condition not in complement:
                complement[condition] = new(f"xor i1 {condition}, true")
            add_edge(name, yes, both(reached[name], condition))
            add_edge(name, no, both(reached[name], complement[condition]))
        elif last.startswith("br "):
            add_edge(name, re.findall(LABEL, last)[0], reached[name])
        elif last.startswith("switch "):
            kind, value = re.match(r"switch (\S+) (\S+),", last).groups()  # type: ignore[union-attr]
            others = "true"
            for constant, target in re.findall(rf"{kind} (-?\w+), {LABEL}", last):
                equal = new(f"icmp eq {kind} {value}, {constant}")
                add_edge(name, target, both(reached[name], equal))
                others = both(others, new(f"xor i1 {equal}, true"))
            add_edge(name, re.findall(LABEL, last)[0], both(reached[name], others))
        elif last.startswith("ret "):
            lines.append(last)
        elif last != "unreachable":
            raise IrError(f"this end of a block cannot be read: {last}")
    body = "\n".join("  " + _plain(line) for line in lines)
    return f"{_plain(function.head)}{{\n{body}\n}}\n"


def _joined(
    name: str, names: List[str], code: Dict[str, List[str]], reached: Dict[str, str]
) -> str:
    """Return the condition of the nearest block that all paths to this one pass and that leads to
    nothing else, or nothing: then it is reached exactly as that block is."""
    after = {block: successors(lines) for block, lines in code.items()}
    leads = {name}
    for block in reversed(names[: names.index(name)]):
        if after[block] and all(other in leads for other in after[block]):
            leads.add(block)
    for block in reversed(names[: names.index(name)]):
        if block in leads and _all_paths_through(block, name, names, after):
            return reached[block]
    return ""


def _all_paths_through(
    block: str, name: str, names: List[str], after: Dict[str, List[str]]
) -> bool:
    """Return whether every path to a block passes another one."""
    open_ = {names[0]} if names[0] != block else set()
    for other in names:
        if other in open_ and other != block:
            open_ |= set(after[other])
    return name not in open_


def _plain(line: str) -> str:
    """Return a line with names that need no order, and without promises about overflow."""
    line = re.sub(r", !\w+ !\d+", "", line)
    line = re.sub(r"%(\d+)\b", r"%v\1", line)
    if " = " in line:
        line = re.sub(r"\b(?:nuw|nsw|exact|inbounds|disjoint) ", "", line)
    return line
