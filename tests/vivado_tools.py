"""Helpers for the tests of the Vivado build: run a step, or the whole build, in the stand-in."""

import os
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HW = os.path.join(ROOT, "hw")
STANDIN = os.path.join(HW, "standin")
sys.path[:0] = [os.path.join(HW, "scripts"), STANDIN]

import handoff as handoffs  # noqa: E402

settings = handoffs.settings

for program, package in (("tclsh", "tcl"), ("make", "make")):
    assert shutil.which(program), f"{program} must be installed: apt-get install {package}"

VLNV = "circnn:hls:circnn_engine:1.0"

OUTPUTS = {
    row["name"]: row["offset"]
    for row in settings.contract.ENGINE["registers"]
    if row["offset"] >= 0x10 and not row["name"].endswith("_control")
}

# The parts of an engine that the stand-in's HLS reads: top function, two streams, registers.
_REGISTERS = "".join(
    f"#pragma HLS INTERFACE s_axilite port={name} bundle=control offset={offset:#x}\n"
    for name, offset in OUTPUTS.items()
)
SOURCE = f"""
void circnn_engine(Stream &in_stream, Stream &out_stream, {", ".join(f"int &{n}" for n in OUTPUTS)})
{{
#pragma HLS INTERFACE axis port=in_stream
#pragma HLS INTERFACE axis port=out_stream
#pragma HLS INTERFACE s_axilite port=return bundle=control
{_REGISTERS}}}
"""


def environment(build, **more):
    """Return the environment of a step in this build folder, the stand-in first on PATH."""
    path = os.path.join(STANDIN, "bin") + os.pathsep + os.environ["PATH"]
    return {**os.environ, "CIRCNN_HW": HW, "CIRCNN_BUILD": str(build), "PATH": path, **more}


def run(command, build, **more):
    """Run a command in the stand-in's environment; return the finished process with its text."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=str(build),
        env=environment(build, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=120,
    )


def prepare(build, board="pynq-z2", edit=lambda text: text):
    """Write the settings of a build and the engine's IP core, as the step ip would."""
    handoffs.prepare(board, str(build))
    path = build / "settings.tcl"
    path.write_text(edit(path.read_text()))


def vivado(build, script):
    """Run one script in the stand-in for Vivado."""
    return run(["vivado", "-mode", "batch", "-notrace", "-source", script], build)


def step(build, name):
    """Run one step of the build, unmodified, in the stand-in for Vivado."""
    return vivado(build, os.path.join(HW, "tcl", f"{name}.tcl"))


def handoff(build):
    """Return the path of the handoff file of a design that was saved."""
    return shutil.copyfile(handoffs.saved(str(build)), build / "circnn.hwh")
