"""``circnn doctor``: whether this machine has all that the board needs, and what to do if not."""

import argparse
import os
import platform
import sys
import tempfile
from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Callable, Dict, List, Mapping, Optional, Tuple

import numpy as np

from .. import __version__, backends, keras_backend
from ..board import bitstreams, lock
from ..contract import CONFIGURATIONS, configuration_digest
from ..errors import BoardError
from .common import add_command, add_json, print_json

ORDER = 100

NEEDED_CMA_BYTES = 4 << 20
AFI0, AFI_READ, AFI_WRITE = 0xF8008000, 0x00, 0x14  # port HP0 of a Zynq-7000
OK, WARNING, FAULT, NOTE = "ok", "warning", "fault", "note"


@dataclass(frozen=True)
class Finding:
    """The result of one check: its name, its state, what was found, and how to fix it."""

    name: str
    state: str
    text: str
    remedy: str = ""


@dataclass
class System:
    """The facts that the checks read; tests put other values in."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    board: Optional[str] = field(default_factory=bitstreams.board_name)
    root: bool = field(default_factory=lambda: hasattr(os, "geteuid") and os.geteuid() == 0)
    folder: str = field(default_factory=os.getcwd)
    firmware: str = "/lib/firmware"
    meminfo: str = "/proc/meminfo"
    bitfile: Optional[str] = None
    machine: str = field(default_factory=platform.machine)

    def version(self, module: str) -> Optional[str]:
        """Return the version of a module, ``None`` if it is not installed."""
        if find_spec(module) is None:
            return None
        try:
            return str(getattr(import_module(module), "__version__", "unknown"))
        except Exception as error:  # a broken installation can raise anything
            return f"broken: {error}"

    def contiguous(self) -> Dict[str, int]:
        """Return ``CmaTotal`` and ``CmaFree`` in bytes, where the system reports them."""
        values = {}
        if os.path.exists(self.meminfo):
            with open(self.meminfo, encoding="ascii") as file:
                for line in file:
                    if line.startswith("Cma"):
                        name, value = line.split()[:2]
                        values[name.rstrip(":")] = 1024 * int(value)
        return values

    def port_controls(self) -> Optional[Tuple[int, int]]:
        """Return the control registers of port HP0, to read and to write; ``None`` off Zynq-7000.

        UG585, register details of ``axi_hp``: AFI_RDCHAN_CTRL and AFI_WRCHAN_CTRL, whose bit 0
        makes the port 32 bits wide.
        """
        if self.machine != "armv7l":
            return None
        from pynq.mmio import MMIO

        port = MMIO(AFI0, 0x1000)
        return int(port.read(AFI_READ)), int(port.read(AFI_WRITE))

    def clock_mhz(self) -> float:
        """Return the fabric's clock, read from the chip's registers."""
        from pynq.ps import Clocks

        return float(Clocks.fclk0_mhz)


Check = Callable[[System], Finding]


def _numbers(version: str) -> List[int]:
    return [int(part) for part in version.split(".")[:2] if part.isdigit()]


def _python(system: System) -> Finding:
    text = (
        f"pynq_circnn {__version__}, Python {platform.python_version()}, NumPy {np.__version__}, "
        f"{platform.machine()}"
    )
    return Finding("versions", OK, text)


def _native(system: System) -> Finding:
    reason = backends.get("native").unavailable()
    if reason is None:
        return Finding("native back end", OK, "built; it also starts the engine and waits for it")
    return Finding(
        "native back end",
        WARNING,
        f"unavailable: {reason}",
        "install gcc, then install the package again",
    )


def _keras(system: System) -> Finding:
    choice = keras_backend.find(system.environ)
    if not choice.problem:
        return Finding("Keras", OK, f"will use back end {choice.name!r} ({choice.source})")
    text = f"{choice.problem}; only training and conversion need it"
    return Finding("Keras", NOTE, text, choice.remedy)


def _pynq(system: System) -> Finding:
    version = system.version("pynq")
    if version is None:
        return Finding(
            "pynq", FAULT, "not installed", "on the board: . /etc/profile.d/pynq_venv.sh"
        )
    if version.startswith("broken"):
        remedy = "pip install 'pycparser<3' 'setuptools<=80', or the image's own pynq"
        return Finding("pynq", FAULT, version, remedy)
    numbers = _numbers(version)
    if numbers and not [2, 7] <= numbers < [4]:
        return Finding(
            "pynq",
            WARNING,
            f"{version}; 2.7 to 3.1 are supported on Zynq-7000",
            "use an image of PYNQ 3.0 or 3.1",
        )
    parser = system.version("pycparser") or ""
    if numbers >= [3] and parser[:1].isdigit() and _numbers(parser) >= [3]:
        return Finding(
            "pynq",
            FAULT,
            f"{version} with pycparser {parser}, which breaks Overlay()",
            "pip install 'pycparser<3'",
        )
    return Finding("pynq", OK, version)


def _root(system: System) -> Finding:
    if system.root:
        return Finding("root", OK, "yes")
    return Finding(
        "root",
        FAULT,
        "no: only root may use /dev/mem and the FPGA manager",
        "sudo -i, or use the board's Jupyter server, which is root",
    )


def _xrt(system: System) -> Finding:
    if system.environ.get("XILINX_XRT"):
        return Finding("XRT", OK, f"XILINX_XRT={system.environ['XILINX_XRT']}")
    return Finding(
        "XRT",
        FAULT,
        'no XILINX_XRT in the environment: pynq says "No Devices Found"',
        ". /etc/profile.d/xrt_setup.sh; . /etc/profile.d/pynq_venv.sh",
    )


def _writable(system: System) -> Finding:
    closed = []
    for folder in (system.folder, system.firmware):
        try:
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError:
            closed.append(folder)
    if closed:
        return Finding(
            "folders",
            FAULT,
            f"cannot write to {', '.join(closed)}; loading a bitstream must",
            "change to a folder of your own, and be root",
        )
    return Finding("folders", OK, f"{system.folder} and {system.firmware} can be written to")


def _contiguous(system: System) -> Finding:
    values = system.contiguous()
    if "CmaFree" not in values:
        return Finding("CMA", WARNING, "the system does not report its contiguous memory")
    text = f"{values['CmaFree']:,} of {values.get('CmaTotal', 0):,} bytes free"
    if values["CmaFree"] < NEEDED_CMA_BYTES:
        return Finding(
            "CMA",
            FAULT,
            text + f"; {NEEDED_CMA_BYTES:,} are needed",
            "shut down other notebooks' kernels, which keep their buffers",
        )
    return Finding("CMA", OK, text)


def _bitstream(system: System) -> Finding:
    try:
        bit = bitstreams.find(system.bitfile, system.board)
        manifest = bitstreams.manifest(bit)
    except BoardError as error:
        return Finding("bitstream", FAULT, str(error), f"{bitstreams.BUILD}")
    if manifest is None:
        return Finding(
            "bitstream",
            WARNING,
            f"{bit}, without a manifest",
            "copy the whole folder circnn.bit.d of the build",
        )
    digest = manifest["configuration_digest"]
    return Finding(
        "bitstream",
        OK,
        f"{bit}, configuration {manifest.get('configuration')} {digest}, "
        f"{manifest['fclk_mhz']:g} MHz, built {manifest.get('built', 'at an unknown time')}",
    )


def _clock(system: System) -> Finding:
    try:
        manifest = bitstreams.manifest(bitstreams.find(system.bitfile, system.board))
        wanted = float(manifest["fclk_mhz"]) if manifest else None
    except BoardError:
        wanted = None
    try:
        actual = system.clock_mhz()
    except Exception as error:  # no root, no pynq, no chip
        return Finding(
            "FCLK0", WARNING, f"cannot be read: {error}", "run this as root, on the board"
        )
    if wanted is None or abs(actual - wanted) <= 0.01 * wanted:
        return Finding("FCLK0", OK, f"{actual:g} MHz")
    return Finding("FCLK0", NOTE, f"{actual:g} MHz now; CirCNNOverlay sets it to {wanted:g}")


def _port(system: System) -> Finding:
    try:
        controls = system.port_controls()
    except Exception as error:  # no root, no pynq, no chip
        return Finding("HP0", WARNING, f"cannot be read: {error}", "run this as root, on the board")
    if controls is None:
        return Finding("HP0", NOTE, "not checked: this is no Zynq-7000")
    text = ", ".join(
        f"{way} {32 if control & 1 else 64} bits ({AFI0 + offset:#x} holds {control:#x})"
        for way, offset, control in zip(("reads", "writes"), (AFI_READ, AFI_WRITE), controls)
    )
    if any(control & 1 for control in controls):
        return Finding(
            "HP0",
            FAULT,
            text + "; the DMA needs 64, otherwise it moves garbage",
            "boot the PYNQ image's own BOOT.BIN, or clear bit 0 of both registers "
            "before the overlay is loaded",
        )
    return Finding("HP0", OK, text)


def _user(system: System) -> Finding:
    try:
        holder = lock.holder("embedded_xrt0")
    except OSError as error:
        return Finding(
            "lock", WARNING, f"the user of the board is unknown: {error}", "run this as root"
        )
    if holder is None:
        return Finding("lock", OK, "nobody uses the board")
    return Finding(
        "lock",
        WARNING,
        f"the board is used by process {holder}",
        "close its overlay, or end that process",
    )


def _package(system: System) -> Finding:
    digests = ", ".join(f"{name} {configuration_digest(name):08x}" for name in CONFIGURATIONS)
    return Finding("configurations", NOTE, f"of this package: {digests}")


EVERYWHERE: List[Check] = [_python, _native, _keras, _package]
ON_BOARD: List[Check] = [
    _pynq,
    _root,
    _xrt,
    _writable,
    _contiguous,
    _bitstream,
    _clock,
    _port,
    _user,
]


def examine(system: Optional[System] = None) -> List[Finding]:
    """Return what every check found: all of them on a board, some elsewhere."""
    system = System() if system is None else system
    findings = [check(system) for check in EVERYWHERE]
    if system.board is not None:
        findings.append(Finding("board", OK, system.board))
        findings += [check(system) for check in ON_BOARD]
        faults = [finding.name for finding in findings if finding.state == FAULT]
        if faults:
            findings.append(
                Finding(
                    "result",
                    FAULT,
                    f'the fabric cannot be used ({", ".join(faults)}); "auto" takes back end '
                    f"{backends.select()!r}, which gives the same bits",
                )
            )
        else:
            findings.append(Finding("result", OK, "the fabric can be used"))
        return findings
    findings.append(Finding("board", NOTE, "none: this is no PYNQ board"))
    findings.append(_bitstream(system))
    reason = backends.get("emulated").unavailable()
    findings.append(
        Finding("emulated board", OK, "can be used")
        if reason is None
        else Finding("emulated board", NOTE, f"cannot be used: {reason}")
    )
    findings = [replace(f, state=NOTE) if f.state == FAULT else f for f in findings]
    text = f'"auto" takes back end {backends.select()!r}, which gives the same bits as the fabric'
    findings.append(Finding("result", OK, text))
    return findings


def _doctor(arguments: argparse.Namespace) -> int:
    findings = examine(System(bitfile=arguments.bitfile))
    healthy = all(finding.state != FAULT for finding in findings)
    if arguments.json:
        print_json({"healthy": healthy, "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            print(f"{finding.state:8} {finding.name}: {finding.text}")
            if finding.remedy and finding.state != OK:
                print(f"{'':8} -> {finding.remedy}")
        sys.stdout.flush()
    return 0 if healthy else 1


def register(commands: Any) -> None:
    """Add the subcommand ``doctor``."""
    parser = add_command(commands, "doctor", _doctor, "look for what the board needs, or lacks")
    parser.add_argument("--bitfile", metavar="PATH", help="look at this bitstream")
    add_json(parser)
