"""What a command did with its words: keys that do nothing, aliases of layers, lists of layers."""

import json

import pytest

from visprior.report.jobs import read_jobs
from visprior.report.layout import find_sweep

from .conftest import runs, status

NET = ["net=shapes_vgg", "size=32", "schedule.steps=2", "metric.spectrum=false"]


@pytest.mark.parametrize(
    ("args", "lines"),
    [
        (
            ["channel=3"],
            [
                "channel does nothing in task=inversion: task.channels chooses the channels that "
                "count"
            ],
        ),
        (
            ["task=maximization", "channel=3", "image=coffee", "metric.ssim=false"],
            [
                "image does nothing in task=maximization: task.start=image begins with it",
                "metric.ssim does nothing in task=maximization",
            ],
        ),
        (
            ["seeds=2", "+regularizer=diversity"],
            [
                "regularizer.diversity works against an inversion of the same layer, which gives "
                "all images the same features; regularizer.diversity.layer=LAYER keeps them apart "
                "in another one"
            ],
        ),
        (["seeds=2", "+regularizer=diversity", "regularizer.diversity.layer=conv1_1"], []),
    ],
)
def test_keys_that_do_nothing_are_said(command, outputs, args, lines):
    result = command(*NET, *args)
    assert result.code == 0, result.err
    (run,) = runs(outputs)
    said = [line for line in status(run)["warnings"] if "as saved" not in line]
    assert said == lines
    assert [line for line in result.err.splitlines() if line in lines] == lines


def test_a_path_has_one_seed(command, outputs):
    words = ["task=path", "channel=3", "task.passes=0", "task.starts=[tv,naive]", "seeds=3"]
    words += ["task.start_steps=2", "task.video=false", "record.snapshots=[1]"]
    assert command(*NET, *words, f"hydra.run.dir={outputs / 'p'}").code == 0
    about = status(outputs / "p")
    assert about["warnings"] == [
        f"{key} does nothing in task=path" for key in ("seeds", "record.snapshots")
    ]


def test_a_sweep_says_it_once(command, outputs):
    result = command("-m", *NET, "channel=3", "seed=0,1")
    assert result.err.count("channel does nothing") == 1
    assert [len(status(run)["warnings"]) for run in runs(outputs)] == [1, 1]


def test_an_alias_is_resolved(command, outputs):
    result = command(*NET, "layer=middle", "seeds=2")
    assert result.err.startswith("inversion with shapes_vgg, layer=relu3_2 (middle): 2 images")
    (run,) = runs(outputs)
    about = status(run)
    assert (about["layer"], about["layer_asked"]) == ("relu3_2", "middle")
    assert (
        "<h1>inversion with shapes_vgg, relu3_2 (middle)</h1>" in (run / "index.html").read_text()
    )


def test_a_book_and_a_list_of_layers_have_their_names(command, outputs):
    words = ["task=maximization", "layer=[shallow,relu1_1]", "channel=[0,1]"]
    result = command(*NET, *words, f"hydra.run.dir={outputs / 'book'}")
    assert "layer=relu2_2 (shallow), relu1_1: 4 images" in result.err
    assert status(outputs / "book")["layer"] == ["relu2_2", "relu1_1"]
    page = (outputs / "book" / "shallow" / "index.html").read_text()
    assert "<h1>shapes_vgg, relu2_2 (shallow): what excites its channels</h1>" in page
    assert ">relu2_2 (shallow)</a>" in (outputs / "book" / "index.html").read_text()
    (part, *_) = sorted((outputs / "book" / "shallow").glob("*/run.json"))
    assert json.loads(part.read_text())["layer"] == "relu2_2"


def test_examples_name_their_layer(command):
    words = ["task=examples", "data=shapes10", "sample.count=3", "channel=0", "layer=shallow"]
    assert "1 channels of relu2_2 (shallow), the best of 3" in command("net=shapes_vgg", *words).err


def test_the_report_of_a_sweep_names_the_layers(command, outputs):
    """Where one alias stands for different layers, it is all that can be said."""
    words = [*NET[1:], "layer=shallow,relu3_1", f"hydra.sweep.dir={outputs / 'one'}"]
    assert command("-m", NET[0], *words).code == 0
    values = [v["layer"] for v in find_sweep(read_jobs(outputs / "one")).values]
    assert values == ["relu2_2 (shallow)", "relu3_1"]
    words[-1] = f"hydra.sweep.dir={outputs / 'two'}"
    assert command("-m", "net=shapes_vgg,shapes_alex", *words[:-2], "layer=shallow,deep", words[-1])
    assert {v["layer"] for v in find_sweep(read_jobs(outputs / "two")).values} == {
        "shallow",
        "deep",
    }


def layers(command, *args: str) -> dict[str, list[str]]:
    """The lines of visprior-layers by the layer's name."""
    result = command("shapes_vgg", *args, entry="layers")
    assert result.code == 0
    return {line.split()[0]: line.split()[1:] for line in result.out.splitlines()}


def test_the_list_of_layers_marks_aliases(command):
    listed = layers(command)
    assert listed["layer"][-1] == "alias"
    marked = {name: line[-1] for name, line in listed.items() if len(line) > 4}
    del marked["layer"]
    assert marked == {
        "relu2_2": "shallow", "relu3_2": "middle", "relu5_1": "deep", "fc8": "logits",
    }  # fmt: skip
    assert command("hog", entry="layers").out.splitlines()[1].endswith("shallow middle deep logits")


def test_the_list_of_layers_is_of_the_size_asked_for(command):
    assert layers(command)["relu2_2"][1] == "32x32x32"
    assert layers(command, "size=[16,32]")["relu2_2"][1] == "32x8x16"
    small = command("vgg19", "size=20", entry="layers").out
    assert "\npool4 " in small and "\npool5 " not in small
    result = command("shapes_vgg", "layer=relu1_1", "image=coffee", "net.seed=1", entry="layers")
    assert result.err.splitlines() == [
        f"{key} does nothing in visprior-layers" for key in ("layer", "image")
    ]
    wrong = command("shapes_vgg", "size=nix", entry="layers")
    assert wrong.code == 2 and wrong.error.startswith("size must be a side or [height, width]")


def test_a_key_may_be_another_ones_value(quick, outputs):
    result = quick("schedule.steps=${seeds}", "seeds=2")
    assert result.code == 0, result.err
    (run,) = runs(outputs)
    assert status(run)["steps"] == 2 and "schedule.steps=${seeds}" in status(run)["overrides"]
