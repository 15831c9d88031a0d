"""A folder has one process at a time; what dead ones have left is no hindrance."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from visprior.command import sweep_folder
from visprior.errors import UserError
from visprior.files import lock
from visprior.files.lock import NAME, SILENT, check_free, locked

HOLDS = """
import sys, time
from pathlib import Path
from visprior.files.lock import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that works in tmp_path."""
    with subprocess.Popen([sys.executable, "-c", HOLDS, tmp_path], stdout=-1, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "locked\n"
        yield process
        process.kill()


def leave(folder: Path, host: str, pid: int, seconds: float = 0) -> None:
    """A lock file whose last sign of life was so long ago."""
    (folder / NAME).write_text(json.dumps({"host": host, "pid": pid}))
    then = time.time() - seconds
    os.utime(folder / NAME, (then, then))


def test_it_is_there_for_as_long_as_the_work(tmp_path):
    with locked(tmp_path / "run"):
        about = json.loads((tmp_path / "run" / NAME).read_text())
        assert about == {"host": socket.gethostname(), "pid": os.getpid()}
        with pytest.raises(UserError, match="is in use"), locked(tmp_path / "run"):
            pass
    assert not list((tmp_path / "run").iterdir())
    with pytest.raises(ValueError, match="mine"), locked(tmp_path):
        raise ValueError("mine")
    assert not (tmp_path / NAME).exists()


def test_the_second_process_is_refused_while_the_first_lives(tmp_path, holder):
    line = rf"is in use: process {holder.pid} on {socket.gethostname()} works there$"
    for attempt in (lambda: check_free(tmp_path), lambda: locked(tmp_path).__enter__()):
        with pytest.raises(UserError, match=line):
            attempt()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / NAME).is_file()
    check_free(tmp_path)
    with locked(tmp_path):
        assert json.loads((tmp_path / NAME).read_text())["pid"] == os.getpid()


def test_of_another_computer_the_last_sign_of_life_counts(tmp_path):
    leave(tmp_path, "elsewhere", os.getpid(), SILENT - 20)
    with pytest.raises(UserError, match=r"on elsewhere gave a sign 10\d s ago, and counts as dead"):
        check_free(tmp_path)
    with pytest.raises(UserError, match="on elsewhere gave a sign"), locked(tmp_path):
        pass
    assert json.loads((tmp_path / NAME).read_text())["host"] == "elsewhere"
    leave(tmp_path, "elsewhere", os.getpid(), SILENT + 1)
    check_free(tmp_path)
    with locked(tmp_path):
        pass


def test_a_damaged_file_is_nobodys(tmp_path):
    for content in ("", "{", "3", '{"host": "elsewhere"}', '{"host": "elsewhere", "pid": null}'):
        (tmp_path / NAME).write_text(content)
        check_free(tmp_path)
        with locked(tmp_path):
            pass


def test_it_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "BEAT", 0.01)
    with locked(tmp_path):
        os.utime(tmp_path / NAME, (0, 0))
        until = time.monotonic() + 20
        while (tmp_path / NAME).stat().st_mtime < 1 and time.monotonic() < until:
            time.sleep(0.01)
        assert time.time() - (tmp_path / NAME).stat().st_mtime < 20


def test_a_disk_without_flock(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_flocked", lambda file: None)
    leave(tmp_path, socket.gethostname(), os.getppid())
    with pytest.raises(UserError, match="is in use"):
        check_free(tmp_path)
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True
    )
    leave(tmp_path, socket.gethostname(), int(gone.stdout))
    check_free(tmp_path)
    with locked(tmp_path):
        pass


def test_whoever_was_thought_dead_leaves_the_others_file(tmp_path):
    with locked(tmp_path):
        (tmp_path / NAME).unlink()
        leave(tmp_path, "elsewhere", 3)
    assert json.loads((tmp_path / NAME).read_text())["host"] == "elsewhere"


def test_what_killed_writes_have_left_is_removed(tmp_path):
    (tmp_path / "part").mkdir()
    for place in (tmp_path, tmp_path / "part"):
        for name in (".12-140213.tmp", ".mine.tmp", "12-13.tmp", "preimage.png"):
            (place / name).touch()
    with locked(tmp_path):
        pass
    left = [".mine.tmp", "12-13.tmp", "preimage.png"]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*left, "part"])
    assert sorted(p.name for p in (tmp_path / "part").iterdir()) == sorted(left)


def test_so_are_those_of_a_sweeps_report_when_it_starts_again(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep_folder, "started", [])
    (tmp_path / "0_job").mkdir()
    for place in (tmp_path, tmp_path / "0_job"):  # where another process may be at work
        (place / ".12-140213.tmp").touch()
    hydra = {"sweep": {"dir": str(tmp_path)}, "sweeper": {}, "overrides": {"task": []}}
    sweep_folder.SweepFolder().on_multirun_start(OmegaConf.create({"hydra": hydra}))
    assert [p.name for p in tmp_path.iterdir()] == ["0_job"]
    assert (tmp_path / "0_job" / ".12-140213.tmp").is_file()
