"""The colours of pictures: their mean, how their channels vary together, and the root of that."""

import torch
from torch import Tensor


class ColourStatistics:
    """Gathers the mean and the covariance of colours over all pixels of all pictures, float64.

    Batches are merged pairwise: S = S_a + S_b + d d^T n_a n_b / (n_a + n_b), d = mean_b - mean_a
    (Chan, Golub & LeVeque 1979).
    """

    def __init__(self, channels: int) -> None:
        self.seen = torch.zeros((), dtype=torch.float64)  # pixels
        self.mean = torch.zeros(channels, dtype=torch.float64)
        self.scatter = torch.zeros(channels, channels, dtype=torch.float64)

    def add(self, pictures: Tensor) -> None:
        """pictures: (B, C, H, W)."""
        colours = pictures.double().transpose(0, 1).flatten(1)
        count = colours.shape[1]
        mean = colours.mean(1)
        rest = colours - mean[:, None]
        step, total = mean - self.mean, self.seen + count
        between = torch.outer(step, step) * (self.seen * count / total)
        self.mean = self.mean + step * (count / total)
        self.scatter = self.scatter + rest @ rest.T + between
        self.seen = total

    def table(self) -> dict[str, list]:
        """mean (C,), covariance (C, C) and its root (C, C), in grey levels."""
        covariance = self.scatter / self.seen
        found = {"mean": self.mean, "covariance": covariance, "root": root(covariance)}
        return {name: value.tolist() for name, value in found.items()}

    def state(self) -> dict[str, Tensor]:
        """All that is needed to go on."""
        return dict(vars(self))

    def load(self, state: dict[str, Tensor]) -> None:
        """Go on from a state."""
        for name, value in state.items():
            setattr(self, name, value)


def root(covariance: Tensor) -> Tensor:
    """A with A A^T = covariance: eigenvectors times the roots of their eigenvalues, as columns.

    The largest eigenvalue comes first, and a column's first number is not negative, so that there
    is one answer. (A symmetric or a Cholesky root has the same product, but its columns are not the
    directions along which colours do not correlate.)
    """
    values, vectors = torch.linalg.eigh(covariance)
    a = (vectors * values.clamp(min=0).sqrt()).flip(1)
    return a * torch.where(a[0] < 0, -1.0, 1.0)
