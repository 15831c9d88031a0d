"""The error of an inversion, measured again in other representations."""

import pytest
import torch

from visprior.data.picture import find_pictures, load_picture
from visprior.errors import UserError
from visprior.net.hog.hog import Hog

# The pre-image is the start, a known picture.
SHORT = ["image=[coins,page]", "size=64", "task.start=camera", "regularizer=[]"]
SHORT += ["schedule.steps=1", "schedule.step_size=1e-9"]
SHORT += ["metric.ssim=false", "metric.spectrum=false"]


def read(name):
    ((_, file),) = find_pictures(name)
    return load_picture(file, (64, 64), 1)


def test_it_is_the_relative_distance_in_those_features(go):
    asked = "{same: hog, coarse: {net: hog, cell: 16, layer: hog}}"
    folder, metrics = go("inversion", "net=hog", *SHORT, f"metric.error_in.nets={asked}")
    cut = Hog(cell=16).cut(["hog"], "cpu", size=64)
    with torch.no_grad():
        for row in metrics["images"]:
            saved = load_picture(folder / row["file"], None, 1)
            phi0 = cut(read(row["label"]))["hog"]
            for ending, x in (("", saved), ("_unclipped", read("camera"))):
                expected = float((cut(x)["hog"] - phi0).norm() / phi0.norm())
                assert row[f"error_coarse{ending}"] == pytest.approx(expected, rel=1e-4)
                assert row[f"error_coarse{ending}"] != pytest.approx(row["error"], rel=0.01)
                assert row[f"error_same{ending}"] == pytest.approx(row[f"error{ending}"], rel=1e-5)
    assert metrics["summary"]["error_coarse_std"] > 0


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("{a: hogg}", "did you mean"),
        ("{a: {net: hog, sell: 4}}", "net.sell"),
        ("{a: {net: hog, layer: relu1}}", "no layer 'relu1'"),
        ("{rgb: {net: hog, channels: 3}}", "metric.error_in.rgb: hog takes 3 channels"),
        ("[hog]", "metric.error_in.nets must be null or a mapping"),
    ],
)
def test_mistakes_are_found_before_the_run(go, asked, said):
    with pytest.raises(UserError, match=said):
        go("inversion", "net=hog", *SHORT, f"metric.error_in.nets={asked}")
