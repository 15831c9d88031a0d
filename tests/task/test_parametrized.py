"""Whole jobs with a parametrization: resumed, in other precisions, started from their results."""

import numpy as np
import pytest
import torch
from PIL import Image

from visprior.errors import UserError
from visprior.files.tensors import load_state
from visprior.files.whole import read_json

STEPS = [
    "layer='2'", "param=fourier", "optimizer=adam", "schedule.per_pixel=false", "seeds=2",
    "schedule.step_size=0.05", "schedule.steps=9", "regularizer.jitter.T=3", "channel=1",
    "record.save_seconds=0",
]  # fmt: skip


def stop_at(monkeypatch, step):
    """Ctrl-C after so many steps."""
    from visprior.loop.solver import Solver

    whole = Solver.step

    def interrupted(self, m):
        if m.step == step:
            raise KeyboardInterrupt
        return whole(self, m)

    monkeypatch.setattr(Solver, "step", interrupted)


# Within the first stage (8 steps of an inversion's 9), and before the second.
@pytest.mark.parametrize(("step", "start"), [(3, "param"), (8, "sigmoid_noise")])
def test_an_interrupted_run_goes_on_to_the_same_bits(go, tiny, monkeypatch, tmp_path, step, start):
    keys = [*tiny, *STEPS, f"task.start={start}", "image=coffee"]
    go("inversion", *keys, folder="whole")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_at(patch, step)
        go("inversion", *keys, folder="halves")
    assert load_state(tmp_path / "halves" / "state.safetensors")[1]["step"] == str(step)
    go("inversion", *keys, folder="halves")
    for name in ("curves.csv", "preimage_coffee_seed0.png", "preimage_coffee_seed1.png"):
        assert (tmp_path / "halves" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_precisions(go, tiny):
    """fp32 and bf16 rise as fp64 does."""
    keys = [*tiny, *STEPS, "task.start=param"]
    found = {}
    for precision in ("fp64", "fp32", "bf16"):
        _, metrics = go("maximization", *keys, f"precision={precision}", folder=precision)
        found[precision] = metrics["summary"]["activation"]
    start = go("maximization", *keys, "schedule.steps=1", "schedule.step_size=1e-9", folder="0")[1]
    risen = found["fp64"] - start["summary"]["activation"]
    assert risen > 0.1
    assert found["fp32"] == pytest.approx(found["fp64"], abs=1e-3 * risen)
    assert found["bf16"] == pytest.approx(found["fp64"], abs=0.2 * risen)


@pytest.mark.parametrize("param", ["pixel", "fourier"])
def test_a_run_starts_from_anothers_result(go, tiny, param):
    """One tiny step away the picture is the same, margins or not."""
    keys = [*tiny, *STEPS, "seeds=1", "regularizer=[jitter]", "regularizer.jitter.T=3"]
    folder, _ = go("maximization", *keys, "task.start=param", folder="first")
    for bound in ("sigmoid", "clip"):
        again, _ = go(
            "maximization", *keys, f"task.start={folder}/preimage.png", f"param={param}",
            f"param.bound={bound}", "schedule.steps=1", "schedule.step_size=1e-7", folder=bound,
        )  # fmt: skip
        before, after = (np.array(Image.open(f / "preimage.png")) for f in (folder, again))
        assert np.array_equal(before, after) and before.std() > 5


def test_a_run_starts_from_a_folder_of_several(go, tiny):
    """Each image from the one that has its place there, with its curves beside it."""
    keys = [*tiny, *STEPS, "regularizer=[jitter]"]
    folder, _ = go("maximization", *keys, "task.start=param", folder="first")
    still = ["schedule.steps=1", "schedule.step_size=1e-7"]
    again, _ = go("maximization", *keys, *still, f"task.start={folder}", folder="again")
    names = sorted(path.name for path in folder.glob("preimage*.png"))
    first, second = (np.array(Image.open(folder / name)) for name in names)
    assert not np.array_equal(first, second)
    for name, picture in zip(names, (first, second), strict=True):
        assert np.array_equal(np.array(Image.open(again / name)), picture)


def test_a_start_beyond_the_bound_is_said(go, tiny, caplog):
    keys = [*tiny, *STEPS, "task.start=natural_norm", "seeds=1", "schedule.steps=1"]
    go("maximization", *keys)
    assert "of the start's values were outside 0.25..254.75" in caplog.text
    caplog.clear()
    go("maximization", *keys, "task.start=sigmoid_noise", folder="inside")
    assert "of the start's" not in caplog.text


def test_starts_have_names(go, tiny):
    with pytest.raises(UserError, match=r"kinds of start: noise, mean, .*sigmoid_noise, param"):
        go("maximization", *tiny, *STEPS, "task.start=own")


def test_the_sigmoid_start_is_the_thesis():
    """2 (sigmoid(n) - 1/2) of normal numbers n, in grey levels."""
    from visprior.loop.start import start_image

    x = start_image("sigmoid_noise", [4, 7], (40, 50), [1.0, 2.0, 3.0])
    n = torch.logit(x / 255)
    assert x.shape == (2, 3, 40, 50) and float(n.std()) == pytest.approx(1, abs=0.02)
    assert float(n.mean()) == pytest.approx(0, abs=0.02)
    alone = start_image("sigmoid_noise", [7], (40, 50), [1.0, 2.0, 3.0])
    assert torch.equal(x[1:], alone) and not torch.equal(x[:1], alone)


def test_lucids_recipe(go, tiny):
    """Its numbers, and that what it does to a picture excites the channel."""
    keys = [*tiny, "+experiment=lucid", "layer='2'", "channel=1", "seeds=2"]
    still = ["schedule.steps=1", "schedule.step_size=1e-9"]
    _, start = go("maximization", *keys, *still, folder="still")
    folder, end = go("maximization", *keys, "schedule.steps=40")
    before, after = ([row["activation"] for row in m["images"]] for m in (start, end))
    assert min(after) > max(before) + 0.5
    about = read_json(folder / "run.json")
    assert about["stages"][0]["regularizers"] == ["transforms"]
    assert about["stages"][0]["canvas"] == [24, 24]
    pictures = [np.array(Image.open(path)) for path in sorted(folder.glob("preimage*.png"))]
    first, second = pictures
    assert not np.array_equal(first, second)
