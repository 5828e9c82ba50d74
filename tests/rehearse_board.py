"""Rehearses the installation on a board, on a PC: an armhf Debian under qemu, with the board's pip.

::

    apt-get install debootstrap qemu-user-static
    python3 tests/rehearse_board.py /tmp/circnn-board      # as root, with setuptools and cffi

Makes an armhf system (debootstrap), builds the package's sdist, installs it there the way a board
does (``pip install --no-build-isolation`` with the system's own NumPy, cffi and setuptools),
compares the back ends, runs the core's tests that need nothing else, and predicts. ``QEMU_CPU`` is
cortex-a9: an instruction that this processor does not have ends the program, as on the
board. An existing system is used again; remove its folder to start from scratch.

qemu is registered for ARM programs in a user namespace of its own (Linux 6.7 or newer), so nothing
of the PC is changed. The times printed are those of an emulation; they do not apply to the board.

Measured on two busy cores (load 6 to 8): about 1 minute for the first
stage, 17 for the second and Debian's packages, 4 for ``pip install`` (gcc under qemu), 3 s for
``circnn verify digits``, 13 s for the 249 tests. The steps were measured one by one.
"""

import ctypes
import os
import shutil
import subprocess
import sys
import time
from typing import Callable, List, Tuple

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MIRROR = os.environ.get("DEBIAN_MIRROR", "http://deb.debian.org/debian")
SUITE = os.environ.get("DEBIAN_SUITE", "bookworm")
QEMU = "/usr/bin/qemu-arm-static"
PACKAGES = "gcc libc6-dev python3-dev python3-pip python3-numpy python3-cffi python3-tqdm \
python3-setuptools python3-wheel python3-pytest python3-hypothesis python3-scipy"
MAGIC = (
    r"\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00",
    r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff",
)
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
    "QEMU_CPU": "cortex-a9",
    "container": "lxc",  # so that debootstrap asks for no device nodes
    "PIP_NO_INDEX": "1",  # the board's way needs no network
    "PIP_BREAK_SYSTEM_PACKAGES": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
}
_NEWNS, _NEWUSER, _NEWPID = 0x00020000, 0x10000000, 0x20000000
_libc = ctypes.CDLL(None, use_errno=True)


def _call(result: int, what: str) -> None:
    if result:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


def in_namespace(action: Callable[[], None]) -> None:
    """Run an action as root of a user, mount and process namespace of its own."""
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child:
        os.read(ready[0], 1)
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{child}/{name}", "w") as file:
                file.write("0 0 65536")
        os.write(go[1], b"x")
        _, status = os.waitpid(child, 0)
        if status:
            raise SystemExit("the rehearsal failed: see above")
        return
    code = 1
    try:
        _call(_libc.unshare(_NEWUSER | _NEWNS | _NEWPID), "unshare")
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        inner = os.fork()
        if inner:
            code = os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1])
        else:
            action()
            code = 0
    finally:
        sys.stdout.flush()
        os._exit(code)


def mount(root: str) -> None:
    """Mount the file systems that a system needs, and register qemu for ARM programs."""

    def run(*command: str) -> None:
        subprocess.run(command, check=True)

    run("mount", "--make-rprivate", "/")
    os.makedirs(f"{root}/proc", exist_ok=True)
    run("mount", "-t", "proc", "proc", f"{root}/proc")
    binfmt = f"{root}/proc/sys/fs/binfmt_misc"
    run("mount", "-t", "binfmt_misc", "binfmt_misc", binfmt)
    with open(f"{binfmt}/register", "w") as file:
        file.write(f":qemu-arm:M::{MAGIC[0]}:{MAGIC[1]}:{QEMU}:F")
    os.makedirs(f"{root}/dev", exist_ok=True)
    for name in ("null", "zero", "random", "urandom"):
        open(f"{root}/dev/{name}", "a").close()
        run("mount", "--bind", f"/dev/{name}", f"{root}/dev/{name}")
    os.makedirs(f"{root}/dev/shm", exist_ok=True)
    run("mount", "-t", "tmpfs", "tmpfs", f"{root}/dev/shm")


class Timed:
    """Runs the steps, and records how long each took."""

    def __init__(self) -> None:
        self.taken: List[Tuple[str, float]] = []

    def __call__(self, name: str, command: List[str], **options: object) -> None:
        print(f"== {name}", flush=True)
        begin = time.monotonic()
        subprocess.run(command, check=True, **options)  # type: ignore[call-overload]
        self.taken.append((name, time.monotonic() - begin))

    def report(self) -> None:
        """Print the times."""
        for name, seconds in self.taken:
            print(f"{seconds:8.1f} s  {name}")


def main() -> None:
    """Make the system if it does not exist, and rehearse in it."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: rehearse_board.py FOLDER")
    for tool in ("debootstrap", QEMU):
        if shutil.which(tool) is None:
            raise SystemExit(
                f"{tool} must be installed: apt-get install debootstrap qemu-user-static"
            )
    root, timed = os.path.abspath(sys.argv[1]), Timed()
    fresh = not os.path.exists(f"{root}/root/complete")
    if fresh and not os.path.exists(f"{root}/debootstrap"):
        timed(
            "debootstrap, first stage",
            ["debootstrap", "--arch=armhf", "--foreign", "--variant=minbase", SUITE, root, MIRROR],
        )
    source = f"{root}/root/source"
    shutil.rmtree(source, ignore_errors=True)
    os.makedirs(source)
    timed("sdist", [sys.executable, "setup.py", "-q", "sdist", "-d", source], cwd=REPOSITORY)

    def inside() -> None:
        mount(root)

        def step(name: str, command: str, **more: str) -> None:
            shell = ["chroot", root, "/bin/sh", "-ec", command]
            timed(name, shell, env={**ENVIRONMENT, **more})

        if fresh:
            # qemu's default processor while Debian sets itself up: only our code must be strict
            options = {"QEMU_CPU": "max"}
            step("debootstrap, second stage", "/debootstrap/debootstrap --second-stage", **options)
            shutil.copy("/etc/resolv.conf", f"{root}/etc/resolv.conf")
            with open(f"{root}/etc/dpkg/dpkg.cfg.d/unsafe", "w") as file:
                file.write("force-unsafe-io\n")
            with open(f"{root}/etc/apt/apt.conf.d/sandbox", "w") as file:
                file.write('APT::Sandbox::User "root";\n')
            step(
                "Debian's packages",
                "apt-get update -qq && apt-get install -y -qq "
                f"--no-install-recommends {PACKAGES} > /root/apt.log; touch /root/complete",
                **options,
            )
        step("pip install", "cd /root/source && pip3 install -q --no-build-isolation *.tar.gz")
        step("versions", "cd / && python3 -m pynq_circnn doctor")
        step("circnn verify digits", "cd / && circnn verify digits")
        step(
            "predict",
            "cd / && python3 -c 'import numpy, pynq_circnn; "
            'm = pynq_circnn.load_model("digits"); print(m.plan().name, m.plan().kernels, '
            "m.predict(numpy.zeros((2, 64), numpy.uint8)).shape)'",
        )
        tests = "test_circulant.py test_fixed.py"
        step(
            "tests",
            "cd /root/source && tar xzf *.tar.gz && cd pynq_circnn-*/tests && "
            "mv ../pynq_circnn ../away && "
            f"python3 -m pytest -q -x -p no:cacheprovider {tests}",
        )
        timed.report()

    in_namespace(inside)


if __name__ == "__main__":
    main()
