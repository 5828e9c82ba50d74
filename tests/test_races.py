"""The C sources under the thread sanitiser, outside Python: no race (see test_sanitizers.py)."""

import os
import platform
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from pynq_circnn.backends import native

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCES = os.path.join(HERE, "..", "pynq_circnn", "native")
COMPILER = shutil.which("gcc")

pytestmark = pytest.mark.skipif(
    not COMPILER or native.lib is None or not sys.platform.startswith("linux"),
    reason="needs gcc, Linux and the native back end",
)

SANITIZER = ["-fsanitize=thread", "-DTHREADS"]


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """A folder with the contract's header, and cases of the reference."""
    from pynq_circnn.contract.headers import native_headers, write_headers

    sys.path.insert(0, os.path.join(HERE, "native"))
    import cases

    folder = tmp_path_factory.mktemp("generated")
    write_headers(str(folder), native_headers())
    return folder, cases.write(str(folder / "cases"), 40)


def test_no_race(generated, tmp_path):
    folder, paths = generated
    checked = {native.kernel_sets()[0], "portable"}
    names = [name[:-2] for name in sorted(os.listdir(SOURCES)) if name.endswith(".c")]
    sets = {"avx2", "avx512", "avx512vnni", "neon", "portable"}

    def build(name):
        path = os.path.join(SOURCES, name + ".c") if name != "check" else f"{HERE}/native/check.c"
        flags = [] if name in sets - checked else SANITIZER
        command = [COMPILER, "-std=c11", "-O1", *flags, "-I", SOURCES, "-I", str(folder)]
        if platform.machine() == "armv7l":
            command += ["-mcpu=cortex-a9", "-mfpu=neon", "-mfloat-abi=hard"]
        subprocess.run([*command, "-c", path, "-o", str(tmp_path / f"{name}.o")], check=True)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(build, ["portable", *(n for n in names if n != "portable"), "check"]))
    program = str(tmp_path / "check")
    objects = [str(path) for path in tmp_path.glob("*.o")]
    link = subprocess.run(
        [COMPILER, *SANITIZER, "-pthread", *objects, "-o", program],
        capture_output=True,
        text=True,
    )
    if link.returncode and "cannot find" in link.stderr:
        pytest.skip("the thread sanitizer is not installed")
    assert link.returncode == 0, link.stderr
    for kernels in checked:
        environment = {**os.environ, "CIRCNN_KERNELS": kernels, "LD_PRELOAD": ""}
        run = subprocess.run([program, *paths], capture_output=True, text=True, env=environment)
        if "unexpected memory mapping" in run.stderr:
            pytest.skip("the thread sanitizer cannot run under this kernel's address layout")
        assert run.returncode == 0, f"{kernels}: {run.stdout[-2000:]}{run.stderr[-4000:]}"
        assert f"kernels {kernels}" in run.stdout
