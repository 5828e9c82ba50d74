"""The README's examples run as they stand."""

import os
import re

import pytest
from readme_tables import fill_marks, read, tables

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def examples():
    return re.findall(r"```python\n(.*?)```", read(), re.DOTALL)


@pytest.mark.parametrize("code", examples())
def test_example(code, tmp_path, monkeypatch):
    if "import keras" in code:
        pytest.importorskip("keras", reason="training environment only")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})


def test_tables_are_those_of_the_measurements():
    assert fill_marks(read(), tables()) == read(), "run: python tests/readme_tables.py"


def test_pictures_are_there():
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", read())
    assert pictures and all(os.path.exists(os.path.join(ROOT, path)) for path in pictures)


def test_there_are_examples():
    assert len(examples()) >= 2
