"""Every mistake on the command line: one line, exit code 2, nothing half-written."""

import json
import os
from pathlib import Path

import pytest
import torch

from .conftest import runs, status

KNOWN_LAYERS = "allowed: conv1_1, relu1_1"

BEFORE_THE_RUN = [
    ("net=vgg91", "no 'vgg91' in group 'net'; did you mean 'vgg19'"),
    ("task=inverson", "no 'inverson' in group 'task'; did you mean 'inversion'?"),
    ("regularizer=tvv", "no 'tvv' in group 'regularizer'; did you mean 'tv'"),
    ("regularizer=[tv,tvv]", "no 'tvv' in group 'regularizer'; did you mean 'tv'"),
    ("optimizer=zzz", "no 'zzz' in group 'optimizer'; allowed: adam, "),
    ("+experiment=nope", "no 'nope' in group 'experiment'; "),
    ("experiment=smoke", "nothing is chosen in group 'experiment' yet; +experiment=smoke adds it"),
    ("task=null", "task=null: choose one of caricature, "),
    ("schedule=mahendran2015", "no 'mahendran2015' in group 'schedule'; it is a recipe: +rec"),
    ("regularizer.tv.wieght=1", "unknown key 'regularizer.tv.wieght'; did you mean 'weight'?"),
    ("regularizer.l2.weight=1", "'l2' is not among the chosen of regularizer; +regularizer=l2"),
    ("schedule.stpes=3", "unknown key 'schedule.stpes'; did you mean 'steps'"),
    ("record.evry=3", "unknown key 'record.evry'; did you mean 'every'?"),
    ("netwrok=vgg19", "unknown key 'netwrok'; did you mean 'net'?"),
    ("~regularizer.tvv", "unknown key 'regularizer.tvv'; did you mean 'tv'?"),
    ("seeds=a", "seeds=a: 'a' is not a whole number"),
    ("record.stretch=maybe", "record.stretch=maybe: 'maybe' is not true or false"),
    ("layer", "'layer' is not of the form key=value"),
    ("layer=[a", "cannot read layer=[a: quote special characters"),
    ("layer=[a image=coffee", "cannot read layer=[a: quote special characters"),
    ("image='a[b' layer=c]", "cannot read layer=c]: quote special characters"),
    ("channel=[0, 1] seeds=2", "the shell has split channel=[0, 1] at its spaces; write "
     'channel=[0,1], or quote it: "channel=[0, 1]"'),
    ("task.C={from: 1, to: [2, 3]}", "the shell has split task.C={from: 1, to: [2, 3]} at its"),
    ("layer=conv1_1,conv1_2", "layer=conv1_1,conv1_2 has several values: -m sweeps over them"),
    ("--foo", "unknown option --foo"),
    ("--cfg=nope", "argument --cfg/-c: invalid choice: 'nope'"),
    ("--config-dir=/nonexistent", "Additional config directory '/nonexistent' not found"),
    ("--config-name=nope", "no configuration 'nope'"),
    ("resume=/nonexistent", "resume=/nonexistent: no run.json there, so no run of visprior"),
]  # fmt: skip

BEFORE_THE_FIRST_STEP = [
    ("+foo=1", "unknown key 'foo'; allowed: net, task"),
    ("+task.starr=1", "unknown key 'task.starr'; did you mean 'start'?"),
    ("layer=relu9_9", "no layer 'relu9_9' in vgg19; did you mean 'relu5_4'"),
    ("layer=", f"no layer '' in vgg19; {KNOWN_LAYERS}"),
    ("layer=${nope}", "Interpolation key 'nope' not found"),
    ("task=maximization channel=64", "channel=64 is out of range: layer=relu1_1 has 64, 0 to 63"),
    ("task=maximization channel=-1", "channel=-1 is out of range"),
    ("task.channels=[64]", "task.channels: 64 is out of range: the layer has 64, 0 to 63"),
    ("device=foo", "device=foo is not known; allowed: auto, cpu, cuda, cuda:N"),
    ("device=cuda:x", "device=cuda:x is not known; allowed: auto, cpu, cuda, cuda:N"),
    ("precision=foo", "precision=foo is not known; allowed: fp32, fp64, bf16"),
    ("seeds=0", "seeds must be a whole number >= 1, got 0"),
    ("seed=-1", "seed must be a whole number >= 0, got -1"),
    ("regularizer.tv.weight=-1", "tv.weight must be >= 0, got -1"),
    ("regularizer.alpha_norm.center=grey",
     "regularizer.alpha_norm.center must be null, a number or a list of numbers, got grey"),
    ("regularizer.alpha_norm.center=[1,2]", "alpha_norm.center has 2 numbers for 3 channels"),
    ("regularizer.tv.weight=abc", "tv.weight must be a number, got 'abc'"),
    ("regularizer.tv.weight={from:1,too:3}", "tv.weight: a ramp has from, to, over, curve; not"),
    ("regularizer.tv.weight={from:1}", "tv.weight: a ramp needs from and to"),
    ("regularizer.tv.weight={from:1,to:2,over:nix}", "tv.weight.over=nix is not known"),
    ("size=2", "size must be a number >= 8 or [height, width], got 2"),
    ("size=foo", "size must be null, a whole number or a list of whole numbers, got foo"),
    ("size=8 layer=relu5_1", "images of 8x8 pixels do not get to layer 'relu5_1' of vgg19"),
    ("micro_batch=0", "micro_batch must be auto or a whole number >= 1, got 0"),
    ("schedule.steps=0", "schedule.steps must be a whole number >= 1, got 0"),
    ("schedule.stages=3", "schedule.stages must be a list, got 3"),
    ("record.snapshots=[999]", "record.snapshots: 999 is not among the 350 steps"),
    ("record.every=0", "record.every must be a whole number >= 1, got 0"),
    ("record.save_seconds=-1", "record.save_seconds must be >= 0, got -1"),
    ("image=astronut", "image=astronut is neither a built-in photograph nor a file; did you mean"),
    ("image=missing.png", "image=missing.png is neither a built-in photograph nor a file"),
    ("image=note.txt", "image 'note.txt' cannot be read: it is not a picture"),
    ("image=empty.png", "image 'empty.png' cannot be read: the file is empty"),
    ("image=cut.png", "image 'cut.png' cannot be read: "),
    ("net.weights=missing.pth", "net.weights=missing.pth: no such file"),
    ("net.weights=cut.pth", "weights 'cut.pth': damaged, incomplete, or no checkpoint"),
    ("net.weights=evil.pth", "weights 'evil.pth': holds more than tensors, which is refused"),
    ("net.weights=other.pth", "weights 'other.pth' are of another network; missing: features.0"),
    ("task._target_=os.system", "_target_=os.system is not visprior's; trust=[os] allows it"),
    ("task._target_=torch.hub.load", "_target_=torch.hub.load is not visprior's"),
    ("task._target_=visprior.net.python.torch.load",
     "_target_=visprior.net.python.torch.load leads out of"),
    ("task._target_=visprior.task.nope.No", "_target_=visprior.task.nope.No: there is nothing"),
    ("task._target_=nopart.Mine trust=[nopart]",
     "_target_=nopart.Mine: no module 'nopart'; trust=[nopart.py] names a file"),
]  # fmt: skip


class Malicious:
    """Unpickling it would leave a file."""

    def __reduce__(self):
        return os.system, ("touch pwned",)


@pytest.fixture
def files(picture):
    """Pictures and weights that cannot be used, in the current folder."""
    Path("note.txt").write_text("no picture")
    Path("empty.png").touch()
    Path("cut.png").write_bytes(picture.read_bytes()[:1000])
    torch.save({"a": torch.zeros(3)}, "other.pth")
    torch.save({"a": Malicious()}, "evil.pth")
    Path("cut.pth").write_bytes(Path("other.pth").read_bytes()[:500])


@pytest.mark.parametrize(("args", "line"), BEFORE_THE_RUN)
def test_a_mistake_that_is_noticed_before_anything_is_made(quick, outputs, args, line):
    result = quick(*args.split())
    assert result.code == 2
    assert result.error.startswith(line)
    assert not outputs.exists()


@pytest.mark.parametrize(("args", "line"), BEFORE_THE_FIRST_STEP)
def test_a_mistake_that_only_the_parts_notice_leaves_no_folder_either(
    quick, outputs, files, args, line
):
    result = quick(*args.split())
    assert result.code == 2
    assert result.error.startswith(line)
    assert not outputs.exists()
    assert not Path("pwned").exists()


OF_OTHER_TASKS = [
    ("task=caricature task.start=nope", "task.start: image=nope is neither"),
    ("task=statistics", "data= is missing"),
    ("task=statistics data=. layer=relu9_9", "no layer 'relu9_9'"),
    ("task=examples data=/nonexistent", "image=/nonexistent is neither"),
    ("task=examples data=. task.count=2 channel=64", "channel=64 is out of range"),
    ("task=examples net=shapes_vgg", "size=32: the statistics in "),
    ("task=path channel=64 task.starts=[naive,tv]", "channel=64 is out of range"),
    ("task=path channel=0 task.starts=[naive]", "a path needs two start images or more"),
    ("task=path channel=0 task.starts=[naive,tv] +regularizer=l1 regularizer.l1.weight=-1",
     "l1.weight must be >= 0, got -1"),
    ("task=path channel=0 task.starts=[naive,tv] regularizer=alpha_norm",
     "regularizer=alpha_norm changes the images after the step"),
    ("task=maximization channel=[0,1] task.batch=1 task.start=nope", "task.start: image=nope is"),
    ("task=maximization channel=[0,1] task.examples=2", "task.examples needs statistics of vgg19"),
    ("task=maximization channel=[0,1] task.videos=.", "task.videos=.: no path.mp4"),
]  # fmt: skip


@pytest.mark.parametrize(("args", "line"), OF_OTHER_TASKS)
def test_no_task_leaves_a_folder_for_a_mistake(quick, outputs, picture, args, line):
    result = quick(*args.split())
    assert result.code == 2
    assert result.error.startswith(line)
    assert not outputs.exists()


def test_a_mistake_in_a_job_of_a_sweep_keeps_its_folder(quick, outputs):
    result = quick("-m", "task.C=-1,1")
    assert result.code == 1
    failed, _ = runs(outputs)
    assert status(failed)["status"] == "failed"
    assert status(failed)["reason"] == "task.C must be >= 0, got -1"
    assert "task.C must be >= 0, got -1" in (failed / "visprior.log").read_text()


def test_what_is_said_while_a_job_is_checked_stands_in_its_log(quick, outputs):
    line = "vgg19 has random weights (net.seed=0)"
    assert line in quick().err
    assert line in (runs(outputs)[0] / "visprior.log").read_text()
    assert line in quick("task.start=nope").err


def test_nothing_is_built_or_read_twice(quick, monkeypatch):
    """The run goes on with the net, the pictures and the cuts that were checked."""
    from visprior.data import picture
    from visprior.net.representation import Representation

    calls = []
    for owner, name in ((picture, "read_image"), (Representation, "cut")):
        original = getattr(owner, name)

        def counted(*args, _original=original, _name=name, **kw):
            calls.append(_name)
            return _original(*args, **kw)

        monkeypatch.setattr(owner, name, counted)
    assert quick("metric.classify.nets=null", "hydra.run.dir=../elsewhere").code == 0
    assert sorted(calls) == ["cut", "read_image"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_no_cuda(quick):
    result = quick("device=cuda")
    assert result.code == 2
    assert result.error == "device=cuda was asked for, but no CUDA device is visible"


def test_no_network_for_a_download(quick, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    for name in ("http_proxy", "https_proxy"):  # a port where nothing listens
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    result = quick("net=alexnet", "net.weights=default", "layer=relu1", "size=64")
    assert result.code == 2
    assert result.error.startswith("could not download https://download.pytorch.org/")
    assert "net.weights=FILE" in result.error and "net.weights=random" in result.error


def test_settings_given_with_resume(quick, outputs):
    quick()
    (run,) = runs(outputs)
    result = quick(f"resume={run}")
    assert result.code == 2
    assert result.error.startswith("resume= takes the stored settings; leave out layer=relu1_1")
    assert result.error.endswith(f"may begin where this one ended: task.start={run}")


def test_outputs_that_cannot_be_written(quick, outputs, monkeypatch):
    outputs.write_text("a file in place of the folder")
    result = quick()
    assert result.code == 2
    assert result.error.startswith(f"cannot write '{outputs}")
    assert result.error.endswith("(VISPRIOR_OUTPUTS chooses another folder for results)")
    monkeypatch.setenv("VISPRIOR_OUTPUTS", "/dev/null/x")
    assert quick().error.startswith("cannot write '/dev/null/x")


def test_a_file_in_the_way_of_a_result(quick, outputs):
    folder = outputs / "run"
    (folder / "preimage.png").mkdir(parents=True)
    result = quick(f"hydra.run.dir={folder}")
    assert result.code == 2
    assert result.error.startswith(f"cannot write '{folder}/preimage.png'")
    assert status(folder)["status"] == "failed"


def test_an_empty_VISPRIOR_OUTPUTS_is_none(quick, monkeypatch):
    monkeypatch.setenv("VISPRIOR_OUTPUTS", "")
    result = quick()
    assert result.code == 0
    assert ": outputs/" in result.err.splitlines()[-1]  # relative to the current folder
    assert len(runs(Path("outputs"))) == 1


def test_a_run_leaves_what_it_says(quick, outputs):
    result = quick()
    (run,) = runs(outputs)
    assert result.code == 0
    assert result.err.splitlines()[-1].endswith(f": {run / 'comparison.png'}")
    about = status(run)
    assert about["status"] == "finished" and about["reason"] is None
    metrics = json.loads((run / "metrics.json").read_text())
    assert about["main"] == {"name": "error", "value": metrics["summary"]["error"]}


def test_what_is_added_to_a_recipe_may_stand_before_it(command):
    """Hydra by itself composes in the order of the command, and the recipe would take it back."""
    words = ["task=maximization", "+regularizer=l1", "+recipe=fourier"]
    shown = [command(*order, "--cfg=job").out for order in (words, words[::-1])]
    assert shown[0] == shown[1] and "visprior.regularizer.l1.L1" in shown[0]
