"""Random numbers that depend on a seed and an index only, for many indices at once."""

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The output function of SplitMix64 (Steele, Lea & Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniforms(seed: int, stream: int, indices: NDArray[np.int64], count: int) -> Numbers:
    """(len(indices), count) in [0, 1): number k of index i depends on (seed, stream, i, k) only."""
    with np.errstate(over="ignore"):
        key = _mix(_mix(np.array([seed], np.uint64) + _GOLDEN) + np.uint64(stream))
        row = _mix(key + _GOLDEN * (indices.astype(np.uint64) + np.uint64(1)))
        cell = _mix(row[:, None] + _GOLDEN * np.arange(1, count + 1, dtype=np.uint64))
    return (cell >> np.uint64(40)).astype(np.float32) / np.float32(2**24)


class Draws:
    """Hands out the columns of a table of uniforms, one name at a time, in any order of use.

    A column belongs to its name's place in `names`: a new name at the end changes no other.
    """

    def __init__(self, table: Numbers, names: tuple[str, ...]):
        self._table, self._place = table, {name: i for i, name in enumerate(names)}

    def unit(self, name: str) -> Numbers:
        """The column of a name, (n,) uniform in [0, 1)."""
        return self._table[:, self._place[name]]

    def between(self, name: str, low: float, high: float) -> Numbers:
        """The column of a name, (n,) uniform in [low, high)."""
        return low + (high - low) * self.unit(name)

    def chance(self, name: str, probability: float) -> NDArray[np.bool_]:
        """The column of a name, (n,), each true with this probability."""
        return self.unit(name) < probability

    def rows(self, keep: NDArray[np.int64]) -> "Draws":
        """The draws of some of the indices."""
        part = Draws(self._table[keep], ())
        part._place = self._place
        return part
