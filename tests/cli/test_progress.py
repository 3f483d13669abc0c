"""Progress of long work: how many are done in a second, and the time left, without what an earlier command has done."""

import sys

import pytest

from higlow_tf.cli import console


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [100.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: now[0])
    return now


def test_lines_of_a_file_tell_rate_and_time_left(clock, capsys):
    with console.progress_bar() as progress:
        progress("rows", 5000, 10_000)
        clock[0] += 30.0
        progress("rows", 6500, 10_000)
        clock[0] += 1.0
        progress("rows", 6600, 10_000)
    assert capsys.readouterr().out == "rows: 6500 of 10000, 50/s, 1:10 left\n"


def test_a_first_line_has_no_rate_yet(clock, capsys):
    with console.progress_bar() as progress:
        clock[0] += 30.0
        progress("rows", 5000, 10_000)
    assert capsys.readouterr().out == "rows: 5000 of 10000\n"


def test_a_stage_that_begins_again_is_timed_anew(clock, capsys):
    with console.progress_bar() as progress:
        for done in (0, 10, 0):
            clock[0] += 15.0
            progress("maps", done, 10)
        clock[0] += 30.0
        progress("maps", 3, 10)
    assert capsys.readouterr().out.splitlines()[-1] == "maps: 3 of 10, 0.1/s, 1:10 left"


def test_a_bar_tells_the_rate(clock, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "120")
    with console.progress_bar() as progress:
        progress("rows", 5000, 10_000)
        clock[0] += 30.0
        progress("rows", 6500, 10_000)
    shown = capsys.readouterr().out
    assert "6500/10000" in shown
    assert "50/s" in shown
