"""Statistics of channels against plain loops over all responses."""

import pytest
import torch

from visprior.metric.channels import ChannelStatistics


def gathered(cells: torch.Tensor, k: int, batch: int):
    statistics = ChannelStatistics(cells.shape[1], k)
    for first in range(0, len(cells), batch):
        statistics.add(cells[first : first + batch], first)
    return statistics.table()


@pytest.fixture
def cells() -> torch.Tensor:
    """Responses of 5 channels at 6 positions in 11 images."""
    return torch.randn(11, 5, 6, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("batch", [1, 4, 11])
def test_a_loop_finds_the_same(cells, batch):
    table = gathered(cells, 3, batch)
    for c in range(5):
        numbers = [(float(v), i, p) for i in range(11) for p, v in enumerate(cells[i, c])]
        values = torch.tensor([v for v, _, _ in numbers], dtype=torch.float64)
        assert float(table.maximum[c]) == max(values)
        assert float(table.mean[c]) == pytest.approx(float(values.mean()), abs=1e-9)
        assert float(table.std[c]) == pytest.approx(float(values.std(correction=0)), abs=1e-9)
        best = [max(n for n in numbers if n[1] == i) for i in range(11)]
        found = zip(table.value[c].tolist(), table.image[c].tolist(), table.position[c].tolist())  # noqa: B905
        assert list(found) == sorted(best, reverse=True)[:3]


def test_batches_of_any_size_give_the_same_examples(cells):
    cells = cells.round()  # so that many are equal
    one, four = gathered(cells, 4, 1), gathered(cells, 4, 4)
    assert torch.equal(one.image, four.image) and torch.equal(one.value, four.value)
    assert torch.equal(one.maximum, four.maximum)


def test_going_on_from_a_state_changes_nothing(cells):
    half = ChannelStatistics(5, 3)
    half.add(cells[:6], 0)
    other = ChannelStatistics(5, 3)
    other.load(half.state())
    other.add(cells[6:], 6)
    whole, halves = gathered(cells, 3, 6), other.table()
    assert torch.equal(whole.image, halves.image) and torch.equal(whole.mean, halves.mean)


def test_fewer_images_than_examples_leave_places_empty(cells):
    table = gathered(cells[:2], 3, 2)
    assert (table.image[:, 2] == -1).all() and (table.image[:, :2] >= 0).all()
