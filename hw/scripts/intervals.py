"""Whether each pipelined loop can start a trip every cycle: its recurrences, scheduled by Bambu.

::

    python3 hw/scripts/intervals.py [LOOP ...] [--page] [--build FOLDER]

A loop's next trip needs the state that this trip leaves. So the loops of ``hw/src`` keep their state
in a structure of numbers and step it with one function, ``state = next_...(job, state, ...)``. For
each field of the state this script compiles a wrapper of plain numbers around that very function,
makes its branches into selections, as every tool does in a pipelined loop, and lets PandA-Bambu
schedule it against the delays of the XC7Z020: at an interval of one it must need one state of
7.3 ns, which is 100 MHz less the 27 % that Vitis HLS keeps as clock uncertainty.

The loops are found in the sources. A variable that goes from trip to trip must be the state of a
next function, or be covered by a recurrence of ``hw/rtl/recurrences.hpp``, which is scheduled as
well; an input of a next function that the loop computes from the state is an error. Controls, which
must need more than one state, show that the check can fail.

What it shows: that recurrences and what decides about the ports fit into a cycle, with the delays of
cells and an estimate of wires. It shows no timing after placing and routing, no ports of memories
(the C simulation checks those, ``hw/src/silicon.hpp``), and nothing of the path outside of the
recurrences, which a tool cuts into as many stages as it needs.
"""  # noqa: E501

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Dict, Iterable, List, NamedTuple, Optional, Sequence, Set, Tuple

import ir
import rtl
import sources
from sources import Function, Loop, Sources

PERIOD = 7.3  # ns: 100 MHz less 27 %
PROCESSES = 2
SECONDS = 300
CONFIGURATION = "z2"
FLAGS = (
    "-m32 -O2 -std=c++14 -w -S -emit-llvm -x c++ -o - -I. -fno-vectorize -fno-slp-vectorize "
    "-mllvm -inline-threshold=10000000 -mllvm -unroll-threshold=100000 -"
)

REGISTER = "a register: it takes what this trip computed from its inputs"
COVERED: Dict[Tuple[str, str], str] = {
    ("*", "trips"): "counted",
    ("*", "saturations"): "counted",
    ("*", "report"): "counted",  # the beats out
    ("*", "limited"): "counted",
    ("*", "legal"): "one AND",
    ("*", "packet"): "packet",
    ("*", "reader"): "packet",
    ("*", "payload"): "packet, crc",
    ("*", "held"): REGISTER,
    ("forward_transform.forward", "beat"): REGISTER,
    ("forward_transform.forward", "delays"): REGISTER,
    ("inverse_transform.inverse", "delays"): REGISTER,
    ("plan_layer.copy", "numbers"): "a memory: written in order, and not read",
    ("product", "fresh"): REGISTER,
    ("product", "real"): REGISTER,
    ("product", "sums"): "lane",
    ("read_layer.read", "low"): REGISTER,
    ("read_layer.read", "low_waits"): REGISTER,
    ("read_layer.read", "upper"): REGISTER,
    ("read_layer.read", "upper_waits"): REGISTER,
    ("epilogue", "window"): REGISTER,
    ("vector_layer.vector", "totals"): "total",
    ("sequence_outputs.outputs", "line"): "from a channel",
}
"""By loop and variable (``*``: every loop that has it): the recurrence of
``hw/rtl/recurrences.hpp`` that steps the variable, or, in words, why none is needed. A loop is
``function.label``, or the function if the label is the same."""

CONTROLS = ("old_product", "multiplied")
"""Recurrences of ``hw/rtl/recurrences.hpp`` that must need more than one state."""


class Job(NamedTuple):
    """Something to schedule: what it belongs to, its name, and the wrapper."""

    owner: str
    name: str
    text: str


class Schedule(NamedTuple):
    """What Bambu says of a wrapper."""

    states: int
    slack: float
    error: str = ""


class Row(NamedTuple):
    """A line of the table."""

    loop: str
    interval: int
    states: int
    slack: float
    what: str


# -- what the sources say ---------------------------------------------------------------------------  # noqa: E501


def loop_name(loop: Loop) -> str:
    """Return the name of a loop: its function's, with its label if that is another one."""
    function = loop.function.name
    return function if loop.label == function else f"{function}.{loop.label}"


def next_calls(code: Sources, loop: Loop) -> List[Tuple[str, List[str]]]:
    """Return the next functions that a loop calls, with the arguments."""
    found = [(name, args) for name, args, _ in code.calls(loop.text) if name.startswith("next_")]
    return list({name: (name, args) for name, args in found}.values())


def next_function(code: Sources, name: str, arguments: Sequence[str]) -> Function:
    """Return the next function that a call means.

    Raises
    ------
    sources.ReadError
        If it does not return the state that it takes, or takes something that it could change.
    """
    functions = code.called(name, arguments)
    if len(functions) != 1:
        raise sources.ReadError(f"{name} must be one function. Received: {len(functions)}.")
    function = functions[0]
    where = function.file.place(function.begin)
    for kind, parameter in function.parameters:
        if "*" in kind or "[" in kind or ("&" in kind and "const" not in kind):
            raise sources.ReadError(
                f"{where}: {name} must take numbers and structures of numbers and change none of "
                f"them. Received: {kind} {parameter}. Return the next state."
            )
    state = code.plain(function.returns)
    if state not in [code.plain(kind) for kind, _ in function.parameters]:
        raise sources.ReadError(
            f"{where}: {name} must return the type of the state that it takes. Received: "
            f"{function.returns}."
        )
    return function


def leaves_of(code: Sources, kind: str, path: str = "") -> List[Tuple[str, str]]:
    """Return type and path of every number in a type: ``("uint16_t", ".row.at")``."""
    plain = code.plain(kind)
    if "[" in plain:
        base, extent = re.match(r"(.*?)\[(.*?)\]", plain).groups()  # type: ignore[union-attr]
        rest = plain[plain.index("]") + 1 :]
        number = code.value(extent)
        if number is None:
            raise sources.ReadError(f"the extent of {kind} must be a constant")
        return [
            leaf for i in range(number) for leaf in leaves_of(code, base + rest, f"{path}[{i}]")
        ]
    if code.scalar(plain):
        return [("int64_t" if plain.startswith("ap_") else plain, path)]
    if plain not in code.structures:
        raise sources.ReadError(f"a state or job must be made of numbers. Received: {kind}")
    return [
        leaf
        for name, field in code.structures[plain].items()
        for leaf in leaves_of(code, field, f"{path}.{name}")
    ]


def wrappers(code: Sources, function: Function) -> Dict[str, str]:
    """Return a wrapper of numbers for each number that a function returns, by its path."""
    declared: List[str] = []
    body: List[str] = []
    passed: List[str] = []
    for i, (kind, _) in enumerate(function.parameters):
        plain = code.plain(kind)
        passed.append(f"p{i}")
        if code.scalar(plain):
            declared.append(f"{plain} q{i}")
            cast = re.sub(r"\bconst\b|&", "", kind).strip()
            body.append(f"const {cast} p{i} = static_cast<{cast}>(q{i});")
            continue
        body.append(f"{plain} p{i};")
        for j, (leaf, path) in enumerate(leaves_of(code, plain)):
            declared.append(f"{leaf} p{i}_{j}")
            body.append(f"p{i}{path} = static_cast<decltype(p{i}{path})>(p{i}_{j});")
    made = {}
    call = f"{function.name}({', '.join(passed)})"
    for leaf, path in leaves_of(code, function.returns):
        lines = "\n    ".join([*body, f"return static_cast<{leaf}>({call}{path});"])
        made[path.lstrip(".")] = f"{leaf} unit({', '.join(declared)}) {{\n    {lines}\n}}\n"
    return made


_NAME = r"[A-Za-z_]\w*"
_ASSIGNED = re.compile(
    rf"(?:\+\+|--)\s*({_NAME})|({_NAME})((?:\s*(?:\.\s*{_NAME}|\[[^\]]*\]))*)\s*"
    r"(?:\+\+|--|(?:[-+*/%&|^]|<<|>>)?=(?!=))"
)
_DECLARED = re.compile(
    rf"(?:^|[;{{}}(:])\s*(?:(?:const|static)\s+)*{_NAME}(?:::{_NAME})*(?:<[^;<>]*>)?\s*[&*]?\s+[&*]?"
    rf"({_NAME})\s*(?=[=;\[{{(:]|,\s*{_NAME}\s*[=,;])",
    re.M,
)


def local_names(text: str) -> Set[str]:
    """Return the names that a text declares.

    >>> sorted(local_names("{ const Word w = a.b; Line next; int32_t i = 0, j = f(k); x = 1; }"))
    ['i', 'j', 'next', 'w']
    """
    found: Set[str] = set()
    for match in _DECLARED.finditer(text):
        first = re.match(r"[;{}(:\s]*(?:(?:const|static)\s+)*([A-Za-z_]\w*)", match[0])
        if first and first[1] in ("return", "else", "goto", "case", "delete", "new"):
            continue
        found.add(match[1])
        end = text.find(";", match.end())
        rest = sources.split(text[match.end(1) : end if end >= 0 else len(text)])[1:]
        for other in rest:
            name = re.match(rf"[&*]?({_NAME})\s*(?:=|\[|\{{|$)", other)
            if name:
                found.add(name[1])
    return found


def carried(code: Sources, loop: Loop) -> Set[str]:
    """Return the variables from outside a loop that a trip changes, but for channels and memories.

    Memories are arrays that the loop announces (CIRCNN_WRITES): their accesses are the simulation's
    to check.
    """
    text = re.sub(r"CIRCNN_COUNT\([^;]*\);", "", loop.text)  # of our simulation alone
    local = local_names(text)
    changed = {m[1] or m[2] for m in _ASSIGNED.finditer(text)}
    for name, arguments, _ in code.calls(text):
        for function in code.called(name, arguments):
            for (kind, _), argument in zip(function.parameters, arguments):
                is_changed = ("&" in kind or "*" in kind or "[" in kind) and "const" not in kind
                is_channel = "Stream" in kind
                root = re.match(rf"[&*(\s]*({_NAME})", argument)
                if is_changed and not is_channel and root:
                    changed.add(root[1])
    accesses = code.accesses(text, loop.function, loop.begin)
    memories = {access.memory.split(".")[0] for access in accesses if access.writes}
    head = re.match(r"\s*for\s*\((.*?);", text, re.S)
    counter = local_names("{" + head[1] + ";") if head else set()
    return changed - local - memories - counter - {"CIRCNN_COUNT"}


def depends_on(text: str, argument: str, state: str) -> bool:
    """Return whether a text computes an argument from the state, other than through a channel."""
    todo, seen = [argument], set()  # type: List[str], Set[str]
    while todo:
        expression = todo.pop()
        if re.search(r"\.\s*(?:read|empty)\s*\(|\b\w+_(?:beat|read)\s*\(", expression):
            continue
        for name in set(re.findall(rf"(?<![.\w>]){_NAME}", expression)) - seen:
            if name == state:
                return True
            seen.add(name)
            todo += re.findall(rf"\b{name}\s*=(?!=)\s*([^;]+);", text)
    return False


def faults(code: Sources, loop: Loop) -> List[str]:
    """Return what a loop does that its next functions do not show."""
    name, found = loop_name(loop), []
    where = loop.function.file.place(loop.begin)
    if loop.interval is None:
        found.append(f"{where}: the loop {name} must state its interval, II = 1")
    calls = next_calls(code, loop)
    states: Set[str] = set()
    for called, arguments in calls:
        function = next_function(code, called, arguments)
        state_type = code.plain(function.returns)
        kinds = [code.plain(kind) for kind, _ in function.parameters]
        state = arguments[kinds.index(state_type)]
        root = re.match(_NAME, state)
        kept = root[0] if root else state
        states.add(kept)
        if not re.search(rf"\b{re.escape(state)}\s*=\s*{called}\s*\(", loop.text):
            bound = re.search(rf"({_NAME})\s*=\s*{called}\s*\(", loop.text)
            later = bound and re.search(rf"\b{re.escape(state)}\s*=\s*{bound[1]}\s*;", loop.text)
            if not later:
                found.append(
                    f"{where}: the loop {name} must step its state: {state} = {called}(...)"
                )
        for (kind, _), argument in zip(function.parameters, arguments):
            if code.plain(kind) != state_type and depends_on(loop.text, argument, kept):
                found.append(
                    f"{where}: the loop {name} computes {argument} from the state {kept} and passes "  # noqa: E501
                    f"it to {called} beside it: compute it in {called}, where it is scheduled"
                )
    for variable in sorted(carried(code, loop) - states):
        if covered(name, variable) is None:
            found.append(
                f"{where}: the loop {name} changes {variable} from trip to trip outside of a next "
                "function. Put it into the state, or say in COVERED what schedules it."
            )
    return found


def covered(loop: str, variable: str) -> Optional[str]:
    """Return what COVERED says of a loop's variable."""
    return COVERED.get((loop, variable), COVERED.get(("*", variable)))


def stale(code: Sources, loops: Iterable[Loop]) -> List[str]:
    """Return the entries of COVERED that no loop needs any more, or that name no recurrence."""
    names = recurrence_names(code)
    words = {word for text in COVERED.values() for word in text.split(", ") if " " not in word}
    unknown = [
        f"COVERED names the recurrence {word}, which is unknown" for word in words - set(names)
    ]
    needed = {(loop_name(loop), v) for loop in loops for v in carried(code, loop)}
    needed |= {("*", variable) for _, variable in needed}
    unused = [f"COVERED has {key}, which no loop needs" for key in COVERED if key not in needed]
    return unknown + unused


# -- Bambu ------------------------------------------------------------------------------------------  # noqa: E501


def prepare(folder: str) -> str:
    """Write the sources and the recurrences into a folder; return the lines that include them."""
    rtl.prepare("engine", CONFIGURATION, folder)
    for base, _, files in os.walk(folder):
        for file in files:
            path = os.path.join(base, file)
            if not file.endswith(".hpp"):
                continue
            with open(path, encoding="utf-8") as stream:
                text = stream.read()
            text = re.sub(r"^((?:template <[^>\n]*>\s)?)(?:static )?inline ",
                          r"\1static inline __attribute__((always_inline)) ", text, flags=re.M)  # fmt: skip  # noqa: E501
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(text)
    path = os.path.join(folder, "circnn_engine.cpp")
    for name in (path, path.replace(".cpp", ".hpp")):
        with open(name, encoding="utf-8") as stream:
            text = stream.read()
        with open(name, "w", encoding="utf-8") as stream:
            stream.write(re.sub(r"^(static )?(?=\w+ \w+\()", "static ", text, flags=re.M))
    return '#include "circnn_engine.cpp"\n#include "recurrences.hpp"\n'


def lowered(text: str, folder: str) -> Tuple[str, str]:
    """Return a wrapper as LLVM IR without branches, and its name there.

    Raises
    ------
    sources.ReadError
        If clang-16 does not compile it, or leaves a loop, a call or a store in it.
    """
    done = subprocess.run(["clang-16", *FLAGS.split()], cwd=folder, input=text, capture_output=True,
                          text=True)  # fmt: skip
    if done.returncode:
        raise sources.ReadError(f"clang-16 must compile a wrapper. Received: {done.stderr[:2000]}")
    functions = ir.functions(done.stdout)
    unit = functions[next(name for name in functions if name.startswith("_Z4unit"))]
    try:
        flat = ir.flat(unit)
    except ir.IrError as error:
        raise sources.ReadError(str(error)) from None
    called = set(re.findall(r"call .*?@([\w.]+)", flat))
    if any(not name.startswith("llvm.") for name in called):
        raise sources.ReadError(f"a wrapper must call nothing. Received: {', '.join(called)}.")
    whole = done.stdout.replace(f"{unit.head}{{\n" + "\n".join(unit.lines) + "\n}", flat)
    return re.sub(r"^(?:source_filename|; ModuleID).*\n", "", whole, flags=re.M), unit.name


def command(bambu: str, top: str = "unit") -> List[str]:
    """Return the call of Bambu for a wrapper."""
    return [
        bambu, "unit.ll", f"--top-fname={top}", "--generate-interface=MINIMAL",
        f"--device-name={rtl.DEVICE}", f"--clock-period={PERIOD}", "--compiler=I386_CLANG16", "-O2",
    ]  # fmt: skip


def read_log(log: str) -> Schedule:
    """Return the states of all functions together, and the least slack."""
    states = [int(n) for n in re.findall(r"Number of states: (\d+)", log)]
    slacks = [float(s) for s in re.findall(r"Minimum slack: (-?[\d.e+-]+)", log)]
    errors = re.findall(r"^.*\berror\b.*", log, re.M | re.I)
    if not states or not slacks:
        return Schedule(0, 0.0, "; ".join(errors[:2]) or "Bambu gave no schedule")
    return Schedule(sum(states), min(slacks))


def schedule(job: Job, head: str, folder: str, bambu: str) -> Schedule:
    """Let Bambu schedule a wrapper, or return what it said of the same code before."""
    try:
        text, top = lowered(head + job.text, folder)
    except sources.ReadError as error:
        return Schedule(0, 0.0, str(error))
    key = hashlib.sha256((text + " ".join(command("", top))).encode()).hexdigest()
    kept = os.path.join(folder, "..", "schedules", key[:24])
    if os.path.exists(kept):
        with open(kept, encoding="utf-8") as stream:
            return Schedule(*json.load(stream))
    place = tempfile.mkdtemp(prefix=job.owner.replace(" ", "-") + "-", dir=folder)
    with open(os.path.join(place, "unit.ll"), "w", encoding="utf-8") as stream:
        stream.write(text)
    status = rtl.call(command(bambu, top), place, "log", SECONDS)
    with open(os.path.join(place, "log"), encoding="utf-8", errors="replace") as stream:
        found = read_log(stream.read())
    if status != 0 and not found.error:
        found = Schedule(0, 0.0, f"Bambu ended with {status}")
    if not found.error:
        os.makedirs(os.path.dirname(kept), exist_ok=True)
        with open(kept, "w", encoding="utf-8") as stream:
            json.dump(found, stream)
        shutil.rmtree(place)
    return found


def progress(futures: Sequence[object], done: Iterable[object]) -> Iterable[object]:
    """Return the finished ones, with a progress bar if tqdm is installed, else lines."""
    try:
        from tqdm import tqdm

        return tqdm(done, total=len(futures), unit="wrapper", disable=not sys.stderr.isatty())
    except ImportError:
        return _counted(done, len(futures))


def _counted(done: Iterable[object], total: int) -> Iterable[object]:
    for number, item in enumerate(done, 1):
        if number % 10 == 0 or number == total:
            print(f"{number} of {total} scheduled", file=sys.stderr, flush=True)
        yield item


def schedules(jobs: Sequence[Job], head: str, folder: str, bambu: str) -> Dict[Job, Schedule]:
    """Schedule all wrappers, two at once."""
    found = {}
    with ThreadPoolExecutor(PROCESSES) as pool:
        futures = {pool.submit(schedule, job, head, folder, bambu): job for job in jobs}
        for future in progress(list(futures), as_completed(futures)):
            found[futures[future]] = future.result()  # type: ignore[index, attr-defined]
    return found


# -- all loops --------------------------------------------------------------------------------------  # noqa: E501


def recurrences() -> Sources:
    """Return what ``hw/rtl/recurrences.hpp`` defines, with the engine's types."""
    with open(os.path.join(rtl.HW, "rtl", "recurrences.hpp"), encoding="utf-8") as stream:
        own = sources.read_file("recurrences.hpp", stream.read())
    engine = sources.engine_sources(CONFIGURATION)
    return Sources([*engine.files, own], engine.headers)


def recurrence_names(code: Sources) -> List[str]:
    """Return the names of the recurrences: functions recurrence_NAME."""
    return [name[len("recurrence_") :] for name in code.functions if name.startswith("recurrence_")]


def all_jobs(code: Sources, loops: Sequence[Loop]) -> List[Job]:
    """Return every wrapper: of the loops' next functions, and of the recurrences."""
    jobs = []
    for loop in loops:
        for name, arguments in next_calls(code, loop):
            for path, text in wrappers(code, next_function(code, name, arguments)).items():
                jobs.append(Job(loop_name(loop), f"{name}: {path}", text))
    for name in recurrence_names(code):
        for path, text in wrappers(code, code.functions[f"recurrence_{name}"][0]).items():
            jobs.append(Job(f"recurrence {name}", path or name, text))
    return jobs


def table(rows: Sequence[Row]) -> str:
    """Return the table of loops."""
    lines = [
        f"| loop | interval stated | states of {PERIOD} ns | slack, ns | what was scheduled |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        states, slack = (row.states, f"{row.slack:.1f}") if row.states else ("-", "-")
        lines.append(f"| `{row.loop}` | {row.interval or '-'} | {states} | {slack} | {row.what} |")
    return "\n".join(lines)


def rows_of(
    code: Sources, loops: Sequence[Loop], found: Dict[Job, Schedule]
) -> Tuple[List[Row], List[str]]:
    """Return the table's rows, and what is wrong."""
    rows, wrong = [], []
    for job, result in found.items():
        if result.error:
            wrong.append(f"{job.owner}, {job.name}: {result.error}")
    owners: Dict[str, List[Tuple[Job, Schedule]]] = {}
    for job, result in found.items():
        owners.setdefault(job.owner, []).append((job, result))

    def worst(owner: str) -> Schedule:
        results = [result for _, result in owners.get(owner, [])]
        return max(results, key=lambda r: (r.states, -r.slack)) if results else Schedule(0, 0.0)

    for loop in loops:
        name = loop_name(loop)
        calls = [called for called, _ in next_calls(code, loop)]
        also = sorted({covered(name, v) or "" for v in carried(code, loop)} - {"", REGISTER})
        interval = loop.interval or 0
        result = worst(name)
        what = ", ".join([f"`{c}`" for c in calls] + [a for a in also]) or "no state"
        rows.append(Row(name, interval, result.states, result.slack, what))
        wrong += [
            f"the loop {name} states an interval of {interval}, but {job.name} takes {r.states} "
            "states"
            for job, r in owners.get(name, [])
            if r.states > interval
        ]
    for name in recurrence_names(code):
        result = worst(f"recurrence {name}")
        control = name in CONTROLS
        what = "control: must take more than one" if control else "recurrence"
        rows.append(Row(name, 0 if control else 1, result.states, result.slack, what))
        if control and 0 < result.states < 2:
            wrong.append(f"the control {name} must take more than one state: the check is blind")
        if not control and result.states > 1:
            wrong.append(f"the recurrence {name} must take one state. Received: {result.states}.")
    return rows, wrong


def main(arguments: Sequence[str]) -> int:
    """Check and schedule all loops; return the exit status."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    parser.add_argument("loops", nargs="*", metavar="LOOP", help="a part of a loop's name")
    parser.add_argument("--build", default=os.path.join(rtl.ROOT, "build", "ii"))
    parser.add_argument("--page", action="store_true", help="write the table into hw/ENGINE.md")
    chosen = parser.parse_args(arguments)
    code = recurrences()
    loops = code.loops()
    if chosen.loops:
        loops = [loop for loop in loops if any(part in loop_name(loop) for part in chosen.loops)]
    wrong: List[str] = [] if chosen.loops else stale(code, loops)
    sound = []
    for loop in loops:
        try:
            wrong += faults(code, loop)
            sound.append(loop)
        except sources.ReadError as error:
            wrong.append(str(error))
    bambu = rtl.tools(simulate=False)
    folder = os.path.join(os.path.abspath(chosen.build), "sources")
    head = prepare(folder)
    begin = time.monotonic()
    found = schedules(all_jobs(code, sound), head, folder, bambu)
    rows, more = rows_of(code, sound, found)
    print(table(rows))
    print(f"{len(found)} wrappers in {time.monotonic() - begin:.0f} s. This says that recurrences "
          "fit a cycle; it says nothing of timing after routing.")  # fmt: skip
    for line in wrong + more:
        print(f"error: {line}")
    if chosen.page and not chosen.loops:
        write_page(table(rows))
    return 1 if wrong or more else 0


def write_page(text: str) -> None:
    """Put the table into ``hw/ENGINE.md``."""
    sys.path.insert(0, rtl.ROOT)
    from pynq_circnn.contract.page import PAGE, renew_marks

    renew_marks(PAGE, {"evidence: intervals": text})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
