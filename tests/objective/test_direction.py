"""What a term points at: channels by number or name, mixes, directions, places, constants M."""

from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from visprior.errors import UserError
from visprior.net.layer import Layer
from visprior.objective.direction import (
    axis_of,
    channel_index,
    chosen_channels,
    direction_of,
    numbers,
    place_of,
)

MAPS = Layer("f", "f", (4, 3, 5), stride=2, field=3, offset=0.0)
TOKENS = Layer("t", "t", (7, 4), stride=2, field=3, offset=0.0)
LOGITS = Layer("logits", "logits", (3,), stride=None, field=None, offset=None)


class Classes:
    """The names of a network's classes."""

    class_names = ("cat", "big dog", "cat")

    def class_index(self, name):
        return {"cat": 0, "big dog": 1}[name]


NET: Any = Classes()


def test_directions():
    def of(**spec):
        return direction_of(spec, 4, "task.terms[0]", NET)

    torch.testing.assert_close(of(), torch.full((1, 4), 0.25))  # the mean over channels
    assert of(channel=2).tolist() == [[0, 0, 1, 0]]
    torch.testing.assert_close(of(between=[1, 3, 0.25]), torch.tensor([[0, 0.75, 0, 0.25]]))
    torch.testing.assert_close(of(direction=[0, 3, 0, -4]), torch.tensor([[0, 0.6, 0, -0.8]]))
    with pytest.raises(UserError, match="give one of channel, direction, between"):
        of(channel=2, direction=[1, 0, 0, 0])
    for wrong in ([1, 2, 3], [0, 0, 0, 0]):
        with pytest.raises(UserError, match="direction needs 4 numbers that are not all zero"):
            of(direction=wrong)


def test_a_direction_from_a_file(tmp_path):
    np.save(tmp_path / "v.npy", np.array([0.0, 3.0, 0.0, -4.0]))
    found = direction_of({"direction": str(tmp_path / "v.npy")}, 4, "task", NET)
    torch.testing.assert_close(found, torch.tensor([[0, 0.6, 0, -0.8]]))
    with pytest.raises(UserError, match=r"w\.npy: no such file; did you mean .*v\.npy"):
        direction_of({"direction": str(tmp_path / "w.npy")}, 4, "task", NET)


def test_where_the_channels_are():
    assert [axis_of(layer) for layer in (MAPS, TOKENS, LOGITS)] == [0, 1, 0]


def test_places():
    assert place_of(MAPS, "mean") == "mean" and place_of(MAPS, "centre") == "centre"
    assert place_of(MAPS, [2, 1]) == 2 * 5 + 1 and place_of(MAPS, [0, 0]) == 0
    assert place_of(TOKENS, [6]) == 6
    for layer, where in ((MAPS, [3, 0]), (MAPS, [0, 5]), (MAPS, [-1, 0]), (TOKENS, [7])):
        with pytest.raises(UserError, match="is out of range"):
            place_of(layer, where)
    for layer, where in ((MAPS, [1]), (MAPS, [1.5, 0]), (MAPS, 5), (LOGITS, [0])):
        with pytest.raises(UserError, match="has positions"):
            place_of(layer, where)
    with pytest.raises(UserError, match="did you mean 'centre'"):
        place_of(MAPS, "center")


def test_constants():
    assert numbers(2, 3).tolist() == [2, 2, 2] and numbers([1, 2, 0.5], 3).tolist() == [1, 2, 0.5]
    for wrong in (0, [1, 0, 2], [1, 2], -1):
        with pytest.raises(UserError, match="a number > 0 or 3 of them"):
            numbers(wrong, 3)


def test_channels_by_number_and_by_class():
    assert channel_index(NET, 2, 4) == 2 and channel_index(NET, "big dog", 3) == 1
    with pytest.raises(UserError, match="class names belong to layer=logits"):
        channel_index(NET, "cat", 4)


def chosen(channel, layer=MAPS, default=None):
    cfg = OmegaConf.create({"channel": channel, "layer": layer.name})
    return chosen_channels(cfg, NET, layer, default)


def test_chosen_channels():
    assert chosen(3) == ([3], ["channel3"])
    assert chosen([0, 2]) == ([0, 2], ["channel0", "channel2"])
    assert chosen("all")[0] == [0, 1, 2, 3]
    assert chosen(None, default=2)[0] == [0, 1] and chosen(None, default=9)[0] == [0, 1, 2, 3]
    with pytest.raises(UserError, match="needs channel=: 0 to 3"):
        chosen(None)
    for wrong in (4, -1):
        with pytest.raises(UserError, match=f"channel={wrong} is out of range: layer=f has 4"):
            chosen(wrong)


def test_classes_have_names_that_tell_them_apart():
    assert chosen("big dog", LOGITS) == ([1], ["big_dog"])
    assert chosen("all", LOGITS) == ([0, 1, 2], ["cat_0", "big_dog", "cat_2"])
