"""The README's examples run unchanged."""

import glob
import os
import re
import subprocess
import sys

import pytest
from readme_tables import read, tables

from pynq_circnn.contract.page import fill_marks

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def examples():
    return re.findall(r"```python\n(.*?)```", read(), re.DOTALL)


@pytest.mark.parametrize("code", examples())
def test_example(code, tmp_path):
    """In a process of its own, with nothing set or imported before."""
    if "import keras" in code:
        pytest.importorskip("keras_backend", reason="training environment only")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("KERAS")}
    environ["KERAS_HOME"] = str(tmp_path)
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, cwd=tmp_path, env=environ, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr


def test_tables_are_those_of_the_measurements():
    assert fill_marks(read(), tables()) == read(), "run: python tests/readme_tables.py"


def test_pictures_are_there():
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", read())
    assert pictures and all(os.path.exists(os.path.join(ROOT, path)) for path in pictures)


def test_nobody_is_sent_to_an_index_that_lacks_this_package():
    files = glob.glob(os.path.join(ROOT, "pynq_circnn", "**", "*.*"), recursive=True)
    files = [path for path in files if path.endswith((".py", ".ipynb", ".md"))]
    assert len(files) > 50
    for path in [*files, os.path.join(ROOT, "README.md")]:
        with open(path, encoding="utf-8") as file:
            words = " ".join(re.sub(r'["\\\']', " ", file.read()).split())
        assert not re.findall(r"pip3? install (?:-\S+ )*pynq_circnn(?!-)", words), path


def test_there_are_examples():
    assert len(examples()) >= 2
