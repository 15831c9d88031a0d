import numpy as np
import torch

from visprior.streams import Streams, uniform_noise


def test_a_draw_depends_on_seed_purpose_and_step_only():
    long, short = Streams([4, 9, 2], 50), Streams([9], 20)
    assert np.array_equal(long.uniform("jitter", 2)[:20, 1:2], short.uniform("jitter", 2))
    other = short.uniform("crop", 2)
    assert not np.array_equal(other, short.uniform("jitter", 2))


def test_normal_draws_are_normal():
    draws = Streams([1], 20000).normal("crop", 2)
    assert abs(draws.mean()) < 0.02 and abs(draws.std() - 1) < 0.02
    assert abs((draws**4).mean() - 3) < 0.15


def test_start_noise_is_each_images_own():
    both, one = uniform_noise([3, 8], (3, 5, 5)), uniform_noise([8], (3, 5, 5))
    assert torch.equal(both[1:], one)
    assert both.min() >= -1 and both.max() <= 1
