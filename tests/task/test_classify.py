"""Networks that judge pre-images, on one whose answer is known: the channel of the largest mean."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visprior.errors import UserError

RED, GREEN, BLUE = (200, 40, 40), (40, 200, 40), (40, 40, 200)
COLOURS = ["net=python", "net.target=tiny_nets:Colours", "net.size=[16,16]", "net.scale=50"]
NAMED = [*COLOURS, "net.classes=[red,green,blue]"]
STILL = ["layer=conv", "task.start=image", "schedule.steps=1", "schedule.step_size=1e-9"]
STILL += ["regularizer=[]", "metric.ssim=false"]  # PSNR would be infinite


def other(target="swapped", classes="[green,red,blue]"):
    """A network for metric.classify.nets that is not the run's own."""
    keys = f"target: 'tiny_nets:{target}', size: [16,16], scale: 50, classes: {classes}"
    return f"{{net: python, {keys}}}"


@pytest.fixture
def colours(tmp_path, tiny) -> str:
    """Two pictures in each of two classes; one that is called red is blue."""
    for name, fills in (("red", (RED, BLUE)), ("green", (GREEN, GREEN))):
        (tmp_path / "data" / name).mkdir(parents=True)
        for i, fill in enumerate(fills):
            Image.new("RGB", (16, 16), fill).save(tmp_path / "data" / name / f"{i}.png")
    return str(tmp_path / "data")


def test_the_class_is_that_of_the_folder(go, colours):
    _, metrics = go(
        "inversion", *NAMED, *STILL, f"data={colours}", "metric.classify.top_k=2", net="mine"
    )
    rows = {row["label"]: row for row in metrics["images"]}
    assert [rows[n]["class"] for n in rows] == ["green", "green", "red", "red"]
    wrong = rows["red_1.png"]
    assert (wrong["mine_class"], wrong["mine_top1"]) == ("blue", 0)
    assert (wrong["mine_photograph_class"], wrong["mine_photograph_top1"]) == ("blue", 0)
    means = np.array([40, 40, 200]) / 50
    p = np.exp(means) / np.exp(means).sum()
    assert wrong["mine_probability"] == pytest.approx(p[2], abs=1e-3)
    assert wrong["mine_target_probability"] == pytest.approx(p[0], abs=1e-3)
    assert metrics["summary"]["mine_top1"] == 0.75
    assert rows["green_0.png"]["mine_top1"] == rows["green_0.png"]["mine_top2"] == 1


def test_another_network_is_asked_too(go, colours):
    """The other one's logits and names are in another order; both see the same."""
    keys = [*NAMED, *STILL, f"data={colours}", "metric.classify.top_k=1"]
    asked = f"metric.classify.nets=[{other('Colours', '[red,green,blue]')}]"
    _, metrics = go("inversion", *keys, asked, net="mine")
    assert metrics["summary"]["cross_top1"] == metrics["summary"]["python_top1"] == 0.75
    assert metrics["summary"]["mine_top1"] == 0.75
    _, metrics = go("inversion", *keys, "metric.classify.nets=null", folder="none")
    assert not any("top1" in key for key in metrics["summary"])


def test_without_classes_the_first_network_names_the_photograph(go, colours):
    _, metrics = go("inversion", *NAMED, *STILL, f"image={colours}/red/1.png", net="mine")
    assert metrics["images"][0]["class"] == "blue"
    assert metrics["images"][0]["mine_top1"] == 1 and metrics["images"][0]["mine_top3"] == 1


def test_a_maximized_class_is_the_target(go, tiny):
    keys = ["layer=logits", "channel=[green,blue]", "schedule.steps=30", "task.M=1"]
    _, metrics = go("maximization", *NAMED, *keys, net="mine")
    assert [row["class"] for row in metrics["images"]] == ["green", "blue"]
    assert metrics["summary"]["mine_top1"] == 1
    _, metrics = go("maximization", *NAMED, "layer=conv", *keys[1:], "channel=0", folder="b")
    assert "class" not in metrics["images"][0]  # a channel of another layer is no class


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([f"metric.classify.nets=[{other()}]"], "other classes than mine"),
        ([f"metric.classify.nets=[{other(classes='[]')}]"], "no names of classes"),
        (["metric.classify.nets=[vgg99]"], "no 'vgg99' in group 'net'"),
        (["metric.classify.nets=[{net: python, tarjet: x}]"], "did you mean 'target'"),
        (["metric.classify.nets=[3]"], "a net is a name"),
        (["metric.classify.top_k=0"], "metric.classify.top_k must be a whole number >= 1"),
    ],
)
def test_refuses_before_the_run(go, colours, tmp_path, keys, message):
    with pytest.raises(UserError, match=message):
        go("inversion", *NAMED, *STILL, f"data={colours}", *keys, net="mine")
    assert not (tmp_path / "run" / "metrics.json").exists()


def test_folders_that_are_no_classes(go, colours):
    """Refused when other networks are asked for; by default the photograph is judged."""
    names = [*COLOURS, "net.classes=[rose,grass,sky]", *STILL, f"data={colours}"]
    _, metrics = go("inversion", *names, net="mine")
    assert metrics["summary"]["mine_top1"] == 1
    with pytest.raises(UserError, match="'green' is no class of the networks"):
        go("inversion", *names, "metric.classify.nets=[mine]", net="mine", folder="b")
    numbered = [*COLOURS, "net.classes=[red,'tree frog',sky]", *STILL]
    Path(colours, "green").rename(Path(colours, "1_frog"))
    _, metrics = go("inversion", *numbered, f"data={colours}", net="mine", folder="c")
    assert metrics["summary"]["mine_top1"] == 0.75
