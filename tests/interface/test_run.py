"""visprior.run computes what the command computes, and leaves the caller's things as they are."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobRuntime
from imageio.v3 import imread, imwrite
from PIL import Image

import visprior
from visprior.config.schema import config_dir
from visprior.errors import RunFailed
from visprior.files.whole import read_json
from visprior.job.run import run as run_in_folder
from visprior.loop.solver import Solver

from .conftest import QUICK, Small

SHIPPED = ["layer=relu1_1", "size=24", "schedule.steps=3", "device=cpu"]
TASKS = {
    "inversion": ["seeds=2"],
    "caricature": ["record.stretch=true"],
    "maximization": ["channel=[0,3]", "image=coffee"],
}
OCTAVES = ["+recipe=baust2021_vgg19", "task=inversion", "kernel.size=5", "schedule.steps=8"]


def pngs(folder: Path) -> np.ndarray:
    rows = read_json(folder / "metrics.json")["images"]
    return np.stack([imread(folder / row["file"]) for row in rows])


def left_in(folder: Path) -> list[str]:
    return [str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()]


@pytest.mark.parametrize("task", TASKS)
def test_the_pixels_and_numbers_are_those_of_the_command(compose_job, tmp_path, task, caplog):
    words = [f"task={task}", *SHIPPED, *TASKS[task]]
    folder, net = tmp_path / "run", "shapes_vgg_robust"
    run_in_folder(compose_job(*words), folder, {"task": task, "net": net})
    caplog.clear()
    result = visprior.run(*words)
    assert (result.images == pngs(folder)).all() and result.images.dtype == np.uint8
    kept = read_json(folder / "metrics.json")
    for own, row in zip(result.metrics, kept["images"], strict=True):
        assert own.items() <= row.items()
        assert {str(v)[-4:] for k, v in row.items() if k not in own} == {".png"}
    assert result.summary == kept["summary"] and result.folder is None
    useless = "image does nothing in task=maximization"
    assert any(line.startswith(useless) for line in caplog.messages) == (task == "maximization")


def test_the_float_image_is_what_the_pictures_are_made_from():
    result = visprior.run(*SHIPPED, "seeds=2")
    assert result.x is not None and result.x.shape == (2, 3, 24, 24)
    rounded = result.x.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
    assert (rounded.numpy() == result.images).all()


def test_nothing_is_written(folder_of_its_own, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    visprior.run(*SHIPPED)
    assert [p.name for p in tmp_path.iterdir()] == ["work"] and not left_in(folder_of_its_own)


def test_a_module_is_net_python(small, described, tmp_path, monkeypatch):
    (tmp_path / "small_net.py").write_text(
        "import sys\ndef make():\n    return sys.modules['for_small_net'].Small()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "for_small_net", sys.modules[Small.__module__])
    words = ["net=python", "net.target=small_net:make", "net.size=24", "net.mean=128"]
    by_name = visprior.run(*QUICK, *words)
    by_object = visprior.run(*QUICK, net=small, **described)
    assert (by_object.images == by_name.images).all()
    other = visprior.run(*QUICK, net=Small(1), **described)
    assert (other.images != by_name.images).any()


def test_mean_and_scale_may_be_arrays(small):
    words = [*QUICK, "net.mean=[120,115,105]", "net.scale=[50,60,70]"]
    by_words = visprior.run(*words, net=small, size=24)
    mean, scale = np.array([120, 115, 105]), torch.tensor([50.0, 60, 70])
    by_keywords = visprior.run(*QUICK, net=small, size=(24, 24), mean=mean, scale=scale)
    assert (by_words.images == by_keywords.images).all()


def test_the_module_is_left_as_it_was(small, described, pictures):
    small[0].weight.requires_grad_(False)
    small[2].register_forward_hook(lambda *_: None)
    before = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    visprior.run(*QUICK, net=small, image=pictures[0], **described)
    assert small.training and all(part.training for part in small.modules())
    assert [p.requires_grad for p in small.parameters()] == [False, True, True, True]
    assert all(p.grad is None for p in small.parameters())
    assert [len(part._forward_hooks) for part in small] == [0, 0, 1]
    assert small[1].inplace  # which the copy's is not
    assert all((small.state_dict()[name] == tensor).all() for name, tensor in before.items())


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_it_runs_where_gradients_are_off(context, small, described):
    expected = visprior.run(*QUICK, net=small, **described)
    with context():
        result = visprior.run(*QUICK, net=small, **described)
        assert not torch.is_grad_enabled()
    assert (result.images == expected.images).all()


def as_tensor(pictures: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pictures).permute(0, 3, 1, 2)


KINDS: dict[str, Any] = {
    "array": lambda p: p,
    "arrays": list,
    "floats": lambda p: p.astype(np.float64),
    "tensor": as_tensor,
    "tensors": lambda p: [x.float().requires_grad_() for x in as_tensor(p)],
    "PIL": lambda p: tuple(Image.fromarray(one) for one in p),
    "mixed": lambda p: [Image.fromarray(p[0]), as_tensor(p)[1:]],
}


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_those_of_files(kind, small, described, pictures):
    for k, picture in enumerate(pictures):
        imwrite(f"p{k}.png", picture)
    files = visprior.run(*QUICK, net=small, image=["p0.png", Path("p1.png"), "p2.png"], **described)
    result = visprior.run(*QUICK, net=small, image=KINDS[kind](pictures), **described)
    assert (result.images == files.images).all()
    assert [row["label"] for row in result.metrics] == ["image", "image_2", "image_3"]


def test_names_and_pictures_in_one_list(small, described, pictures):
    imwrite("it's, odd.png", pictures[1])
    asked = ["it's, odd.png", pictures[0], "coffee", pictures[1][:, :, :1]]
    result = visprior.run(*QUICK, net=small, image=asked, **described)
    labels = [row["label"] for row in result.metrics]
    assert labels == ["it_s_odd", "image", "coffee", "image_2"]


def test_grey_pictures(small, described, pictures):
    flat = visprior.run(*QUICK, net=small, image=pictures[0, :, :, 0], **described)
    cube = visprior.run(*QUICK, net=small, image=as_tensor(pictures)[0, :1], **described)
    assert (flat.images == cube.images).all()


def hydra_state() -> tuple:
    return (
        GlobalHydra.instance().hydra,
        HydraConfig.instance().cfg,
        dict(JobRuntime.instance().conf),
        dict(ConfigStore.instance().repo),
    )


@pytest.mark.parametrize("word", ["seed=3", "layer=nope", "nope=3", "seed=1,2"])
@pytest.mark.parametrize("in_a_command", [False, True])
def test_hydra_is_as_before(word, in_a_command, monkeypatch):
    monkeypatch.setattr(HydraConfig.instance(), "cfg", None)
    monkeypatch.setattr(JobRuntime.instance(), "conf", JobRuntime.instance().conf.copy())
    monkeypatch.setitem(ConfigStore.instance().repo, "schema.yaml", "another program's")
    GlobalHydra.instance().clear()
    if in_a_command:
        initialize_config_dir(config_dir(), "another_job", version_base="1.3")
    before = hydra_state()
    try:
        visprior.run(*[w for w in SHIPPED if w.split("=")[0] != word.split("=")[0]], word)
        assert word == "seed=3"
    except visprior.UserError:
        assert word != "seed=3"
    assert hydra_state() == before and (before[0] is not None) == in_a_command
    GlobalHydra.instance().clear()


ERRORS: list[tuple[list[str], dict[str, Any], str]] = [
    ([], {"sed": 3}, "unknown keyword sed=; settings are words, 'sed=...'; allowed: image, net"),
    ([], {"nett": 3}, "unknown keyword nett=; settings are words, 'nett=...'; did you mean 'net'?"),
    ([], {"net": 3}, "net= takes a torch.nn.Module or the name of a net, got int"),
    ([], {"net": Small}, "net= takes a torch.nn.Module or the name of a net, got the class Small"),
    ([], {"net": "vgg20"}, "no 'vgg20' in group 'net'; did you mean 'vgg19'"),
    (["net=vgg19"], {"net": "vgg16"}, "net= is given twice, as a keyword and as 'net=vgg19'"),
    ([], {"mean": 3}, "mean= describes net=MODULE; of other nets it is the word 'net.mean=...'"),
    ([], {"size": 64, "net": "vgg19"}, "size= describes net=MODULE; of other nets it is the word"),
    ([], {"net": Small(), "mean": "grey"}, "mean= takes a number or one per channel"),
    ([], {"net": Small(), "mean": [1, 2]}, "net.mean must have 1 or net.channels=3 values"),
    (
        [],
        {"net": Small(), "size": 2.5},
        "net.size must be a whole number or a list of whole numbers",
    ),
    ([], {"image": 3}, "image= takes a name, a numpy array, a PIL image or a tensor, or a list"),
    ([], {"image": [[1, 2]]}, "image= takes a name, a numpy array, a PIL image or a tensor, or"),
    ([], {"image": []}, "image=[] names no picture"),
    ([], {"image": "astronat"}, "image=astronat is neither a built-in photograph nor a file; did"),
    ([], {"image": np.zeros((3, 8, 9))}, "image= has shape (3, 8, 9): arrays are (H, W), (H, W,"),
    ([], {"image": torch.zeros(8, 9)}, "image= has shape (8, 9): arrays are (H, W), (H, W, 1 or"),
    ([], {"image": np.zeros((0, 8, 3))}, "image= has shape (0, 8, 3): arrays are"),
    ([], {"image": np.full((8, 8), np.nan)}, "image= contains NaN or Inf"),
    ([], {"image": np.eye(8)}, "image= has values from 0 to 1; grey levels go from 0 to 255"),
    ([], {"image": torch.eye(8)[None] > 0}, "image= has values from 0 to 1; grey levels go from"),
    ([], {"image": np.eye(8) * 1j}, "image= holds complex128; grey levels are real numbers"),
    ([], {"image": torch.full((5, 8, 8), 9)}, "image given as an object has 5 channels, the net"),
    (["-m", "seed=1"], {}, "-m is an option of the command; run computes one job a call"),
    (["seed=1,2"], {}, "seed=1,2 has several values; run computes one job: call it for each"),
    (["seed=range(3)"], {}, "seed=range(3) has several values; run computes one job: call it"),
    (["+experiment=mahendran_fig14"], {}, "the experiment sweeps over layer: choose one value"),
    (["resume=x"], {}, "resume= is for the command; the same call with save=FOLDER goes on"),
    (["hydra.run.dir=x"], {}, "hydra.run.dir= is for the command; the same call with save="),
    (["layr=relu1_1"], {}, "unknown key 'layr'; did you mean 'layer'?"),
    (["seed"], {}, "'seed' is not of the form key=value"),
    (["layer=nope"], {}, "no layer 'nope' in shapes_vgg_robust"),
    ([3], {}, "settings are words like 'layer=relu3_1', got int 3"),  # pyright: ignore
]


@pytest.mark.parametrize(("words", "keywords", "line"), ERRORS)
def test_a_mistake_is_one_sentence(words, keywords, line, tmp_path):
    for more in ({}, {"save": tmp_path / "run"}):
        with pytest.raises(visprior.UserError) as refused:
            visprior.run(*words, **keywords, **more)
        assert str(refused.value).startswith(line) and "\n" not in str(refused.value)
        assert not (tmp_path / "run").exists()


def test_a_module_that_cannot_be_copied():
    class Stubborn(Small):
        def __deepcopy__(self, memo: Any) -> Any:
            raise RuntimeError("not this one")

    with pytest.raises(visprior.UserError) as refused:
        visprior.run(net=Stubborn(), size=24)
    assert str(refused.value) == "net: Stubborn cannot be copied: RuntimeError: not this one"


POISON = """
import torch
from visprior.regularizer.base import Regularizer


class Poison(Regularizer):
    def energy(self, x, phi, t):
        bad = [float("nan")] + [0.0] * (len(x) - 1)
        return x.flatten(1).mean(1) * 0 + (torch.tensor(bad) if t.step else 0)
"""


@pytest.mark.parametrize("save", [None, "run"])
def test_a_result_that_failed_comes_with_the_error(save, small, described):
    Path("poison.py").write_text(POISON)
    words = [*QUICK, "seeds=2", "+regularizer.bad._target_=poison.Poison", "trust=[poison.py]"]
    with pytest.raises(RunFailed) as failed:
        visprior.run(*words, "micro_batch=2", net=small, save=save, **described)
    sys.modules.pop("poison")
    assert str(failed.value) == "astronaut_seed0: bad was not finite at step 1"
    status = [row["status"] for row in failed.value.result.metrics]
    assert status == ["failed", "ok"] and len(failed.value.result.images) == 2


def interrupt_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C before this step, once."""
    whole, left = Solver.step, [step]

    def until(self: Solver, m: Any) -> Any:
        if m.step in left:
            left.remove(m.step)
            raise KeyboardInterrupt
        return whole(self, m)

    monkeypatch.setattr(Solver, "step", until)


def test_ctrl_c_is_passed_on(small, described, monkeypatch):
    interrupt_at(2, monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        visprior.run(*QUICK, net=small, **described)


def test_octaves_are_the_whole_canvas(compose_job, tmp_path):
    words = [*OCTAVES, "layer=relu1_1", "size=24", "device=cpu"]
    names = {"task": "inversion", "net": "shapes_vgg_robust"}
    run_in_folder(compose_job(*words), tmp_path / "run", names)
    result = visprior.run(*words)
    assert (result.images == pngs(tmp_path / "run")).all() and result.images.shape[1] > 24
    clipped = [row["clipped"] for row in read_json(tmp_path / "run" / "metrics.json")["images"]]
    assert [row["clipped"] for row in result.metrics] == clipped


CODE = """
import sys, visprior
assert not {"torch", "numpy", "hydra", "tqdm"} & set(sys.modules)
assert {"run", "compose", "Problem", "solve", "Result", "UserError"} <= set(dir(visprior))
from visprior import Problem, Result, UserError, compose, run, solve
assert callable(run) and callable(solve) and Problem.__name__ == "Problem"
assert compose("seed=3").seed == 3 and issubclass(UserError, Exception)
try:
    visprior.runn
except AttributeError as error:
    assert str(error) == "module 'visprior' has no attribute 'runn'"
"""


def test_importing_visprior_is_quick():
    done = subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", CODE], check=False)
    assert done.returncode == 0
