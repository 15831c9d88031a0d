"""The film of a path: its pictures enlarged by whole factors, the marker on the curve."""

import numpy as np
import pytest
import torch

from visprior.render.film import Film, activation_plot, film_frames, film_strip


@pytest.fixture
def film() -> Film:
    """Nine images of 20 x 20 pixels, each of its own grey, between three stops."""
    x = torch.linspace(10, 250, 9).view(-1, 1, 1, 1).expand(-1, 3, 20, 20)
    a = np.array([3.0, 2, 1, 2, 4, 5, 4, 3, 3.5])
    return Film("net, layer", x, a, a - 1, {0: "a", 4: "b", 8: "c"})


def test_pictures_keep_their_pixels(film):
    x = torch.arange(20 * 20.0).view(1, 1, 20, 20).expand(9, 3, -1, -1) % 256
    film.x = x
    frames = list(film_frames(film, curve=False))
    assert frames[0].shape == (440, 440, 3)  # 22 times
    assert (frames[0][::22, ::22, 0] == x[0, 0].numpy()).all()
    assert (frames[0].reshape(20, 22, 20, 22, 3).std((1, 3)) == 0).all()


def test_the_marker_follows_the_curve(film):
    """The red circle is where the curve is, further right and higher for larger values."""
    frames = list(film_frames(film))
    shape = frames[0].shape
    assert len(frames) == 9 and shape[0] % 2 == 0 and shape[1] % 2 == 0 and shape[1] > 2 * shape[0]
    places = []
    for k, frame in enumerate(frames):
        assert (frame[:440, :440] == round(10 + 30 * k)).all()
        rows, columns = np.nonzero((frame == [200, 40, 30]).all(2))
        assert len(rows) > 40
        places.append((columns.max() + columns.min(), rows.max() + rows.min()))
    across, down = np.array(places)[1:-1].T  # at the ends the circle is cut
    assert np.ptp(np.diff(across)) <= 4
    height = np.polyfit(film.activation[1:-1], down, 1)
    assert height[0] < 0
    assert np.abs(np.polyval(height, film.activation[1:-1]) - down).max() < 3
    plot, _ = activation_plot(film, 300, 200)
    assert plot.shape == (200, 300, 3)
    assert not (plot == [200, 40, 30]).all(2).any()  # drawn once, the marker is not in it


def test_there_and_back(film):
    frames = list(film_frames(film, curve=False, mirror=True))
    greys = [int(frame[0, 0, 0]) for frame in frames]
    assert len(frames) == 16 and greys[8] == 250
    assert greys[9:] == greys[7:0:-1]


def test_odd_pictures_become_even(film):
    x = torch.arange(19 * 13.0).view(1, 1, 19, 13).expand(9, 3, -1, -1)
    film.x = x
    for curve in (True, False):
        frame = next(film_frames(film, curve))
        assert frame.shape[0] % 2 == 0 and frame.shape[1] % 2 == 0
        pixels = frame[: 19 * 24 : 24, : 13 * 24 : 24, 0]  # enlarged 24 times: 456 x 312
        assert (pixels == x[0, 0].numpy()).all()


def test_the_strip_has_a_row_per_pair_and_the_curve(film):
    strip = film_strip(film)
    greys = {int(v) for v in np.unique(strip[:-260].reshape(-1, 3).max(1))}
    assert {round(10 + 30 * k) for k in range(9)} <= greys
    assert ((strip[-260:] != 255).any(2)).mean() > 0.005
    film.activation = np.full(9, np.nan)  # a path that failed is drawn all the same
    assert film_strip(film).shape == strip.shape
