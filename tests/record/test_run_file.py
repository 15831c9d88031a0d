"""run.json: its status after every kind of end, the seconds of earlier starts, what was said."""

import errno
import logging
from pathlib import Path

import pytest

from visprior.errors import UserError
from visprior.files.whole import read_json
from visprior.record import run_file
from visprior.record.run_file import Notes, RunFile


class Clock:
    """time.perf_counter of a test."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(run_file, "time", clock)
    return clock


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "run"


def start(folder: Path, notes: Notes | None = None, goes_on: bool = False) -> RunFile:
    return RunFile(folder, {"task": "inversion", "seed": 3}, notes or Notes(), goes_on)


def ended_by(folder: Path, error: BaseException) -> dict:
    """run.json after an error within."""
    with pytest.raises(type(error)) as caught, start(folder).running():
        assert read_json(folder / "run.json")["status"] == "running"
        raise error
    assert caught.value is error
    return read_json(folder / "run.json")


def test_nothing_is_written_before_it_runs(folder):
    start(folder)
    assert not folder.exists()


def test_a_run_that_finishes(folder):
    run = start(folder)
    with run.running():
        assert read_json(folder / "run.json")["status"] == "running"
        run.write(steps=20)
        run.finish("cpu", interrupted=False)
    found = read_json(folder / "run.json")
    expected = {"status": "finished", "reason": None, "device": "cpu", "steps": 20}
    assert found.items() >= (expected | {"task": "inversion", "seed": 3, "warnings": []}).items()
    assert {"torch", "visprior", "python"} <= found["versions"].keys()


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (UserError("no layer 'x';\n  allowed: y"), "failed", "no layer 'x'; allowed: y"),
        (ValueError(), "failed", "ValueError"),
        (KeyboardInterrupt(), "interrupted", "KeyboardInterrupt"),
    ],
)
def test_a_run_that_an_error_ends(folder, error, status, reason):
    found = ended_by(folder, error)
    assert (found["status"], found["reason"]) == (status, reason)


def test_a_full_disk_is_named_with_its_file(folder):
    full = OSError(errno.ENOSPC, "No space left on device", str(folder / "preimage.png"))
    found = ended_by(folder, full)
    assert found["status"] == "failed"
    assert "preimage.png': No space left on device (VISPRIOR_OUTPUTS" in found["reason"]


@pytest.fixture
def full(folder, monkeypatch):
    """From when it is called, no new file fits on the disk."""

    def full() -> OSError:
        def refuse(self, data):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", refuse)
        return OSError(errno.ENOSPC, "No space left on device", str(folder / "preimage.png"))

    return full


def test_a_full_disk_leaves_no_running_behind(folder, full):
    with pytest.raises(OSError, match="No space left"), start(folder).running():
        raise full()
    found = read_json(folder / "run.json")
    assert found["status"] == "failed" and "preimage.png': No space left" in found["reason"]
    assert found["task"] == "inversion"


def test_a_disk_that_is_full_at_the_very_end(folder, full):
    """The file cannot say that the run has finished: then it failed."""
    run = start(folder)
    with pytest.raises(OSError, match="No space left"), run.running():
        full()
        run.finish("cpu", interrupted=False)
    assert read_json(folder / "run.json")["status"] == "failed"


def test_a_disk_that_is_full_when_a_killed_run_is_gone_on_with(folder, full):
    folder.mkdir()
    start(folder).write()  # the last that a killed process does
    assert read_json(folder / "run.json")["status"] == "running"
    run = start(folder, goes_on=True)
    full()
    with pytest.raises(OSError, match="No space left"), run.running():
        pass
    assert read_json(folder / "run.json")["status"] == "failed"


def test_a_full_disk_does_not_hide_the_error(folder, full, caplog):
    run = start(folder)
    with pytest.raises(ValueError, match="the cause"), run.running():
        full()
        (folder / "run.json").unlink()
        raise ValueError("the cause")
    assert "run.json could not be written" in caplog.text


def test_interpolations_that_were_typed_are_kept_as_they_were(folder):
    typed = folder / ".hydra" / "overrides.yaml"
    typed.parent.mkdir(parents=True)
    typed.write_text("- schedule.steps=${size}\n")
    with start(folder).running():
        assert read_json(folder / "run.json")["overrides"] == ["schedule.steps=${size}"]


def test_an_error_after_the_end_changes_nothing(folder):
    """Of a report that fails, say: the run itself has finished."""
    run = start(folder)
    with pytest.raises(ValueError, match="late"), run.running():
        run.finish("cpu", interrupted=False)
        raise ValueError("late")
    assert read_json(folder / "run.json")["status"] == "finished"


def test_the_seconds_of_earlier_starts_are_added(folder, clock):
    for goes_on, own in ((False, 5.0), (True, 7.0)):
        run = start(folder, goes_on=goes_on)
        with run.running():
            clock.now += own
            run.finish("cpu", interrupted=not goes_on)
        clock.now += 1000  # between two starts
    assert read_json(folder / "run.json")["seconds"] == 12.0
    assert start(folder, goes_on=True).finished
    other = start(folder)  # another run that happens to find a file there
    assert not other.finished and other.seconds == 0 and other.steps is None


def test_warnings_and_failures_are_kept(folder, caplog):
    notes = Notes()
    run = start(folder, notes)
    with caplog.at_level(logging.WARNING, logger="visprior"), run.running():
        notes.warn("too dark")
        notes.leave_out("b.png", "'b.png' is no picture")
        notes.failures["a_seed1"] = "not finite after step 3"
        run.finish("cpu", interrupted=False)
    found = read_json(folder / "run.json")
    assert found["warnings"] == ["too dark", "'b.png' is no picture; it is left out"]
    assert found["warnings"] == [record.getMessage() for record in caplog.records]
    assert found["status"] == "failed"
    assert found["reason"] == "b.png: 'b.png' is no picture; a_seed1: not finite after step 3"


def test_what_was_typed_is_kept(folder):
    typed = folder / ".hydra" / "overrides.yaml"
    typed.parent.mkdir(parents=True)
    typed.write_text("- layer=middle\n- seeds=2\n")
    with start(folder).running():
        assert read_json(folder / "run.json")["overrides"] == ["layer=middle", "seeds=2"]
