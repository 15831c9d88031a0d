"""The tasks on a real network with random weights, small and short."""

import pytest
import torch

from visprior.config.build import build
from visprior.data.picture import load_picture
from visprior.errors import UserError
from visprior.files.whole import read_json
from visprior.job.run import run

QUICK = ["net=vgg19", "size=48", "schedule.steps=12", "metric.spectrum=false"]


@pytest.fixture
def job(compose_job, tmp_path):
    """Run a job; returns its folder and metrics."""

    def job(task, *overrides, folder="run"):
        cfg = compose_job(f"task={task}", *QUICK, *overrides)
        run(cfg, tmp_path / folder, {"task": task, "net": "vgg19"})
        return tmp_path / folder, read_json(tmp_path / folder / "metrics.json")

    return job


def test_inversion_of_several_pictures_and_seeds(job):
    folder, metrics = job("inversion", "layer=relu1_2", "image=[astronaut,coffee]", "seeds=2")
    labels = [row["label"] for row in metrics["images"]]
    assert labels == ["astronaut_seed0", "astronaut_seed1", "coffee_seed0", "coffee_seed1"]
    assert all((folder / row["file"]).is_file() for row in metrics["images"])
    assert (folder / "index.html").is_file() and (folder / "sheet.png").is_file()
    rows = metrics["images"]
    assert rows[0]["pairwise_ssim"] == rows[1]["pairwise_ssim"] != rows[2]["pairwise_ssim"]
    assert metrics["summary"]["n"] == 4 and metrics["summary"]["error_std"] > 0
    curves = (folder / "curves.csv").read_text().splitlines()
    assert len(curves) == 1 + 12


def test_an_inversion_gets_closer(job):
    _, few = job("inversion", "layer=relu1_2", "schedule.steps=2", folder="few")
    _, more = job("inversion", "layer=relu1_2", "schedule.steps=60", folder="more")
    assert more["summary"]["error"] < 0.5 * few["summary"]["error"]
    assert more["summary"]["ssim"] > few["summary"]["ssim"]


def test_a_window_is_boxed_and_measured(job):
    folder, metrics = job("inversion", "layer=relu2_1", "task.window=5")
    row = metrics["images"][0]
    # relu2_1: 24 cells of stride 2, field 10: cells 10..14 (from 1), pixels 2 * 9 - 4 .. 2 * 13 + 5
    assert row["receptive_box"] == [14, 14, 32, 32]
    assert 0 < row["share_in_box"] < 1 and row["side_95"] > 0
    assert (folder / "box.png").is_file()


@pytest.mark.parametrize("layer", ["relu2_1", "fc8"])
def test_maximization_raises_the_activation(job, layer):
    """A sign error would lower it; the start's is the first line of the curve."""
    size = [] if layer == "relu2_1" else ["net=alexnet", "net.weights=random", "size=64"]
    still = "regularizer.jitter=null"  # a random offset moves the activation of so small an image
    folder, metrics = job("maximization", f"layer={layer}", "channel=[3,5]", still, *size)
    first, *_, last = (folder / "curves.csv").read_text().splitlines()[1:]
    names = (folder / "curves.csv").read_text().splitlines()[0].split(",")
    columns = [i for i, n in enumerate(names) if n.startswith("activation")]
    for i in columns:
        assert float(last.split(",")[i]) > float(first.split(",")[i])
    assert len(columns) == 2
    assert all(row["activation"] > 0 and row["tv"] > 0 for row in metrics["images"])


def test_maximization_by_terms(job, compose_job):
    terms = (
        "task.terms=[{layer: relu1_2, channel: 3, weight: 1},"
        "{layer: relu2_1, between: [0, 1, 0.25], power: 1, where: centre},"
        "{layer: relu2_1, where: [2, 3], weight: 0.5}]"
    )
    keys = ["layer=relu2_1", terms, "regularizer.jitter=null"]
    folder, metrics = job("maximization", *keys, "precision=fp64", "task.scale=none")
    # The sum, of the picture as it is saved, by the formulas: a mix of two channels with lucid's
    # cosine, and the mean of all channels at a place.
    net = build(compose_job("net=vgg19", "size=48").net)
    x = load_picture(folder / "preimage.png", (48, 48)).double()
    first, phi = net.cut(["relu1_2", "relu2_1"], "cpu", dtype=torch.float64)(x).values()
    v = torch.zeros(128, dtype=torch.float64)
    v[0], v[1] = 0.75, 0.25
    at = phi[0, :, 12, 12]
    cosine = (at @ v) / (at.norm() * v.norm())
    expected = first[0, 3].mean() + (at @ v) * cosine.clamp(min=0.1) + phi[0, :, 2, 3].mean() / 2
    assert metrics["images"][0]["activation"] == pytest.approx(float(expected), rel=0.01)


def test_mosaic_has_the_papers_layout(job, compose_job, tmp_path):
    folder, metrics = job("maximization", "layer=relu1_2", "task.where=mosaic", "channel=[0,1,2,3]")
    # rho 5, stride 1: pitch max(round(5.5), 4) = 6, made odd 7; two squares a side
    from PIL import Image

    assert Image.open(folder / "preimage.png").size == (14, 14)
    assert metrics["images"][0]["label"] == "mosaic"


def test_caricature_exaggerates(job):
    _, metrics = job("caricature", "layer=relu2_1", "schedule.steps=30")
    assert metrics["summary"]["likeness"] > 1.1


def test_a_dead_start_is_noticed_and_helped(compose_job, tmp_path, caplog):
    """A bias far below zero kills every ReLU; redirected gradients revive it (as lucid does)."""
    import logging

    (tmp_path / "dead_net.py").write_text(
        "import torch\n"
        "def make():\n"
        "    g = torch.Generator().manual_seed(0)\n"
        "    conv = torch.nn.Conv2d(3, 4, 3)\n"
        "    torch.nn.init.normal_(conv.weight, std=0.3, generator=g)\n"
        "    torch.nn.init.constant_(conv.bias, -4.0)\n"
        "    return torch.nn.Sequential(conv, torch.nn.ReLU())\n"
    )
    import sys

    sys.path.insert(0, str(tmp_path))
    try:
        keys = ["net=python", "net.target=dead_net:make", "net.size=[32,32]", "layer='1'"]
        keys += ["channel=[0]", "schedule.steps=60", "regularizer=[]", "size=32", "task.M=1"]
        keys += ["optimizer=adam", "schedule.per_pixel=false", "task.start=mean"]
        cfg = compose_job("task=maximization", *keys)
        with caplog.at_level(logging.INFO, logger="visprior"):
            run(cfg, tmp_path / "run", {"task": "maximization", "net": "python"})
    finally:
        sys.path.remove(str(tmp_path))
    assert "dead ReLU" in caplog.text
    summary = read_json(tmp_path / "run" / "metrics.json")["summary"]
    assert summary["activation_unclipped"] > 0  # so low a bias needs values far outside 0..255


def test_many_images_are_batched_as_single_ones(job):
    """Channels of one batch against a run of one of them (float64)."""
    keys = ["layer=relu1_2", "precision=fp64", "task.M=1"]
    _, both = job("maximization", *keys, "channel=[3,9]", "micro_batch=2", folder="both")
    _, single = job("maximization", *keys, "channel=9", folder="single")
    assert both["images"][1]["activation"] == pytest.approx(
        single["images"][0]["activation"], rel=1e-9
    )


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["channel=999"], "0 to 63"),
        ([], "needs channel="),
        (["channel=goose"], "logits"),
        (["channel=0", "task.where=[99,0]"], "out of range"),
        (["channel=0", "task.where=[a,0]"], "task.where must be text or a list of whole numbers"),
        (["channel=0", "task.M=-1"], r"task\.M"),
        (["task.terms=[{chanel: 1}]"], "did you mean 'channel'"),
        (["task.terms=[{direction: [1,2]}]"], "64 numbers"),
    ],
)
def test_maximization_refuses(compose_job, tmp_path, keys, message):
    cfg = compose_job("task=maximization", *QUICK, "layer=relu1_2", *keys)
    with pytest.raises(UserError, match=message):
        run(cfg, tmp_path / "run", {"task": "maximization", "net": "vgg19"})


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_start_is_the_same_on_a_gpu(compose_job, tmp_path):
    """No step is taken far: after one tiny step CPU and GPU hold the same picture."""
    keys = [*QUICK, "layer=relu1_2", "schedule.steps=1", "schedule.per_pixel=false"]
    for device in ("cpu", "cuda"):
        cfg = compose_job(*keys, f"device={device}")
        run(cfg, tmp_path / device, {"task": "inversion", "net": "vgg19"})
    cpu, cuda = ((tmp_path / d / "preimage.png").read_bytes() for d in ("cpu", "cuda"))
    assert cpu == cuda


def test_a_mean_start_of_a_net_without_biases_is_helped(job, caplog):
    """Zero activations everywhere: plain ReLU would leave the picture grey for ever."""
    _, metrics = job("inversion", "layer=relu1_2", "task.start=mean", "schedule.steps=40")
    assert "dead ReLU" in caplog.text
    assert metrics["summary"]["error"] < 0.5


@pytest.mark.parametrize("net", ["hog", "dsift"])
def test_a_flat_start_of_a_descriptor_is_said_to_have_no_gradient(compose_job, tmp_path, net):
    keys = [f"net={net}", f"layer={net}", "size=48", "schedule.steps=2", "metric.spectrum=false"]
    for start, lines in (("mean", 1), ("noise", 0)):
        cfg = compose_job("task=inversion", *keys, f"task.start={start}")
        run(cfg, tmp_path / start, {"task": "inversion", "net": net})
        said = read_json(tmp_path / start / "run.json")["warnings"]
        assert sum("no gradient at all" in line for line in said) == lines
