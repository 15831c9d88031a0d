"""Energy inside a box, of squares whose place is known."""

import pytest
import torch

from visprior.metric.locality import share_inside, side95

COLOUR = (124.0, 117.0, 104.0)


def square(top: int, left: int, side: int, size: int = 40, batch: int = 1) -> torch.Tensor:
    """The mean colour with a square 10 grey levels off in every channel."""
    x = torch.tensor(COLOUR).reshape(1, 3, 1, 1).expand(batch, 3, size, size).clone()
    x[:, :, top : top + side, left : left + side] += 10
    return x


def test_share_inside():
    x = square(10, 10, 10)
    assert share_inside(x, COLOUR, (10, 10, 20, 20)).item() == pytest.approx(1)
    assert share_inside(x, COLOUR, (10, 10, 15, 20)).item() == pytest.approx(0.5)
    assert share_inside(x, COLOUR, (0, 0, 10, 10)).item() == 0
    assert share_inside(x, COLOUR, (-5, -5, 15, 15)).item() == pytest.approx(0.25)
    assert share_inside(x, COLOUR, (-5, -5, 99, 99)).item() == pytest.approx(1)


def test_energy_is_squared_and_summed_over_channels():
    x = square(0, 0, 1)
    x[0, 0, 5, 5] += 10  # one channel of three
    assert share_inside(x, torch.tensor(COLOUR), (0, 0, 1, 1)).item() == pytest.approx(0.75)
    x[0, 0, 5, 5] += 10  # twice the deviation, four times the energy
    assert share_inside(x, COLOUR, (0, 0, 1, 1)).item() == pytest.approx(3 / 7)


@pytest.mark.parametrize("side", [2, 10, 20])
def test_side_of_a_centred_square(side):
    x = square(20 - side // 2, 20 - side // 2, side)
    assert side95(x, COLOUR, (15, 15, 25, 25), share=1.0).item() == side


def test_side_of_odd_boxes_and_of_squares_elsewhere():
    assert side95(square(20, 20, 1), COLOUR, (20, 20, 21, 21)).item() == 1
    assert side95(square(19, 19, 3), COLOUR, (18, 18, 23, 23)).item() == 3
    assert side95(square(0, 20, 1), COLOUR, (20, 20, 21, 21)).item() == 41  # beyond the border


def test_side_holds_95_percent():
    x = square(0, 0, 40)  # 1600 equal pixels: a square of 38 holds 90 %, one of 40 all
    assert side95(x, COLOUR, (19, 19, 21, 21)).item() == 40
    assert side95(x, COLOUR, (19, 19, 21, 21), share=0.9025).item() == 38


def test_one_value_an_image_and_nan_where_nothing_is():
    x = torch.cat([square(10, 10, 10), square(0, 0, 0), square(18, 18, 4)])
    box = (18, 18, 22, 22)
    sides = side95(x, COLOUR, box)
    shares = share_inside(x, COLOUR, box)
    assert sides[2] == 4
    assert sides[1].isnan()
    assert shares[2] == 1
    assert shares[1].isnan()
    torch.testing.assert_close(sides[:1], side95(x[:1], COLOUR, box))
