"""The rooms of the package and what each imports: only rooms above it in the README's table, and no
private names of others.

::

    python tests/rooms.py            # exit status 1 and a list of violations
    python tests/rooms.py --arrows   # prints every arrow between rooms
"""

import ast
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "pynq_circnn")


def modules():
    """Every module of the package: dotted name, path."""
    for folder, _, files in sorted(os.walk(ROOT)):
        for file in sorted(files):
            if file.endswith(".py"):
                path = os.path.join(folder, file)
                name = os.path.relpath(path, ROOT)[:-3].replace(os.sep, ".")
                yield name[:-9] if name.endswith("__init__") else name, path


def room(module):
    """The room of a module: a folder of the package, or a file next to the folders."""
    return module.split(".")[0]


def imports(name, path):
    """Every import of the package's own modules: the module, and the names taken from it."""
    package = name if path.endswith("__init__.py") else name.rpartition(".")[0]
    with open(path, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                parts = package.split(".") if package else []
                parts = parts[: len(parts) - node.level + 1]
                target = ".".join(parts + ([node.module] if node.module else []))
            elif (node.module or "").split(".")[0] == "pynq_circnn":
                target = node.module[len("pynq_circnn.") :]
            else:
                continue
            yield target, [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("pynq_circnn."):
                    yield alias.name[len("pynq_circnn.") :], []


def arrows():
    """The rooms that each room imports, and the private names that it takes from others."""
    known = dict(modules())
    found, private = {}, []
    for name, path in known.items():
        if name in ("", "__main__"):
            continue  # the public face
        for target, names in imports(name, path):
            for other in names or [""]:
                module = f"{target}.{other}".strip(".")
                module = module if module in known else target
                if not module or module == "_native":
                    continue
                if room(module) != room(name):
                    found.setdefault(room(name), set()).add(room(module))
                if other.startswith("_") and not other.startswith("__") and module == target:
                    private.append(f"{name} imports {other} of {module}")
    return found, private


def circle(found):
    """A list of rooms that import each other in a circle, or nothing."""
    state = {}

    def visit(name, path):
        state[name] = "open"
        for other in sorted(found.get(name, ())):
            if state.get(other) == "open":
                return [*path[path.index(other) :], other] if other in path else [name, other]
            if other not in state:
                result = visit(other, [*path, other])
                if result:
                    return result
        state[name] = "done"
        return None

    for name in sorted(found):
        if name not in state:
            result = visit(name, [name])
            if result:
                return result
    return None


def order():
    """The rooms in the order of the README's table: the row of each."""
    with open(os.path.join(ROOT, "..", "README.md"), encoding="utf-8") as file:
        text = file.read().split("## Where things are")[1]
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    return {
        re.sub(r"(/|\.py)$", "", name): number
        for number, row in enumerate(rows)
        for name in re.findall(r"`([^`]+)`", row.split("|")[1])
    }


def upwards(found):
    """Lines on rooms that the table lacks, and on arrows that do not go up in it."""
    rows = order()
    rooms = {*found, *(other for others in found.values() for other in others)}
    for name in sorted(rooms - set(rows)):
        yield f"the README's table must name every room. Received: no row for {name}"
    for name, others in sorted(found.items()):
        for other in sorted(others & set(rows)):
            if name in rows and rows[other] > rows[name]:
                yield f"rooms must import rooms above them. Received: {name} imports {other}"


def main():
    found, private = arrows()
    if "--arrows" in sys.argv:
        for name in sorted(found):
            print(f"{name} -> {', '.join(sorted(found[name]))}")
        print(f"{len(found)} rooms, {sum(map(len, found.values()))} arrows")
    ring = circle(found)
    if ring:
        print("rooms must import one way only. Received: " + " -> ".join(ring))
    faults = [f"private names stay in their module. Received: {line}" for line in private]
    faults += upwards(found)
    print("".join(f"{line}\n" for line in faults), end="")
    return 1 if ring or faults else 0


if __name__ == "__main__":
    sys.exit(main())
