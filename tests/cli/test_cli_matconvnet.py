"""Networks of MatConvNet from the command line: files, the paper's architectures, figures."""

import json
from pathlib import Path

import pytest
from imageio.v3 import imread

from tests.net.simplenn_reference import new_layout, old_layout, tiny, write

from .conftest import runs, status

NET = ["net=matconvnet", "net.weights=tiny.mat"]
NAMES = ["tench, Tinca tinca", "cat", "tiger cat", "tiger, Panthera", "bee"]
SHORT = ["schedule.steps=2", "metric.spectrum=false", "metric.ssim=false"]


@pytest.fixture
def tiny_file(outputs: Path) -> Path:
    """A simplenn file in the current folder."""
    return write(Path("tiny.mat"), new_layout(tiny()))


def test_inversion_of_a_layer_of_a_file(command, outputs, tiny_file):
    result = command(*NET, *SHORT, "layer=conv2", "task.C=depth")
    assert result.code == 0 and "1 image of 23 x 20" in result.err + result.out
    (run,) = runs(outputs)
    assert status(run)["layer"] == "conv2"
    (row,) = json.loads((run / "metrics.json").read_text())["images"]
    assert row["matconvnet_class"] in NAMES


def test_a_class_by_its_description(command, outputs, tiny_file):
    write(Path("tiny.mat"), old_layout(tiny()))
    result = command(*NET, *SHORT, "task=maximization", "layer=logits", "channel=tiger", "task.M=1")
    assert result.code == 0
    (run,) = runs(outputs)
    (row,) = json.loads((run / "metrics.json").read_text())["images"]
    assert row["class"] == "tiger, Panthera"


def test_a_figure_takes_the_layers_of_the_file(command, outputs, tiny_file):
    result = command("+experiment=mahendran_fig14", *NET, *SHORT, "image=astronaut")
    layers = sorted(status(run)["layer"] for run in runs(outputs))
    assert result.code == 0 and layers == ["conv1", "conv2", "conv3", "fc4"]


def test_a_figure_without_its_file(command, outputs):
    result = command("+experiment=mahendran_table5", *NET, *SHORT)
    assert (
        result.code == 2 and result.error == "net.weights=tiny.mat: no such file; allowed: random"
    )
    assert result.err.count("\n") == 1 and not runs(outputs)


MISTAKES = [
    (["net.weights=tiny.mat", "net.sede=1"], "unknown key 'net.sede'; did you mean 'seed'?"),
    ([], "net=matconvnet needs net.weights=FILE.mat, or net.weights=random net.model=caffe-alex"),
    (["net.weights=cut.mat"], "weights 'cut.mat': damaged or incomplete (3000 bytes, it ends "),
]


@pytest.mark.parametrize(("args", "line"), MISTAKES)
def test_mistakes(command, tiny_file, args, line):
    Path("cut.mat").write_bytes(tiny_file.read_bytes()[:3000])
    result = command("net=matconvnet", *SHORT, *args)
    assert result.code == 2 and result.error.startswith(line)


def test_random_weights(command, outputs):
    random = ["net=matconvnet", "net.weights=random", "net.model=caffe-alex"]
    assert command(*random, *SHORT, "layer=conv1", "size=64").code == 0
    assert imread(runs(outputs)[0] / "preimage.png").shape == (64, 64, 3)
    listed = command("matconvnet", "net.weights=random", "net.model=vgg-m", entry="layers")
    assert listed.code == 0
    assert listed.out.splitlines()[6].split() == ["relu2", "relu2", "256x26x26", "8", "27"]
