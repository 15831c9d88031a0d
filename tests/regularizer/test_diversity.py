"""diversity: the likeness of the images of one feature."""

import pytest
import torch

from visprior.errors import UserError
from visprior.hyper import Progress
from visprior.regularizer.base import Scene
from visprior.regularizer.diversity import Diversity, styles

T0 = Progress(0, 1, 0, 0, 1)


def part(seeds=2, weight=1.0, layer=None):
    made = Diversity(weight, layer)
    made.prepare(Scene((8, 8), [0.0] * 3, 2.0, "f", seeds))
    return made


def energy(phi, seeds=2, weight=1.0):
    return part(seeds, weight).energy(torch.zeros(len(phi), 3, 8, 8), {"f": phi}, T0)


def test_equal_and_orthogonal_features():
    phi = torch.zeros(2, 4, 3, 3, dtype=torch.float64)
    phi[0, 1], phi[1, 2] = 5.0, -2.0  # no channel in common
    assert energy(phi).tolist() == [0, 0]
    phi[1] = 7 * phi[0]  # the same but for its strength
    torch.testing.assert_close(energy(phi), torch.full((2,), 0.5).double())
    torch.testing.assert_close(energy(phi[[0, 0, 0]], 3), torch.full((3,), 2 / 3).double())


def test_against_lucids_loop():
    """(1 / B) sum_i sum_{j != i} <G_i, G_j>, with G flattened, not centred, of length 1."""
    phi = torch.randn(3, 4, 2, 5, dtype=torch.float64)
    total = 0.0
    grams = []
    for image in phi:
        flat = image.permute(1, 2, 0).reshape(-1, 4).numpy()  # positions x channels
        g = flat.T @ flat
        grams.append(g / (g**2).sum() ** 0.5)
    for i in range(3):
        total += sum((grams[i] * grams[j]).sum() for j in range(3) if j != i) / 3
    assert energy(phi, 3, 100.0).sum().item() == pytest.approx(100 * total)


def test_only_the_images_of_one_feature_are_compared():
    phi = torch.randn(4, 5, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(energy(phi), torch.cat([energy(phi[:2]), energy(phi[2:])]))


def test_tokens_and_vectors():
    maps = torch.randn(2, 5, 3, 4, dtype=torch.float64)
    tokens = maps.flatten(2).transpose(1, 2)
    torch.testing.assert_close(styles(tokens), styles(maps))
    vector = torch.randn(2, 5, dtype=torch.float64)
    torch.testing.assert_close(styles(vector), styles(vector[..., None, None]))


def test_gradcheck():
    phi = torch.randn(4, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda f: energy(f), (phi,))


def test_descending_it_makes_the_features_unlike():
    phi = torch.randn(2, 4, 3, 3, dtype=torch.float64)
    for _ in range(200):
        phi.requires_grad_()
        (g,) = torch.autograd.grad(energy(phi).sum(), phi)
        phi = (phi - g).detach()
    assert energy(phi).sum() < 0.1


def test_refuses():
    with pytest.raises(UserError, match="set seeds=4"):
        part(seeds=1)
    assert part(layer="g").layers == ("g",) and part().layers == ("f",)
