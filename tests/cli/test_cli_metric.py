"""A metric of the user's own is a class and a YAML file; the shipped ones can be left out."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from imageio.v3 import imread

from .conftest import runs

METRIC = '''
from visprior.errors import UserError
from visprior.metric.base import Metric


class Brightness(Metric):
    """The mean of the picture as it is saved, and how many pixels of it are below `dark`."""

    tasks = ("inversion",)

    def __init__(self, dark=64):
        self.dark = dark

    def prepare(self, subject):
        super().prepare(subject)
        if self.dark > 255:
            raise UserError(f"metric.brightness.dark must be <= 255, got {self.dark}")

    def measure(self, saved, x):
        return [{"brightness": float(p.mean()), "dark": int((p < self.dark).sum()), "of": "saved"}
                for p in saved]
'''


@pytest.fixture
def brightness(outputs, monkeypatch) -> list[str]:
    """The words that choose the metric above, by files beside the current folder."""
    Path("conf/metric").mkdir(parents=True)
    Path("conf/metric/brightness.yaml").write_text(
        "# How bright pictures are.\nbrightness:\n  _target_: my_metrics.Brightness\n  dark: 100\n"
    )
    Path("my_metrics.py").write_text(METRIC)
    monkeypatch.syspath_prepend(str(Path.cwd()))
    monkeypatch.delitem(sys.modules, "my_metrics", raising=False)
    return ["--config-dir=conf", "+metric=brightness", "trust=[my_metrics]"]


def metrics(outputs: Path, job: int = -1) -> dict:
    return json.loads((runs(outputs)[job] / "metrics.json").read_text())


def test_a_class_and_a_yaml_file_make_a_column(quick, outputs, brightness):
    assert quick(*brightness, "seeds=2").code == 0
    found, folder = metrics(outputs), runs(outputs)[0]
    pictures = [imread(folder / row["file"]) for row in found["images"]]
    for row, picture in zip(found["images"], pictures, strict=True):
        assert row["brightness"] == pytest.approx(picture.mean(), abs=1e-3)
        assert row["dark"] == (picture < 100).sum()
    assert found["summary"]["brightness"] == pytest.approx(np.mean(pictures), abs=1e-3)
    assert "brightness_std" in found["summary"] and "of" not in found["summary"]
    assert "error" in found["summary"]  # beside those that ship


def test_its_settings_are_keys_and_it_is_a_heading_of_a_sweep(quick, outputs, brightness):
    assert quick(*brightness, "-m", "metric.brightness.dark=0,256").code == 1
    below = runs(outputs)[0]
    assert json.loads((below / "metrics.json").read_text())["images"][0]["dark"] == 0
    reason = json.loads((runs(outputs)[1] / "run.json").read_text())["reason"]
    assert reason == "metric.brightness.dark must be <= 255, got 256"
    rows = list(csv.DictReader((below.parent / "results.csv").open()))
    assert float(rows[0]["brightness"]) == pytest.approx(
        imread(below / "preimage.png").mean(), 1e-3
    )


def test_it_is_left_out_of_tasks_that_it_is_not_for(quick, outputs, brightness):
    assert quick(*brightness, "task=maximization", "channel=0", "task.M=1").code == 0
    row = metrics(outputs)["images"][0]
    assert "brightness" not in row and "tv" in row


def test_it_alone(command, outputs, brightness):
    """metric=[...] takes the place of those that ship."""
    net = ["net=shapes_vgg", "layer=relu1_1", "size=32", "schedule.steps=1"]
    assert command(*net, "--config-dir=conf", "trust=[my_metrics]", "metric=[brightness]").code == 0
    found = metrics(outputs)["images"][0].keys()
    assert {"brightness", "dark", "of", "error", "error_unclipped"} <= found
    assert not found & {"ssim", "centroid", "shapes_vgg_class"}


@pytest.mark.parametrize("value", ["null", "false"])
def test_a_metric_that_ships_is_left_out(command, outputs, value):
    keys = ["net=shapes_vgg", "size=32", "schedule.steps=1", "layer=relu1_1"]
    assert command(*keys).code == 0
    assert command(*keys, f"metric.ssim={value}").code == 0
    with_it, without = (metrics(outputs, job)["images"][0].keys() for job in (0, 1))
    assert with_it - without == {"ssim", "psnr", "mse"}
    assert not without - with_it


def test_a_metric_is_not_switched_on(quick, outputs):
    result = quick("metric.ssim=true")
    assert result.code == 2 and not outputs.exists()
    ways = "it is there by default; metric.ssim=null leaves it out"
    assert result.error == f"metric.ssim=True is no metric: {ways}"
