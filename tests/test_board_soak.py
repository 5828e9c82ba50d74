"""A soak of some seconds; ``make soak`` runs the long one."""

import pytest

pytest.importorskip("pynq")

import soak_board

from pynq_circnn import turns

FEW = ["--interrupts", "200", "--loops", "2", "--predicts", "20", "--swaps", "4"]


def test_a_little_soak(capsys):
    assert soak_board.main(FEW) == 0, capsys.readouterr().out
    out = capsys.readouterr().out
    assert "MMIO: 100 interrupts" in out and "mapped: 100 interrupts" in out
    assert out.endswith("\n0 faults\n")


def test_the_soak_finds_a_wrong_answer(monkeypatch, capsys):
    monkeypatch.setattr(soak_board, "EXPECTED", soak_board.EXPECTED + 1)
    assert soak_board.main(FEW) == 1
    assert "FAULT MMIO: wrong answer" in capsys.readouterr().out


def test_the_soak_finds_a_lock_that_is_left(monkeypatch, capsys):
    monkeypatch.setattr(turns.Turn, "__exit__", lambda *arguments: None)
    monkeypatch.setattr(turns.Turn, "runs", lambda turn: True)
    monkeypatch.setattr(soak_board, "TURN_SECONDS", 0.05)
    assert soak_board.main(FEW) == 1
    assert "FAULT MMIO" in capsys.readouterr().out
