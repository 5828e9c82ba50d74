"""Finds Vivado and Vitis HLS and their versions.

::

    python3 hw/scripts/tools.py check     # both must be there; a version not tried is a warning
    python3 hw/scripts/tools.py hls       # prints the command that runs an HLS script
"""

import os
import re
import shutil
import subprocess
import sys
from typing import List, Optional

TRIED = ("2024.1", "2022.1")
HLS = (("vitis-run", "--mode hls --tcl"), ("vitis_hls", "-f"))


def hls_command() -> Optional[str]:
    """Return the command to put before an HLS script: vitis-run's, else vitis_hls's."""
    for program, options in HLS:
        if shutil.which(program):
            return f"{program} {options}"
    return None


def vivado_version() -> str:
    """Return the version that ``vivado -version`` prints, as 2024.1."""
    result = subprocess.run(
        ["vivado", "-version"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=120
    )
    found = re.search(r"v(\d{4}\.\d)", result.stdout.decode("utf-8", "replace"))
    return found.group(1) if found else "unknown"


def missing() -> List[str]:
    """Return the tools that are not on PATH, in words."""
    found = [] if shutil.which("vivado") else ["vivado"]
    return found + ([] if hls_command() else ["vitis-run or vitis_hls"])


def check() -> None:
    """Print what was found, or end with what to do about what was not."""
    absent = missing()
    if absent:
        raise SystemExit(
            f"error: Vivado and Vitis HLS must be on PATH. Received: no {' and no '.join(absent)}. "
            "Install 2024.1 or 2022.1 (the free edition has both boards' parts), then: "
            "source /tools/Xilinx/Vivado/2024.1/settings64.sh, and the settings64.sh of Vitis_HLS "
            'beside it. Without them, backend="csim" and circnn estimate need no vendor tool.'
        )
    version = vivado_version()
    print(f"vivado {version} at {shutil.which('vivado')}; HLS: {hls_command()}")
    if version not in TRIED:
        print(
            f"warning: the scripts are written for Vivado {' and '.join(TRIED)}. "
            f"Received: {version}. They may need a change.",
            file=sys.stderr,
        )


def main(arguments: List[str]) -> None:
    """Run one of the two words."""
    if arguments == ["check"]:
        check()
    elif arguments == ["hls"]:
        sys.stdout.write((hls_command() or "") + os.linesep)
    else:
        raise SystemExit("usage: tools.py check | hls")


if __name__ == "__main__":
    main(sys.argv[1:])
