"""What long commands say where nobody looks at a bar."""

import re

import pytest

from visprior import meter

from .test_cli_path import PATH

LINE = r"step (\d) of 3, energy [\d.e+-]+, error [\d.e+-]+, \d+ s left"


@pytest.fixture
def no_patience(monkeypatch):
    """A line is due at once."""
    monkeypatch.setattr(meter, "SECONDS", 0.0)


def test_a_run_says_how_far_it_is(quick, no_patience):
    """Also between the steps at which it asks the device by itself (record.every=10)."""
    lines = [re.fullmatch(LINE, line) for line in quick().err.splitlines()]
    assert [m[1] for m in lines if m] == ["1", "2", "3"]


def test_a_quick_run_does_not(quick):
    assert " of 3," not in quick().err


def test_a_pass_over_data_says_how_far_it_is(command, no_patience):
    words = ["net=shapes_vgg", "data=shapes10", "sample.count=4", "micro_batch=2"]
    statistics = command("task=statistics", *words, "layer=relu1_1", "size=64")
    assert "\npicture 2 of 4, " in f"\n{statistics.err}"
    examples = command("task=examples", *words, "layer=relu1_1", "size=64", "channel=[0,1]")
    assert "\ndrawing examples: channel 1 of 2, " in f"\n{examples.err}"
    seen = command(
        *words, "layer=relu1_1", "size=16", "schedule.steps=1", "metric.classify.nets=shapes_vgg"
    )
    assert "\nshapes_vgg classifies: picture 4 of 4, " in f"\n{seen.err}"


def test_pictures_of_shapes10_are_written_without_a_bar(command, outputs, no_patience):
    result = command(f"folder={outputs}", "length=30", "size=16", entry="data")
    assert result.code == 0 and "\r" not in result.err
    assert result.err == "picture 30 of 30, 0 s left\n"


def test_a_path_says_steps_and_seconds(command, outputs):
    result = command(*PATH, "task.video=false", f"hydra.run.dir={outputs / 'p'}")
    assert re.search(r"\); \d+ steps in \d+ s: ", result.err.splitlines()[-1])
