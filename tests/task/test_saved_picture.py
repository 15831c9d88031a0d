"""What is reported is true of the picture on disk: it is read back and measured again."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from visprior.data.picture import load_picture
from visprior.files.whole import read_json
from visprior.metric.ssim import mse, ssim

from .conftest import NET

# Nothing keeps these images within 0..255.
FREE = ["regularizer=[]", "schedule.steps=12", "metric.spectrum=false", "image=coffee"]
FREE += ["schedule.per_pixel=false", "optimizer=gd", "layer='2'"]
COLOURS = ["net.target=tiny_nets:Colours", "net.classes=[red,green,blue]", "layer=logits"]


def features(x: torch.Tensor, name: str = "make") -> torch.Tensor:
    """What the tiny net makes of grey levels."""
    scope: dict = {}
    exec(NET, scope)
    net: nn.Module = scope[name]()
    with torch.no_grad():
        return net.double()(x.double() / 255 - 128 / 255)


def on_disk(path) -> torch.Tensor:
    """(1, 3, H, W) of a PNG."""
    array = np.asarray(Image.open(path).convert("RGB"), dtype=np.float64)
    return torch.from_numpy(array.transpose(2, 0, 1))[None]


def coffee() -> torch.Tensor:
    from visprior.data.picture import find_pictures

    ((_, file),) = find_pictures("coffee")
    return load_picture(file, (24, 24), 3)


@pytest.mark.parametrize("stretch", ["false", "true"])
def test_the_error_is_that_of_the_saved_picture(go, tiny, stretch):
    keys = [*tiny, *FREE, "seeds=2", f"record.stretch={stretch}"]
    keys += [
        "optimizer=adam",
        "schedule.stages=[{steps: 300, step_size: {from: 90, to: 1}}]",
        "schedule.steps=null",
    ]
    folder, metrics = go("inversion", *keys)
    phi0 = features(coffee())
    for row in metrics["images"]:
        saved = on_disk(folder / row["file"])
        error = float((features(saved) - phi0).norm() / phi0.norm())
        assert row["error"] == pytest.approx(error, abs=1e-6)
        assert row["mse"] == pytest.approx(float(mse(saved, coffee())), rel=1e-9)
        assert row["ssim"] == pytest.approx(float(ssim(saved, coffee())), abs=1e-9)
        assert row["error_unclipped"] < 0.9 * row["error"]
    about, summary = read_json(folder / "run.json"), metrics["summary"]
    assert about["main"] == {"name": "error", "value": summary["error"]}
    assert summary["error"] == pytest.approx(np.mean([r["error"] for r in metrics["images"]]))
    (said,) = [line for line in about["warnings"] if "as saved" in line]
    assert said.startswith("2 of 2 images, coffee_seed") and "\n" not in said
    assert ("stretched" if stretch == "true" else "clipped") in said


def test_the_activation_is_that_of_the_saved_picture(go, tiny):
    keys = [*tiny, *FREE, "schedule.step_size=3e5", "channel=1", "task.scale=none", "task.C=1"]
    folder, metrics = go("maximization", *keys, "record.snapshots=[4,12]")
    (row,) = metrics["images"]
    found = float(features(on_disk(folder / row["file"]))[0, 1].mean())
    assert row["activation"] == pytest.approx(found, abs=1e-6)
    assert row["activation_unclipped"] > 1.2 * row["activation"] > 0
    kept = read_json(folder / "snapshots" / "metrics.json")
    for step in (4, 12):
        early = float(features(on_disk(folder / "snapshots" / f"step{step:05d}.png"))[0, 1].mean())
        assert kept[str(step)]["channel1"]["activation"] == pytest.approx(early, abs=1e-6)
    assert kept["12"]["channel1"]["activation"] == row["activation"]


def test_the_likeness_is_that_of_the_saved_picture(go, tiny):
    folder, metrics = go("caricature", *tiny, *FREE, "schedule.step_size=3e3", "task.C=100")
    (row,) = metrics["images"]
    phi, phi0 = features(on_disk(folder / row["file"])), features(coffee()).clamp(min=0)
    likeness = float((phi * phi0).sum() / phi0.square().sum())
    assert row["likeness"] == pytest.approx(likeness, abs=1e-6)
    assert row["likeness_unclipped"] > 1.2 * row["likeness"]


def test_nothing_is_said_where_nothing_is_lost(go, tiny):
    folder, metrics = go("inversion", *tiny, *FREE, "schedule.step_size=1e-3")
    (row,) = metrics["images"]
    assert row["error_unclipped"] != row["error"] == pytest.approx(row["error_unclipped"], rel=0.05)
    assert read_json(folder / "run.json")["warnings"] == []


def test_classifiers_are_shown_the_saved_picture(go, tiny):
    keys = [*tiny, *FREE, *COLOURS, "channel=blue", "task.scale=none", "task.C=1"]
    keys += ["schedule.step_size=3e6"]
    folder, metrics = go("maximization", *keys, "record.stretch=true", net="mine")
    (row,) = metrics["images"]
    p = features(on_disk(folder / row["file"]), "Colours").softmax(1)[0, 2]
    assert row["mine_probability"] == pytest.approx(float(p), abs=1e-6)
    assert row["mine_probability"] < 0.99  # the float image: 1


def test_images_without_a_window_have_no_ssim(go, tiny, caplog):
    free = [key for key in FREE if key != "metric.spectrum=false"]
    keys = [*tiny, *free, "schedule.step_size=1", "size=8", "seeds=2", "layer='0'"]
    folder, metrics = go("inversion", *keys)
    assert not any("ssim" in key for row in metrics["images"] for key in row)
    assert not any("ssim" in key for key in metrics["summary"])
    assert metrics["summary"]["pairwise_rms"] > 0 and metrics["summary"]["psnr"] > 0
    assert None not in metrics["summary"].values()
    said = read_json(folder / "run.json")["warnings"]
    assert said == [
        "SSIM is left out: pictures of 8 x 8 pixels are smaller than its window of 11 x 11"
    ]
    page = (folder / "index.html").read_text()
    assert ">nan<" not in page and "nan" not in caplog.text.lower()
    assert "NaN" not in (folder / "metrics.json").read_text()


def test_the_same_picture_has_no_finite_psnr(go, tiny, tmp_path):
    """Saved pictures may be equal to the photograph, bit by bit."""
    Image.new("RGB", (24, 24), (90, 120, 30)).save(tmp_path / "flat.png")
    keys = [f"image={tmp_path}/flat.png", "task.start=image", "schedule.step_size=1e-9", "seeds=2"]
    _, metrics = go("inversion", *tiny, *FREE, *keys)
    assert [row["psnr"] for row in metrics["images"]] == [None, None]
    assert metrics["summary"]["mse"] == 0 and "psnr" not in metrics["summary"]
