import math

import pytest
import torch

from visprior.errors import UserError
from visprior.hyper import Hyper, Progress

X = torch.zeros(2)


def at(step, steps=11, stage_step=0, stage_steps=1):
    return Progress(step, steps, 0, stage_step, stage_steps)


def test_number_list_and_ramps():
    assert Hyper("w", 2).at(at(5), X) == 2
    assert torch.equal(torch.as_tensor(Hyper("w", [1, 3]).at(at(5), X)), torch.tensor([1.0, 3.0]))
    linear = Hyper("w", {"from": 10, "to": 0})
    assert [linear.at(at(k), X) for k in (0, 5, 10)] == [10, 5, 0]
    geometric = Hyper("w", {"from": 100, "to": 1, "curve": "geometric"})
    assert geometric.at(at(5), X) == pytest.approx(10)
    cosine = Hyper("w", {"from": 0, "to": 1, "curve": "cosine"})
    assert cosine.at(at(5), X) == pytest.approx(0.5)
    stage = Hyper("w", {"from": 0, "to": 1, "over": "stage"})
    assert stage.at(at(7, 11, 2, 5), X) == pytest.approx(0.5)


def test_the_sigmoid_ramp_is_the_thesis_blurring_schedule():
    """sigma_t = 1.5 - sigmoid(8 (t / T - 0.5)) (Schürmeyer 2020, appendix .2)."""
    sigma = Hyper("s", {"from": 1.482013790037908, "to": 0.517986209962092, "curve": "sigmoid"})
    for k, rounded in ((0, 1.482), (1, 1.381), (2, 1.0), (3, 0.619), (4, 0.518)):
        expected = 1.5 - 1 / (1 + math.exp(-8 * (k / 4 - 0.5)))
        assert sigma.at(at(k, 5), X) == pytest.approx(expected, abs=1e-12)
        assert expected == pytest.approx(rounded, abs=6e-4)


def test_a_micro_batch_takes_its_own_rows():
    value = Hyper("w", {"from": [0, 10], "to": [10, 30]}).at(at(5).of(slice(1, 2)), X)
    assert torch.equal(torch.as_tensor(value), torch.tensor([20.0]))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("abc", "must be a number"),
        (-1, "must be >= 0"),
        ({"from": 1}, "needs from and to"),
        ({"from": 1, "to": 2, "ovr": "run"}, "ovr"),
        ({"from": 1, "to": 2, "over": "runn"}, "did you mean 'run'"),
        ({"from": 0, "to": 2, "curve": "geometric"}, "positive"),
        (float("nan"), "must be a number"),
    ],
)
def test_refuses(spec, message):
    with pytest.raises(UserError, match=message):
        Hyper("w", spec, minimum=0)


def test_refuses_a_list_of_the_wrong_length():
    with pytest.raises(UserError, match="3 numbers for 2 images"):
        Hyper("w", [1, 2, 3]).check(2)


def test_what_each_image_has_where_they_differ():
    assert Hyper("w", [0.1, 1, 10]).each() == [0.1, 1.0, 10.0]
    assert Hyper("w", {"from": [1, 1, 2], "to": 3}).each() == ["1 to 3", "1 to 3", "2 to 3"]
    for alike in (3, [2, 2], {"from": 1, "to": 0}, {"from": [1, 1], "to": [0, 0]}):
        assert Hyper("w", alike).each() is None
