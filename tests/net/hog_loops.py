"""HOG pixel by pixel in float64, written from the algorithms and not from visprior's."""

import math

import numpy as np

Array = np.ndarray


def vote(gx: float, gy: float, k: int, binning: str) -> list[tuple[int, float]]:
    """(bin, value) of one gradient among 2 k directions."""
    n = math.hypot(gx, gy)
    dots = [gx * math.cos(b * math.pi / k) + gy * math.sin(b * math.pi / k) for b in range(2 * k)]
    if n == 0:
        return []
    if binning == "hard":
        best = max(range(k), key=lambda b: abs(dots[b]))
        return [(best if dots[best] > 0 else best + k, n)]
    if binning == "relu":
        a = math.cos(math.pi / k)
        return [(b, max(0.0, dots[b] - a * n) / (1 - a)) for b in range(2 * k)]
    angles = [math.acos(min(1.0, max(-1.0, d / n))) for d in dots]
    return [(b, n * max(0.0, 1 - k / math.pi * a)) for b, a in enumerate(angles)]


def pool(cells: Array, y: int, x: int, cell: int, votes: list[tuple[int, float]]) -> None:
    """Add a pixel's votes to the cells around it."""
    for i in range(cells.shape[1]):
        wy = max(0.0, 1 - abs((y + 0.5) / cell - 0.5 - i))
        for j in range(cells.shape[2]):
            wx = max(0.0, 1 - abs((x + 0.5) / cell - 0.5 - j))
            if wy * wx:
                for b, value in votes:
                    cells[b, i, j] += value * wy * wx


def vlfeat_cells(image: Array, cell: int = 8, k: int = 9, binning: str = "hard") -> Array:
    """(C, H, W) -> (2 k, rows, columns)."""
    _, height, width = image.shape
    cells = np.zeros((2 * k, (height + cell // 2) // cell, (width + cell // 2) // cell))
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            pairs = [(c[y, x + 1] - c[y, x - 1], c[y + 1, x] - c[y - 1, x]) for c in image]
            gx, gy = max(pairs, key=lambda g: g[0] ** 2 + g[1] ** 2)
            pool(cells, y, x, cell, vote(gx, gy, k, binning))
    return cells


def factors(cells: Array, i: int, j: int) -> list[float]:
    """1 / norm of the blocks above left, above right, below left and below right."""
    k, (rows, columns) = len(cells) // 2, cells.shape[1:]
    found = []
    for di in (-1, 1):
        for dj in (-1, 1):
            total = 1e-4
            for a in (i, min(max(i + di, 0), rows - 1)):
                for b in (j, min(max(j + dj, 0), columns - 1)):
                    total += ((cells[:k, a, b] + cells[k:, a, b]) ** 2).sum()
            found.append(1 / math.sqrt(total))
    return found


def uoctti(cells: Array) -> Array:
    """(2 k, rows, columns) -> (3 k + 4, rows, columns)."""
    k, (rows, columns) = len(cells) // 2, cells.shape[1:]
    out = np.zeros((3 * k + 4, rows, columns))
    for i, j in np.ndindex(rows, columns):
        f = factors(cells, i, j)
        u = cells[:k, i, j] + cells[k:, i, j]
        for d, h in enumerate([*cells[:, i, j], *u]):
            out[d, i, j] = 0.5 * sum(min(0.2, h * b) for b in f)
        for b in range(4):
            out[3 * k + b, i, j] = sum(min(0.2, h * f[b]) for h in u) / math.sqrt(18)
    return out


def dalal_triggs(cells: Array) -> Array:
    """(2 k, rows, columns) -> (4 k, rows, columns)."""
    k, (rows, columns) = len(cells) // 2, cells.shape[1:]
    out = np.zeros((4 * k, rows, columns))
    for i, j in np.ndindex(rows, columns):
        for b, f in enumerate(factors(cells, i, j)):
            u = cells[:k, i, j] + cells[k:, i, j]
            out[b * k : b * k + k, i, j] = np.minimum(0.2, u * f)
    return out


def dpm(image: Array, cell: int = 8) -> Array:
    """features.cc of DPM v5: (C, H, W) -> (32, rows - 2, columns - 2)."""
    cosines = [1.0, 0.9397, 0.7660, 0.5, 0.1736, -0.1736, -0.5, -0.7660, -0.9397]
    sines = [0.0, 0.3420, 0.6428, 0.8660, 0.9848, 0.9848, 0.8660, 0.6428, 0.3420]
    _, height, width = image.shape
    rows, columns = math.floor(height / cell + 0.5), math.floor(width / cell + 0.5)
    cells = np.zeros((18, rows, columns))
    for y in range(1, rows * cell - 1):
        for x in range(1, columns * cell - 1):
            v, u = min(y, height - 2), min(x, width - 2)
            pairs = [(c[v, u + 1] - c[v, u - 1], c[v + 1, u] - c[v - 1, u]) for c in image]
            gx, gy = max(pairs, key=lambda g: g[0] ** 2 + g[1] ** 2)
            best, where = 0.0, 0
            for b in range(9):
                dot = cosines[b] * gx + sines[b] * gy
                if dot > best:
                    best, where = dot, b
                elif -dot > best:
                    best, where = -dot, b + 9
            pool(cells, y, x, cell, [(where, math.hypot(gx, gy))])
    out = np.zeros((32, rows - 2, columns - 2))
    for i, j in np.ndindex(rows - 2, columns - 2):
        above_left, above_right, below_left, below_right = factors(cells, i + 1, j + 1)
        f = [below_right, above_right, below_left, above_left]
        h = cells[:, i + 1, j + 1]
        for d, value in enumerate([*h, *(h[:9] + h[9:])]):
            out[d, i, j] = 0.5 * sum(min(value * b, 0.2) for b in f)
        out[27:31, i, j] = [0.2357 * sum(min(v * b, 0.2) for v in h) for b in f]
    return out


def paper(image: Array, cell: int, binning: str) -> Array:
    """The network of Mahendran & Vedaldi on one grey image: (H, W) -> (27, rows, columns)."""
    height, width = image.shape
    x = np.pad(image, 1)
    cells = np.zeros((18, height // cell, width // cell))
    for v in range(height):
        for u in range(width):
            gx, gy = x[v + 1, u + 2] - x[v + 1, u], x[v + 2, u + 1] - x[v, u + 1]
            pool(cells, v, u, cell, vote(gx / 2, gy / 2, 9, binning))
    u = cells[:9] + cells[9:]
    values = np.concatenate([cells, u])
    out = np.zeros(values.shape)
    for i, j in np.ndindex(cells.shape[1] - 1, cells.shape[2] - 1):
        block = u[:, i : i + 2, j : j + 2]
        norm = max(np.sqrt((block**2).sum()), 1e-6)
        part = np.minimum(values[:, i : i + 2, j : j + 2] / norm, 0.2)
        out[:, i : i + 2, j : j + 2] += 0.5 * part
    return out
