"""What only the installed commands can show: speed of --help, full disks, Ctrl-C from outside."""

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


def test_ctrl_c_from_outside(outputs):
    running = subprocess.Popen(
        [BIN / "visprior", *QUICK, "schedule.steps=9000", "record.save_seconds=0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not list(outputs.rglob("state.safetensors")):
        assert time.monotonic() < until and running.poll() is None
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    (run,) = runs(outputs)
    assert running.returncode == 130
    assert err.splitlines()[-1] == f"visprior: interrupted; visprior resume={run} goes on"
    assert status(run)["status"] == "interrupted" and (run / "preimage.png").is_file()


def test_a_reader_that_leaves_early_is_no_error(outputs):
    pipe = f"'{BIN / 'visprior-layers'}' vgg19 | head -n 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", pipe], capture_output=True, text=True)
    assert done.stdout.startswith("layer") and done.stderr == ""
