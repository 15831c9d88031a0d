"""What somebody else can hand over runs no code and writes nowhere else (docs/safety.md)."""

import json
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from imageio.v3 import imwrite
from omegaconf import OmegaConf

from visprior.config.compose import compose
from visprior.config.schema import slug
from visprior.job.identity import config_hash

from .conftest import runs

MARKER, VICTIM = "marker", "victim"  # made by code that runs; lost or changed by it
HELPERS = f'''
from pathlib import Path
from hydra.experimental.callback import Callback

class Marks(Callback):
    def on_run_start(self, config, **kwargs):
        net()

def net(**kwargs):
    Path("{MARKER}").touch()
'''


def path(name: str) -> dict[str, Any]:
    return {"_target_": "pathlib.Path", "_args_": [name]}


TARGETS: dict[str, dict[str, Any]] = {
    "os.system": {"command": f"touch {MARKER}"},
    "subprocess.run": {"args": ["touch", MARKER]},
    "builtins.open": {"file": MARKER, "mode": "w"},
    "logging.FileHandler": {"filename": MARKER},
    "pathlib.Path.touch": {"self": path(MARKER)},
    "pathlib.Path.unlink": {"self": path(VICTIM)},
    "shutil.copyfile": {"src": VICTIM, "dst": MARKER},
    "shutil.move": {"src": VICTIM, "dst": MARKER},
    "numpy.savetxt": {"fname": MARKER, "X": [1]},
    "torch.save": {"obj": 1, "f": MARKER},
    "torch.load": {"f": "evil.pt", "weights_only": False},
    "torch.hub.load": {"repo_or_dir": ".", "model": "net", "source": "local"},
    "runpy.run_path": {"path_name": "hubconf.py"},
    "urllib.request.urlretrieve": {"url": f"file:{VICTIM}", "filename": MARKER},
    "helpers.net": {},
    "visprior.net.python._call": {"target": "helpers:net"},
    "visprior.net.python.PythonNet": {"target": "helpers:net"},
    "visprior.files.whole.write_json": {"path": path(MARKER), "obj": 1},
}


class _Touch:
    def __reduce__(self) -> Any:
        return Path.touch, (Path(MARKER),)


@pytest.fixture
def here(outputs, monkeypatch) -> Iterator[Path]:
    """The current folder, with the files that the attacks use; Python looks for modules in it."""
    Path("helpers.py").write_text(HELPERS)
    Path("hubconf.py").write_text(f"{HELPERS}\nnet()\n")
    Path("evil.pt").write_bytes(pickle.dumps(_Touch()))
    Path(VICTIM).write_text("whole")
    monkeypatch.syspath_prepend(str(Path.cwd()))
    yield Path.cwd()
    sys.modules.pop("helpers", None)


def refused(result: Any) -> str:
    """No code ran; the one line that says why."""
    assert not Path(MARKER).exists() and Path(VICTIM).read_text() == "whole", result.err
    assert result.code == 2, (result.code, result.err)
    return result.error


def experiment(content: Any) -> list[str]:
    """The words that choose an experiment of somebody else's."""
    Path("conf/experiment").mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    Path("conf/experiment/evil.yaml").write_text(f"# @package _global_\n{text}")
    return ["--config-dir=conf", "+experiment=evil"]


def as_part(target: str, given: dict[str, Any]) -> list[str]:
    return experiment({"regularizer": {"evil": {"_target_": target, **given}}})


def as_callback(target: str, given: dict[str, Any]) -> list[str]:
    return experiment({"hydra": {"callbacks": {"evil": {"_target_": target, **given}}}})


def as_handler(target: str, given: dict[str, Any]) -> list[str]:
    handlers = {"evil": {"()": target, **given}}
    return experiment({"hydra": {"job_logging": {"handlers": handlers}}})


def stored(change: dict[str, Any], *without: str) -> list[str]:
    """The words that go on with a run which somebody else hands over."""
    cfg = OmegaConf.to_container(compose("size=32", "schedule.steps=1"))
    assert isinstance(cfg, dict)
    folder = Path("handed/.hydra")
    folder.mkdir(parents=True)
    kept = {key: value for key, value in cfg.items() if key not in without}
    changed = OmegaConf.create({**kept, **change})
    OmegaConf.save(changed, folder / "config.yaml")
    OmegaConf.save(
        {"hydra": {"runtime": {"cwd": str(Path("handed").resolve())}}}, folder / "hydra.yaml"
    )
    about = {"config_hash": config_hash(changed), "status": "interrupted"}
    Path("handed/run.json").write_text(json.dumps(about))
    return ["resume=handed"]


def as_stored(target: str, given: dict[str, Any]) -> list[str]:
    trust = [target.split(".")[0]]
    return stored({"trust": trust, "regularizer": {"evil": {"_target_": target, **given}}})


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("route", [as_part, as_callback, as_handler, as_stored])
def test_no_target_runs_by_any_route(command, here, route, target):
    refused(command(*route(target, TARGETS[target])))


EVIL = {"_target_": "helpers.net"}
LENT = {"trust": ["helpers"], "regularizer": {"evil": EVIL}}
MADE = "${oc.create:{_target_:helpers.net}}"
FOLDER = "${hydra.runtime.output_dir}"


def node(**keys: Any) -> dict[str, Any]:
    return {"hydra": keys}


def sweep_of(**params: Any) -> dict[str, Any]:
    return node(mode="MULTIRUN", sweeper={"params": params})


def log(group: str, name: str, **keys: Any) -> dict[str, Any]:
    return node(job_logging={group: {name: keys}})


NAMED = log("handlers", "file", filename=f"{FOLDER}/${{hydra.job.name}}.log")
NAMED["hydra"]["job"] = {"name": "../x"}
NETS = {"nets": [{"net": "python", "target": "helpers:net"}]}
TRICKS: dict[str, Any] = {
    "its own trust": LENT,
    "trust among the words": {**LENT, **node(overrides={"task": ["trust=[helpers]"]})},
    "trust of a sweep": {"regularizer": {"evil": EVIL}, **sweep_of(trust="[helpers]")},
    "a part of a sweep": sweep_of(**{"+regularizer.evil._target_": "helpers.net"}),
    "a part of a sweep's values": sweep_of(seed=EVIL),
    "a made part of a sweep's values": sweep_of(seed=MADE),
    "a sweeper": node(mode="MULTIRUN", sweeper=EVIL),
    "a launcher": node(mode="MULTIRUN", launcher=EVIL),
    "a net": {"defaults": [{"override /net": "python"}], "net": {"target": "helpers:net"}},
    "a net of a metric": {"layer": "relu1_1", "size": 32, "metric": {"error_in": NETS}},
    "a made target": {"regularizer": {"evil": {"_target_": "${oc.decode:helpers.net}"}}},
    "a made part": {"regularizer": {"evil": MADE}},
    "a made callback": node(callbacks={"evil": MADE}),
    "a callback's argument": node(callbacks={"first_check": {"x": EVIL}}),
    "a name to import": log("handlers", "console", stream="ext://helpers.net"),
    "a made name": log("formatters", "bare", format="${oc.decode:'ext://helpers.net'}"),
    "a class of a handler": log("handlers", "file", **{"class": "helpers.net"}),
    "a class of a formatter": log("formatters", "bare", **{"class": "helpers.net"}),
    "a filter": log("filters", "evil", **{"()": "helpers.net"}),
    "an attribute": log("handlers", "file", **{".": {"baseFilename": MARKER}}),
    "Hydra's own log": node(hydra_logging={"handlers": {"x": {"()": "helpers.net"}}, "root": {}}),
    "a log elsewhere": log("handlers", "file", filename=MARKER),
    "a log above": log("handlers", "file", filename=f"{FOLDER}/../x"),
    "a log by the job's name": NAMED,
    "the environment": node(job={"env_set": {"IMAGEIO_FFMPEG_EXE": "./evil"}}),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_no_trick_of_a_file_helps(command, here, outputs, trick):
    line = refused(command(*experiment(TRICKS[trick])))
    assert "helpers" in line or "hydra." in line
    assert not list(here.rglob("x*")) and not list(outputs.rglob("x*"))


SLURM = "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"


@pytest.mark.parametrize(
    ("launcher", "said"),
    [
        ({"x": EVIL}, "helpers.net is no known part"),
        ({"setup": [f"touch {MARKER}"]}, "hydra.launcher.setup stands in a file, and runs code"),
        ({"additional_parameters": {"wrap": "x"}}, "hydra.launcher.additional_parameters.wrap"),
        ({"comment": f"a\ntouch {MARKER}"}, "hydra.launcher: a value has more than one line"),
    ],
)
def test_a_launcher_in_a_file_runs_no_command(command, here, launcher, said):
    Path("conf/hydra/launcher").mkdir(parents=True)
    text = yaml.safe_dump({"_target_": SLURM, **launcher})
    Path("conf/hydra/launcher/mine.yaml").write_text(text)
    words = ["-m", "--config-dir=conf", "hydra/launcher=mine", "seed=0,1"]
    assert said in refused(command(*words))


def test_a_package_of_configurations_is_not_imported(command, here):
    Path("conf").mkdir()
    Path("conf/mine.yaml").write_text(
        "defaults: [config]\nhydra: {searchpath: ['pkg://helpers']}\n"
    )
    assert "pkg://helpers" in refused(command("--config-dir=conf", "--config-name=mine"))


def test_a_pickle_of_a_run_is_not_read(command, here):
    assert "pickle" in refused(command("--experimental-rerun=evil.pt"))


def test_a_stored_net_is_not_imported_from_the_stored_folder(command, here):
    net = {"_target_": "visprior.net.python.PythonNet", "target": "inner:net"}
    words = stored({"net": net}, "net")
    Path("handed/inner.py").write_text(f"{HELPERS}\nnet()\n")
    assert "net.target=inner:net stands in a file" in refused(command(*words))
    assert "cannot import 'inner'" in refused(command(*words, "trust=[inner]"))
    assert "cannot import 'inner'" in refused(command(*words, "net.target=inner:net"))
    assert "inner.py]: there is no such file" in refused(command(*words, "trust=[inner.py]"))
    assert not Path("handed", MARKER).exists()


def test_what_is_typed_runs(quick, command, here, outputs):
    """The same attempts, trusted: the tests above could fail."""
    words = as_callback("helpers.Marks", {})
    assert refused(quick(*words)).startswith("hydra.callbacks: _target_=helpers.Marks")
    assert quick(*words, "trust=[helpers.py]").code == 0
    assert Path(MARKER).exists()
    file = {"class": "logging.FileHandler", "filename": "${hydra.runtime.output_dir}/more.log"}
    logs = {"handlers": {"more": file}, "root": {"handlers": ["console", "file", "more"]}}
    assert quick(*experiment({"hydra": {"job_logging": logs}})).code == 0
    (log,) = outputs.rglob("more.log")
    assert log.parent == runs(outputs)[1]


def test_a_net_in_a_file_is_trusted_by_its_module(command, here):
    Path("nets.py").write_text(
        "from torch import nn\n\ndef make():\n    return nn.Conv2d(3, 4, 3)\n"
    )
    Path("conf/net").mkdir(parents=True)
    net = {"_target_": "visprior.net.python.PythonNet", "target": "nets:make"}
    Path("conf/net/mine.yaml").write_text(yaml.safe_dump(net))
    words = ["mine", "--config-dir=conf"]
    assert "trust=[nets.py] on the command line" in refused(command(*words, entry="layers"))


def test_a_folder_is_never_the_one_above():
    assert slug("..") == "__" and slug(".") == "_"
    assert slug("a/../b") == "a_.._b" and slug("") == ""


def test_a_layer_called_dots_stays_in_its_book(command, here, outputs):
    layers = {"layer": ["..", "/"], "net": {"aliases": {"..": "relu1_1", "/": "relu1_1"}}}
    words = ["net=shapes_vgg", "task=maximization", "channel=[0]", "size=32", "schedule.steps=1"]
    words += experiment(layers)
    before = sorted(p.name for p in here.iterdir())
    result = command(*words, "hydra.run.dir=out/run")
    assert result.code == 0, result.err
    assert sorted(p.name for p in Path("out").iterdir()) == ["run"]
    assert sorted(p.name for p in here.iterdir()) == sorted([*before, "out"])


@pytest.fixture
def sweep(here) -> Path:
    """A folder of two finished runs with a picture each, which somebody else hands over."""
    for number in range(2):
        job = Path(f"sweep/{number}")
        job.mkdir(parents=True)
        imwrite(job / "preimage.png", np.zeros((8, 8, 3), np.uint8))
        image = {"label": "a", "file": "preimage.png", "status": "ok"}
        about = {"status": "finished", "overrides": [f"seed={number}"]}
        (job / "run.json").write_text(json.dumps(about))
        (job / "metrics.json").write_text(json.dumps({"images": [image]}))
    imwrite("secret.png", np.full((8, 8, 3), 200, np.uint8))
    return Path("sweep")


@pytest.mark.parametrize("key", ["file", "box", "target"])
@pytest.mark.parametrize("name", ["../../secret.png", "{here}/secret.png", "link.png", "a\0b"])
def test_a_picture_outside_a_run_is_not_shown(command, sweep, here, key, name):
    name = name.format(here=here)
    (sweep / "0/link.png").symlink_to(here / "secret.png")
    metrics = json.loads((sweep / "0/metrics.json").read_text())
    metrics["images"][0][key] = name
    (sweep / "0/metrics.json").write_text(json.dumps(metrics))
    result = command(str(sweep), entry="report")
    assert result.code == 0 and "Traceback" not in result.err
    said = "'sweep/0/metrics.json' names pictures outside its folder, which are left out: "
    assert f"{said}{name!a}" in result.err
    assert "secret.png" not in (sweep / "index.html").read_text()


@pytest.mark.parametrize("side", [10_000, 20_000])  # Pillow warns of the one, refuses the other
def test_a_bomb_in_a_report_is_one_line(command, sweep, side):
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data).to_bytes(4, "big")
        return len(data).to_bytes(4, "big") + kind + data + check

    head = side.to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0])
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b""))
    (sweep / "0/preimage.png").write_bytes(data + chunk(b"IEND", b""))
    result = command(str(sweep), entry="report")
    assert result.code == 0 and "Traceback" not in result.err and "Warning" not in result.err
    assert result.err.count("is too large a picture; it is left out") == 1
