"""Progress: a bar on a terminal, a line every half minute in a log."""

import logging
import sys

import pytest

from visprior import meter
from visprior.meter import Meter, duration


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [0.0]
    monkeypatch.setattr(meter.time, "monotonic", lambda: now[0])
    return now


def test_a_log_has_a_line_every_half_minute(clock, caplog, capsys):
    caplog.set_level(logging.INFO, "visprior")
    with Meter(100, "step", done=20) as of_steps:
        for second in range(1, 71):
            clock[0] = float(second)
            of_steps.add(1, "energy 3")
    # One step a second; what an earlier start has done took no time here.
    assert caplog.messages == [
        "step 50 of 100, energy 3, 50 s left",
        "step 80 of 100, energy 3, 20 s left",
    ]
    assert capsys.readouterr().err == ""


def test_what_is_passed_over_takes_no_time(clock, caplog):
    caplog.set_level(logging.INFO, "visprior")
    with Meter(100, "picture", "drawing") as of_pictures:
        of_pictures.skip(60)
        clock[0] = 40.0
        assert of_pictures.due
        of_pictures.add(20)
        assert not of_pictures.due
    assert caplog.messages == ["drawing: picture 80 of 100, 40 s left"]


def test_a_terminal_has_a_bar_and_no_lines(clock, caplog, capsys, monkeypatch):
    caplog.set_level(logging.INFO, "visprior")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with Meter(10, "step") as of_steps:
        clock[0] = 60.0
        of_steps.add(5)
    assert "0/10" in capsys.readouterr().err and not caplog.messages


def test_durations():
    assert [duration(s) for s in (0.4, 99, 100, 3600, 12000)] == [
        *("0 s", "99 s", "2 min", "60 min", "3 h 20 min")
    ]
