"""Likeness, activations, terms, masks and mosaics against closed forms."""

import pytest
import torch

from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.net.representation import Layer
from visprior.objective.data_terms import Activation, Likeness
from visprior.objective.term import Mosaic, Term, one_hot
from visprior.task.inversion import Inversion
from visprior.task.mosaic import odd_pitch

T0 = Progress(0, 1, 0, 0, 1)
PHI = torch.randn(2, 5, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_likeness_of_the_picture_itself_and_of_its_double():
    positive = PHI.clamp(min=0)
    value, likeness = Likeness("f", PHI, C=7.0)({"f": positive}, T0)
    torch.testing.assert_close(likeness, torch.ones(2).double())
    torch.testing.assert_close(value, torch.full((2,), -7.0).double())
    assert torch.allclose(
        Likeness("f", PHI)({"f": 2 * positive}, T0)[1], torch.tensor(2.0).double()
    )
    with pytest.raises(UserError, match="excites nothing"):
        Likeness("f", -PHI.abs())


@pytest.mark.parametrize("where", ["mean", "centre", 7])
def test_a_channel_per_image(where):
    term = Term("f", one_hot([4, 2], 5).double(), where)
    got = term.value(PHI)
    for b, c in enumerate((4, 2)):
        cells = PHI[b, c]
        expected = {"mean": cells.mean(), "centre": cells[1, 2], 7: cells[1, 3]}[where]
        assert got[b] == expected
    assert term.value(PHI[1:], slice(1, 2)) == got[1]


def test_channels_and_directions_agree():
    single = Term("f", one_hot([3, 3], 5).double(), "mean")
    general = Term("f", one_hot([3, 3], 5).double(), "mean")
    general.channels = None
    torch.testing.assert_close(single.value(PHI), general.value(PHI))


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_direction_with_a_cosine_power(power):
    """lucid's: the mean over positions of d max(0.1, cos)^p (as lucid does)."""
    v = torch.randn(5, dtype=torch.float64)
    v = v / v.norm()
    got = Term("f", v.expand(2, 5), "mean", power=power).value(PHI)
    for b in range(2):
        total = 0.0
        for cell in PHI[b].flatten(1).T:
            d = float(cell @ v)
            cosine = d / ((1e-4 + float(cell.norm())) * (1e-4 + 1))
            total += d * max(0.1, cosine) ** power if power else d
        assert float(got[b]) == pytest.approx(total / 12, rel=1e-6)


@pytest.mark.parametrize("shape", [(2, 7, 5), (2, 5)])
def test_tokens_and_vectors(shape):
    phi = torch.randn(shape, dtype=torch.float64)
    got = Term("f", one_hot([1, 4], 5).double(), "mean").value(phi)
    expected = [phi[0, ..., 1].mean(), phi[1, ..., 4].mean()]
    torch.testing.assert_close(got, torch.stack(expected))


def test_class_scores():
    logits = torch.randn(2, 5, dtype=torch.float64)
    hot = one_hot([1, 4], 5).double()
    p = logits.exp() / logits.exp().sum(1, keepdim=True)
    got = Term("f", hot, "mean", score="probability").value(logits)
    torch.testing.assert_close(got, torch.stack([p[0, 1], p[1, 4]]))
    got = Term("f", hot, "mean", score="log_probability").value(logits)
    torch.testing.assert_close(got, torch.stack([p[0, 1], p[1, 4]]).log())


def test_a_weighted_sum_of_terms():
    a, b = (
        Term("f", one_hot([0, 0], 5).double(), "mean", 2.0),
        Term("g", one_hot([1, 1], 5).double()),
    )
    b.weight, b.scale, a.scale = (
        -0.5,
        torch.full((2,), 3.0).double(),
        torch.full((2,), 10.0).double(),
    )
    objective = Activation([a, b], C=4.0)
    assert objective.layers == ("f", "g")
    g = torch.randn_like(PHI)
    value, measure = objective({"f": PHI, "g": g}, T0)
    torch.testing.assert_close(measure, 2 * a.value(PHI) - 0.5 * b.value(g))
    torch.testing.assert_close(value, -4 * (20 * a.value(PHI) - 1.5 * b.value(g)))


def test_maxima_are_over_pictures_and_positions():
    term = Term("f", one_hot([4, 2], 5).double())
    torch.testing.assert_close(term.maxima(PHI), torch.stack([PHI[:, 4].max(), PHI[:, 2].max()]))


def test_channels_out_of_range():
    with pytest.raises(UserError, match="0 to 4"):
        one_hot([5], 5)


@pytest.mark.parametrize(("cells", "first"), [(55, 26), (27, 12), (13, 5), (6, 1)])
def test_the_central_window(cells, first):
    """Cells counted from 1, as in M&V: 55 -> 26..30, 27 -> 12..16, 13 -> 5..9, 6 -> 1..5."""
    mask = Inversion(window=5).mask(torch.zeros(1, 2, cells, cells))
    assert mask is not None
    assert mask.shape == (1, 1, cells, cells)
    inside = torch.nonzero(mask[0, 0, :, first - 1]).flatten() + 1
    assert inside.tolist() == list(range(first, first + 5))
    assert mask.sum() == 25


def test_channel_masks():
    phi = torch.zeros(1, 6, 4, 4)
    halves = [Inversion(channels=c).mask(phi) for c in ("first_half", "second_half")]
    assert [m.flatten().tolist() for m in halves if m is not None] == [
        [1, 1, 1, 0, 0, 0],
        [0, 0, 0, 1, 1, 1],
    ]
    both = Inversion(channels=[0, 5], window=3).mask(phi)
    assert both is not None and both.shape == (1, 6, 4, 4) and both.sum() == 18
    tokens = Inversion(channels=[2]).mask(torch.zeros(1, 9, 6))
    assert tokens is not None and tokens.shape == (1, 1, 6)
    with pytest.raises(UserError, match="out of range"):
        Inversion(channels=[6]).mask(phi)
    with pytest.raises(UserError, match="first_half"):
        Inversion(channels="firsthalf").mask(phi)
    with pytest.raises(UserError, match="does not fit"):
        Inversion(window=5).mask(phi)


def test_mosaic_counts_each_filter_at_the_centre_of_its_square():
    mosaic = Mosaic("f", [0, 1, 2, 3, 4], 5, 1)
    assert mosaic.side == 3
    assert mosaic.cells() == [(2, 2), (2, 7), (2, 12), (7, 2), (7, 7)]
    phi = torch.randn(1, 5, 15, 15)
    mosaic.scales = torch.arange(5.0)
    expected = sum(k * phi[0, k, i, j] for k, (i, j) in enumerate(mosaic.cells()))
    torch.testing.assert_close(mosaic.value(phi)[0], expected)


@pytest.mark.parametrize(
    ("field", "stride", "least", "pitch"),
    [(11, 4, 4, 5), (51, 8, 4, 7), (3, 1, 4, 5), (5, 1, 4, 7), (163, 16, 1, 11)],
)
def test_pitch(field, stride, least, pitch):
    """max(round(1.1 rho / stride), 4), made odd (M&V 2016, code)."""
    layer = Layer("f", "f", (8, 9, 9), stride=stride, field=field, offset=0.0)
    assert odd_pitch(layer, least) == pitch
