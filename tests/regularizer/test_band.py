"""The band's force and its geometry, on random chains."""

import math

import numpy as np
import pytest
import torch

from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.regularizer.band import Band
from visprior.regularizer.band_geometry import (
    TANGENTS,
    densify,
    lengths,
    redistribute,
    straight,
    tangents,
)
from visprior.regularizer.base import Scene

T0 = Progress(0, 1, 0, 0, 1)
N = 9


@pytest.fixture
def chain():
    """z, gradient and values of nine points of three by four by four numbers."""
    g = torch.Generator().manual_seed(3)
    z = torch.randn(N, 3, 4, 4, generator=g, dtype=torch.float64).cumsum(0)
    return (
        z,
        torch.randn(z.shape, generator=g, dtype=torch.float64),
        torch.randn(N, generator=g, dtype=torch.float64),
    )


def by_hand(z: np.ndarray, v: np.ndarray, rule: str) -> np.ndarray:
    """The tangents, one at a time, from the papers' formulas."""
    out = []
    for i in range(1, len(z) - 1):
        after, before = (z[i + 1] - z[i]).ravel(), (z[i] - z[i - 1]).ravel()
        t = after if v[i + 1] > v[i - 1] else before
        top_or_bottom = (v[i + 1] > v[i]) == (v[i - 1] > v[i])
        if rule != "improved" and top_or_bottom:
            low, high = sorted([abs(v[i + 1] - v[i]), abs(v[i - 1] - v[i])])
            if (v[i + 1] > v[i - 1]) == (rule == "henkelman"):
                t = after * high + before * low
            else:
                t = after * low + before * high
        out.append(t / np.linalg.norm(t))
    return np.stack(out)


@pytest.mark.parametrize("rule", TANGENTS)
def test_tangents_by_the_formulas(chain, rule):
    z, _, v = chain
    expected = by_hand(z.numpy(), v.numpy(), rule)
    np.testing.assert_allclose(tangents(z, v, rule).numpy(), expected, atol=1e-12)
    line = tangents(straight(z[0], z[1], 7), v, rule)  # on a straight line all rules agree
    along = (z[1] - z[0]).flatten() / (z[1] - z[0]).norm()
    torch.testing.assert_close(line, along.expand(7, -1))


def test_extrema_of_equal_heights_have_the_middle_tangent(chain):
    z, _, _ = chain
    flat = tangents(z, torch.zeros(N, dtype=torch.float64), "henkelman")
    middle = (z[2:] - z[:-2]).flatten(1)
    torch.testing.assert_close(flat, middle / middle.norm(dim=1, keepdim=True))


def test_the_force_is_orthogonal_to_the_tangent_and_the_ends_stay(chain):
    z, g, v = chain
    for rule in TANGENTS:
        force = Band(tangent=rule).force(g, z, v, {}, T0)
        dots = (force[1:-1].flatten(1) * tangents(z, v, rule)).sum(1)
        assert dots.abs().max() < 1e-12
        assert force[1:-1].flatten(1).norm(dim=1).min() > 1
        assert not force[[0, -1]].any()


def test_springs_add_a_part_along_the_tangent(chain):
    z, g, v = chain
    free = Band(normalize=False).force(g, z, v, {}, T0)
    sprung = Band(normalize=False, spring=0.3).force(g, z, v, {}, T0)
    extra = (free - sprung)[1:-1].flatten(1)
    d = lengths(z)
    expected = 0.3 * (d[1:] - d[:-1])[:, None] * tangents(z, v)
    torch.testing.assert_close(extra, expected)
    assert torch.equal(Band(spring=0.3).after_update(z, v, {}, T0), z)


def test_the_unit_of_a_spring_is_grey_levels():
    """The middle one of 0, 10 and 40 is pulled by k (30 - 10) at every value, at any image size."""
    for size in (2, 5):
        z = torch.tensor([0.0, 10, 40], dtype=torch.float64)[:, None, None, None].expand(
            3, 3, size, size
        )
        for nudge in (True, False):
            band = Band(nudge=nudge, spring=0.5, normalize=False)
            force = band.force(torch.zeros_like(z), z, torch.arange(3.0), {}, T0)
            torch.testing.assert_close(force[1], torch.full_like(z[1], -0.5 * 20))


@pytest.mark.parametrize("options", [{}, {"nudge": False}], ids=str)
def test_a_spring_is_as_stiff_at_any_size(chain, options):
    """Images of four pixels for each are moved as the small ones are."""
    z, g, v = chain
    large = [one.repeat_interleave(2, 2).repeat_interleave(2, 3) for one in (z, g)]
    band = Band(spring=0.3, **options)
    force = band.force(g, z, v, {}, T0).repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(band.force(large[1], large[0], v, {}, T0), force)


def test_the_plain_band_is_the_gradient_of_its_energy(chain):
    """sum of the values + k / 2 sum |z_i+1 - z_i|^2, by autograd."""
    z, g, v = chain
    leaf = z.clone().requires_grad_()
    energy = (leaf * g).sum() + 0.7 / 2 * (leaf[1:] - leaf[:-1]).square().sum()
    (expected,) = torch.autograd.grad(energy, leaf)
    force = Band(nudge=False, spring=0.7, normalize=False).force(g, z, v, {}, T0)
    torch.testing.assert_close(force[1:-1], expected[1:-1])


def test_the_notebooks_force_is_the_normalised_gradient(chain):
    z, g, v = chain
    force = Band(nudge=False).force(1e-6 * g, z, v, {}, T0)
    scale = np.std(1e-6 * g.numpy()) + 1e-8 / 127.5  # over the whole chain, ends included
    np.testing.assert_allclose(force[1:-1].numpy(), 1e-6 * g[1:-1].numpy() / scale)


def test_the_climbing_image_goes_up_the_tangent(chain):
    z, g, v = chain
    worst = 1 + int(v[1:-1].argmax())
    plain = Band(normalize=False).force(g, z, v, {}, T0)
    band = Band(normalize=False, climb=True)
    climbing = band.force(g, z, v, {}, T0)
    t = tangents(z, v)[worst - 1].view(z[0].shape)
    torch.testing.assert_close(climbing[worst], g[worst] - 2 * (g[worst] * t).sum() * t)
    others = [i for i in range(N) if i != worst]
    assert torch.equal(climbing[others], plain[others])
    assert torch.equal(band.after_update(z, v, {}, T0)[worst], z[worst])


def test_frozen_images_stay_and_the_others_share_the_way_between_them(chain):
    z, g, v = chain
    v = torch.tensor([0.0, 1, 2, -0.5, 1, 0.1, 3, 2, 0.2], dtype=torch.float64)
    band = Band(freeze=True)
    force = band.force(g, z, v, {}, T0)
    moving = [i for i in range(N) if force[i].any()]
    assert moving == [1, 2, 4, 5, 6, 7]  # number 3 is better than both ends, 5 than one
    new = band.after_update(z, v, {}, T0)
    assert torch.equal(new[3], z[3])
    way = _places(z, new)
    total = np.r_[0, np.cumsum(lengths(z).numpy())]
    np.testing.assert_allclose(way[:4], np.linspace(0, total[3], 4), atol=1e-9)
    np.testing.assert_allclose(way[3:], np.linspace(total[3], total[-1], 6), atol=1e-9)


def _places(polyline: torch.Tensor, points: torch.Tensor) -> np.ndarray:
    """Arc length of each point, found by looking for the link that it lies on."""
    d, total = lengths(polyline), 0.0
    out = []
    for p in points:
        best, place, total = math.inf, 0.0, 0.0
        for a, b, gap in zip(polyline[:-1], polyline[1:], d, strict=True):
            f = float(((p - a) * (b - a)).sum() / gap**2)
            f = min(max(f, 0.0), 1.0)
            off = float((p - a - f * (b - a)).norm())
            if off < best - 1e-9:
                best, place = off, total + f * float(gap)
            total += float(gap)
        assert best < 1e-7
        out.append(place)
    return np.array(out)


def test_redistribution_spreads_evenly_along_the_polyline(chain):
    z, _, _ = chain
    new = redistribute(z, lengths(z), torch.zeros(N, dtype=torch.bool))
    total = float(lengths(z).sum())
    np.testing.assert_allclose(_places(z, new), np.linspace(0, total, N), atol=1e-9)
    assert torch.equal(new[0], z[0]) and torch.equal(new[-1], z[-1])
    same = z[:1].expand(N, -1, -1, -1)  # a path of no length stays finite
    assert torch.equal(redistribute(same, lengths(same), torch.zeros(N, dtype=torch.bool)), same)


@pytest.mark.parametrize("stays", [None, 3])
def test_redistribution_is_as_precise_as_its_chain(stays):
    """Seven links, whose sevenths float32 cannot hold, against numpy in float64."""
    z = np.random.default_rng(4).uniform(0, 255, (8, 12)).cumsum(0)
    fixed = torch.zeros(8, dtype=torch.bool)
    ends = [0, 7] if stays is None else [0, stays, 7]
    fixed[ends] = True
    way = np.r_[0, np.linalg.norm(np.diff(z, axis=0), axis=1).cumsum()]
    wanted = np.interp(range(8), ends, way[ends])
    expected = np.stack([np.interp(wanted, way, column) for column in z.T], 1)
    chain = torch.from_numpy(z)
    new = redistribute(chain, lengths(chain), fixed).numpy()
    np.testing.assert_allclose(new, expected, rtol=1e-13, atol=0)


def test_spacing_by_features_evens_their_distances():
    """Points of one number x with the feature x^3: even features are x = cube roots."""
    band = Band(spacing="features", normalize=False)
    band.prepare(Scene((1, 1), [0.0], 1.0, "f"))
    assert band.layers == ("f",) and Band().layers == ()
    z = torch.linspace(0, 2, 30, dtype=torch.float64).view(-1, 1, 1, 1)
    for _ in range(200):
        z = band.after_update(z, torch.zeros(30), {"f": z**3}, T0)
    expected = torch.linspace(0, 8, 30, dtype=torch.float64) ** (1 / 3)
    torch.testing.assert_close(z.flatten(), expected, atol=2e-3, rtol=0)


def test_straight_and_dense_chains():
    a, b = torch.zeros(3, 2, 2), torch.full((3, 2, 2), 8.0)
    line = straight(a, b, 3)
    assert line[:, 0, 0, 0].tolist() == [0, 2, 4, 6, 8]
    dense = densify(line, 3)
    assert dense[:, 0, 0, 0].tolist() == [0.5 * k for k in range(17)]
    assert torch.equal(dense[::4], line) and densify(line, 0) is line
    # The thesis' numbers: 20 inner pivots and 3 more in each link are 83 intermediate images.
    assert len(densify(straight(a, b, 20), 3)) - 2 == 83


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tangent": "improve"}, "did you mean 'improved'"),
        ({"spacing": "pixel"}, "did you mean 'pixels'"),
        ({"spring": -1}, ">= 0"),
        ({"spring": 1, "spacing": "features"}, "spacing=pixels"),
    ],
)
def test_mistakes(options, words):
    with pytest.raises(UserError, match=words):
        Band(**options)
