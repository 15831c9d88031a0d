"""SSIM, PSNR and MSE against scikit-image."""

import numpy as np
import pytest
import torch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from visprior.data.picture import find_pictures, load_picture
from visprior.metric.ssim import mse, psnr, ssim


def photographs(size: tuple[int, int]) -> torch.Tensor:
    names = ["astronaut", "chelsea", "coffee"]
    return torch.cat([load_picture(path, size) for _, path in find_pictures(names)])


def changed(x: torch.Tensor, how: str) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    if how == "noise":
        return x + 25 * torch.randn(x.shape, generator=generator)
    if how == "shift":
        return x.roll((3, 2), (-2, -1))
    return 0.4 * x + 60


def reference(a: torch.Tensor, b: torch.Tensor) -> float:
    value = structural_similarity(
        a.double().numpy(),
        b.double().numpy(),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=0,
    )
    return float(np.asarray(value))


@pytest.mark.parametrize("how", ["noise", "shift", "contrast"])
@pytest.mark.parametrize("size", [(64, 64), (11, 37), (50, 33)])
def test_ssim_is_that_of_scikit_image(how, size):
    a = photographs(size)
    b = changed(a, how)
    expected = [reference(x, y) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(ssim(a, b).numpy(), expected, atol=1e-6, rtol=0)


def test_ssim_of_equal_images_is_one_and_symmetric():
    a = photographs((40, 40))
    b = changed(a, "noise")
    torch.testing.assert_close(ssim(a, a), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(ssim(a, b), ssim(b, a))


def test_ssim_of_grey_and_of_too_small_images():
    a = photographs((30, 30))
    grey = ssim(a[:, :1], a[:, 1:2])
    expected = [reference(x[:1], x[1:2]) for x in a]
    np.testing.assert_allclose(grey.numpy(), expected, atol=1e-6)
    assert ssim(a[..., :10], a[..., :10]).isnan().all()


@pytest.mark.parametrize("how", ["noise", "shift", "contrast"])
def test_psnr_and_mse_are_those_of_scikit_image(how):
    a = photographs((32, 48))
    b = changed(a, how)
    for i in range(3):
        pair = a[i].double().numpy(), b[i].double().numpy()
        assert mse(a, b)[i].item() == pytest.approx(mean_squared_error(*pair), rel=1e-9)
        expected = peak_signal_noise_ratio(*pair, data_range=255)
        assert psnr(a, b)[i].item() == pytest.approx(expected, rel=1e-9)


def test_psnr_of_known_images():
    a = torch.zeros(2, 3, 4, 4)
    torch.testing.assert_close(mse(a, a + 255), torch.full((2,), 65025.0, dtype=torch.float64))
    assert psnr(a, a + 255).tolist() == [0.0, 0.0]
    assert psnr(a, a).isinf().all()
