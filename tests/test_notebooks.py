"""Every notebook runs from start to end, natively and on the emulated board."""

import glob
import importlib.util
import os
import subprocess
import sys

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("matplotlib")
pytest.importorskip("ipykernel")

FOLDER = os.path.join(os.path.dirname(__file__), "..", "pynq_circnn", "notebooks")
NAMES = sorted(os.path.basename(path) for path in glob.glob(os.path.join(FOLDER, "*.ipynb")))
NEEDS = {"2_": "keras", "4_": "ipywidgets", "6_": "distributed"}


def run(name, backend, tmp_path, monkeypatch):
    for start, module in NEEDS.items():
        if name.startswith(start) and importlib.util.find_spec(module) is None:
            pytest.skip(f"needs {module}")
    monkeypatch.setenv("CIRCNN_BACKEND", backend)
    book = nbformat.read(os.path.join(FOLDER, name), as_version=4)
    client = nbclient.NotebookClient(
        book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    return "".join(
        output.get("text", "") for cell in book.cells for output in cell.get("outputs", [])
    )


def test_there_are_notebooks():
    assert len(NAMES) >= 6


@pytest.mark.parametrize("name", NAMES)
def test_with_the_native_back_end(name, tmp_path, monkeypatch):
    text = run(name, "native", tmp_path, monkeypatch)
    assert "native" in text or name.startswith(("4_", "6_"))


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("6_")])
def test_on_the_emulated_board(name, tmp_path, monkeypatch):
    pytest.importorskip("pynq")
    text = run(name, "emulated", tmp_path, monkeypatch)
    assert "emulated" in text or name.startswith("4_")


@pytest.mark.parametrize("name", NAMES)
def test_its_outputs_are_kept_and_no_error_is_among_them(name):
    book = nbformat.read(os.path.join(FOLDER, name), as_version=4)
    nbformat.validate(book)
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert any(cell.outputs for cell in code)
    assert not [o for cell in code for o in cell.outputs if o.output_type == "error"]


@pytest.mark.parametrize("name", [name for name in NAMES if name[:2] in ("1_", "2_", "3_", "5_")])
def test_it_shows_a_picture(name):
    book = nbformat.read(os.path.join(FOLDER, name), as_version=4)
    assert any(
        "image/png" in o.get("data", {}) for cell in book.cells for o in cell.get("outputs", [])
    )


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="Linux shows a process's threads")
def test_every_side_of_the_comparison_has_one_thread():
    book = nbformat.read(os.path.join(FOLDER, "5_performance.ipynb"), as_version=4)
    first = next(cell.source for cell in book.cells if cell.cell_type == "code")
    code = f"""{first}
from pynq_circnn.backends.base import cores
np.ones((900, 900)) @ np.ones((900, 900))
print("BLAS", len(os.listdir("/proc/self/task")), "predict", cores())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("BLAS 1 predict 1\n")


def test_the_canvas_refuses_what_is_no_image():
    pytest.importorskip("ipywidgets")
    from pynq_circnn import load_model
    from pynq_circnn.draw import DigitCanvas

    canvas = DigitCanvas(load_model("digits"), "native")
    with pytest.raises(ValueError, match="0 to 16"):
        canvas.draw([[17] * 8] * 8)
    with pytest.raises(ValueError, match="8 x 8"):
        canvas.draw([0, 1])
    for expected in (8, 16, 0):
        canvas.click(2, 3)
        assert canvas.image[2, 3] == expected
