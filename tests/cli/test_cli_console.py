"""What only the installed commands can show: speed of --help, full disks, signals from outside."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from visprior import __version__

from .conftest import QUICK, runs, status

BIN = Path(sys.executable).parent

# Runs commands one after the other in a fresh interpreter and tells which heavy modules they load.
LIGHT = """
import sys, json
from visprior.cli import main
for args in json.loads(sys.argv[1]):
    sys.argv = ["visprior", *args]
    try:
        main()
    except SystemExit as leaving:
        assert not leaving.code, leaving.code
heavy = {"torch", "numpy", "matplotlib", "skimage", "PIL", "torchvision"} & set(sys.modules)
assert not heavy, heavy
"""


def test_what_needs_no_torch_does_not_load_it(outputs):
    shows = [["--help"], ["--cfg", "job"], ["--info", "searchpath"], ["--version"]]
    shows += [["--cfg", "hydra", "--package", "hydra.sweep"], ["-sc", "query=bash"]]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIGHT, json.dumps(shows)],
        env=os.environ | {"COMP_LINE": "visprior net=vgg", "COMP_POINT": "16"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    for part in ("Examples", "layer: middle", "Provider", "_sweep", "net=vgg16 net=vgg19"):
        assert part in done.stdout
    assert f"visprior {__version__}: natural" in done.stdout
    assert not outputs.exists()


@pytest.mark.parametrize(
    ("name", "args"), [("visprior", ["--version"]), ("visprior-layers", ["-h"])]
)
def test_the_commands_are_installed(name, args):
    done = subprocess.run([BIN / name, *args], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "visprior" in done.stdout


def test_a_full_disk(outputs):
    """Simulated by a limit on the size of files: the first picture does not fit."""
    done = subprocess.run(
        [BIN / "visprior", *QUICK, "size=64"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (15000, 15000)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    (run,) = runs(outputs)
    assert done.stderr.splitlines()[-1].startswith(f"visprior: error: cannot write '{run}/")
    assert "File too large" in done.stderr
    assert status(run)["status"] == "failed" and "File too large" in status(run)["reason"]
    assert not [p for p in run.iterdir() if p.suffix == ".tmp"]


def test_two_commands_in_one_folder(outputs):
    """The second is refused while the first lives, and goes on when that was killed."""
    folder = outputs / "run"
    words = [BIN / "visprior", *QUICK, "schedule.steps=9000", "record.save_seconds=0"]
    words += [f"hydra.run.dir={folder}", "metric.classify.nets=null"]
    first = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not (folder / "state.safetensors").is_file():
        assert time.monotonic() < until and first.poll() is None
        time.sleep(0.05)
    settings = (folder / ".hydra" / "config.yaml").stat().st_mtime_ns
    for more, line in (([], f"is in use: process {first.pid} on "), (["seed=1"], "another job")):
        done = subprocess.run([*words, *more], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        (said,) = [x for x in done.stderr.splitlines() if x.startswith("visprior: error: ")]
        assert line in said and "Traceback" not in done.stderr
    assert first.poll() is None and status(folder)["status"] == "running"
    assert (folder / ".hydra" / "config.yaml").stat().st_mtime_ns == settings
    first.kill()
    first.wait()
    (folder / ".7-7.tmp").touch()
    again = subprocess.Popen(
        [BIN / "visprior", f"resume={folder}"], stderr=subprocess.PIPE, text=True
    )
    assert again.stderr is not None
    assert any(line.startswith("going on after step") for line in again.stderr)
    while (folder / ".7-7.tmp").exists() and again.poll() is None:
        time.sleep(0.05)
    assert not (folder / ".7-7.tmp").exists()
    again.terminate()
    assert again.wait(60) == 143 and not (folder / ".lock").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_from_outside(outputs, number):
    running = subprocess.Popen(
        [BIN / "visprior", *QUICK, "schedule.steps=9000", "record.save_seconds=0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not list(outputs.rglob("state.safetensors")):
        assert time.monotonic() < until and running.poll() is None
        time.sleep(0.05)
    running.send_signal(number)
    _, err = running.communicate(timeout=60)
    (run,) = runs(outputs)
    assert running.returncode == 128 + number
    assert err.splitlines()[-1] == f"visprior: interrupted; visprior resume={run} goes on"
    assert status(run)["status"] == "interrupted" and (run / "preimage.png").is_file()


def test_a_reader_that_leaves_early_is_no_error(outputs):
    pipe = f"'{BIN / 'visprior-layers'}' vgg19 | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", pipe], capture_output=True, text=True)
    assert done.stdout.startswith("layer") and done.stderr == ""


# A command whose process gets a signal when it imports a module.
AT_IMPORT = """
import os, sys
from visprior.cli import main

_, module, number, *words = sys.argv

class Signal:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), int(number))

sys.meta_path.insert(0, Signal())
sys.argv = ["visprior", *words]
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["hydra.main", "hydra.core.plugins", "numpy", "torchvision"])
def test_a_signal_while_modules_are_imported_is_one_line(outputs, module, number):
    words = [sys.executable, "-c", AT_IMPORT, module, str(int(number)), *QUICK]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (128 + number, "visprior: interrupted\n")
    assert not outputs.exists()


@pytest.mark.parametrize("closed", ["2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"])
def test_closed_streams_are_no_error(outputs, closed):
    words = " ".join(f"'{word}'" for word in [str(BIN / "visprior"), *QUICK])
    done = subprocess.run(["bash", "-c", f"{words} {closed}"], check=False)
    (run,) = runs(outputs)
    assert done.returncode == 0 and status(run)["status"] == "finished"
