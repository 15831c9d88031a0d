"""The band on surfaces whose saddles are known, through the same loop as images: (n, 1, 1, 2)."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from visprior.hyper import Progress
from visprior.loop.problem import Problem, Start
from visprior.loop.solver import solve
from visprior.optimizer.gd import GD
from visprior.regularizer.band import Band
from visprior.regularizer.band_geometry import densify, lengths, straight
from visprior.schedule.schedule import Schedule

Surface = Callable[[Tensor, Tensor], Tensor]


def muller_brown(x: Tensor, y: Tensor) -> Tensor:
    """Müller & Brown 1979; between its deepest minima the highest saddle is at -40.6648."""
    heights, a, b, c = (-200, -100, -170, 15), (-1, -1, -6.5, 0.7), (0, 0, 11, 0.6), (-10, -10)
    c = (*c, -6.5, 0.7)
    wells = zip(heights, a, b, c, (1, 0, -0.5, -1), (0, 0.5, 1.5, 1), strict=True)
    parts = [
        h * torch.exp(p * (x - u) ** 2 + q * (x - u) * (y - v) + r * (y - v) ** 2)
        for h, p, q, r, u, v in wells
    ]
    return torch.stack(parts).sum(0)


def double_well(x: Tensor, y: Tensor) -> Tensor:
    """Minima at (-1, 0) and (1, 0), the path between them is y = 0, its saddle 1 at the origin."""
    return (x**2 - 1) ** 2 + 2 * y**2


def bent_valley(x: Tensor, y: Tensor) -> Tensor:
    """Minima at (-1, 1) and (1, 1), a steep valley along y = x^2, the saddle 1 at the origin."""
    return (x**2 - 1) ** 2 + 10 * (y - x**2) ** 2


class Height:
    """The surface as the objective of points that are images of two pixels."""

    layers: tuple[str, ...] = ("f",)
    measure = "height"

    def __init__(self, surface: Surface) -> None:
        self.surface = surface

    def __call__(self, phi: Any, t: Progress) -> tuple[Tensor, Tensor]:
        v = heights(self.surface, phi["f"])
        return v, v.detach()


def heights(surface: Surface, chain: Tensor) -> Tensor:
    return surface(chain[:, 0, 0, 0], chain[:, 0, 0, 1])


def point(x: float, y: float) -> Tensor:
    return torch.tensor([[[x, y]]], dtype=torch.float64)


def relax(surface: Surface, chain: Tensor, band: Band, step: float, steps: int) -> Tensor:
    """The chain after so many steps of the loop."""
    n = len(chain)
    problem = Problem(
        features=lambda x: {"f": x},
        objective=Height(surface),
        optimizer=GD(),
        stages=Schedule([{"steps": steps, "step_size": step}]).stages("path"),
        seeds=[0] * n,
        size=(1, 2),
        fill=[0.0],
        regularizers={"band": band},
        start=Start(chain),
        precision="fp64",
    )
    return solve(problem).x


def free(**options: Any) -> Band:
    """A band that runs to the end, on the gradient as it is."""
    return Band(stop=False, normalize=False, **options)


def top(surface: Surface, chain: Tensor) -> float:
    """The highest point of the densely interpolated path."""
    return float(heights(surface, densify(chain, 200)).max())


def unevenness(chain: Tensor) -> float:
    d = lengths(chain)
    return float(d.max() / d.min() - 1)


DEEPEST = point(-0.5582236346, 1.4417258418), point(0.6234994049, 0.0280377585)
SADDLE = -40.66484


@pytest.mark.parametrize(
    ("options", "steps", "spacing"),
    [
        ({}, 500, 1e-3),
        ({"tangent": "henkelman"}, 500, 1e-3),
        ({"tangent": "autoneb"}, 500, 1e-3),
        ({"spring": 1000.0}, 1200, 1e-2),
    ],
    ids=str,
)
def test_muller_brown(options, steps, spacing):
    """20 pivots: within 0.5 % of the saddle's height, evenly spaced."""
    path = relax(muller_brown, straight(*DEEPEST, 20), free(**options), 3e-4, steps)
    assert top(muller_brown, path) == pytest.approx(SADDLE, rel=5e-3)
    assert top(muller_brown, straight(*DEEPEST, 20)) > 0  # where it began
    assert unevenness(path) < spacing
    assert torch.equal(path[0], DEEPEST[0]) and torch.equal(path[-1], DEEPEST[1])


@pytest.mark.parametrize("options", [{}, {"spring": 1000.0}], ids=str)
def test_the_climbing_image_stands_on_the_saddle(options):
    path = relax(muller_brown, straight(*DEEPEST, 8), free(climb=True, **options), 3e-4, 500)
    best = path[int(heights(muller_brown, path).argmax()), 0, 0]
    assert best.tolist() == pytest.approx([-0.8220015587, 0.6243128028], abs=1e-6)
    assert float(heights(muller_brown, path).max()) == pytest.approx(SADDLE, rel=1e-6)


@pytest.mark.parametrize("options", [{}, {"spring": 20.0}], ids=str)
def test_a_double_well_against_the_closed_form(options):
    """Every image is at y = 0 and at its share of the way from -1 to 1."""
    begin = straight(point(-1, 0), point(1, 0), 19)
    bump = torch.linspace(0, torch.pi, 21, dtype=torch.float64).sin()
    begin[:, 0, 0, 1] += 0.5 * bump
    begin[1:-1, 0, 0, 0] += 0.1 * bump[1:-1]  # not evenly spaced either
    path = relax(double_well, begin, free(**options), 0.02, 1300)
    wanted = torch.linspace(-1, 1, 21, dtype=torch.float64)
    torch.testing.assert_close(path[:, 0, 0, 0], wanted, atol=1e-6, rtol=0)
    assert path[:, 0, 0, 1].abs().max() < 1e-6
    assert top(double_well, path) == pytest.approx(1, abs=1e-6)


def test_the_plain_band_misses_the_saddle_where_the_nudged_one_does_not():
    """Its springs cut the corner, weaker ones let the images slide into the wells."""
    begin = straight(point(-1, 1), point(1, 1), 20)
    nudged = relax(bent_valley, begin, free(), 0.02, 300)
    assert top(bent_valley, nudged) == pytest.approx(1, abs=5e-3)
    for spring in (1.0, 10.0):
        plain = relax(bent_valley, begin, free(nudge=False, spring=spring), 0.02, 300)
        assert top(bent_valley, plain) > 1.1


def test_normalised_steps_find_the_saddle_too():
    """The thesis' fixed steps on the gradient over its deviation, here 0.002 long at first."""
    band = Band(stop=False)
    path = relax(muller_brown, straight(*DEEPEST, 20), band, 0.002, 600)
    assert top(muller_brown, path) == pytest.approx(SADDLE, rel=5e-3)


def test_the_run_ends_when_every_inner_image_beats_the_worse_end():
    """At least one step; the values looked at are those before the last step."""
    left, right = point(-0.9, 1.6), DEEPEST[1]  # the left end is at -16
    counts = []
    for steps in (200, 201):
        band = Band(normalize=False)
        path = relax(muller_brown, straight(left, right, 10), band, 2e-4, steps)
        counts.append(heights(muller_brown, path))
    worst = float(heights(muller_brown, left[None]).max())
    assert torch.equal(*counts)  # it had ended before
    assert counts[0][1:-1].max() < worst
    assert heights(muller_brown, straight(left, right, 10))[1:-1].max() > worst
