"""The README's examples run as they stand."""

import os
import re

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def examples():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        return re.findall(r"```python\n(.*?)```", file.read(), re.DOTALL)


@pytest.mark.parametrize("code", examples())
def test_example(code, tmp_path, monkeypatch):
    if "import keras" in code:
        pytest.importorskip("keras", reason="training environment only")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})


def test_there_are_examples():
    assert len(examples()) >= 2
