"""How alike two images are: SSIM (Wang et al. 2004), PSNR, MSE. One value per image."""

import torch
from torch import Tensor
from torch.nn import functional

RADIUS = 5  # scikit-image's truncation of the Gaussian: int(3.5 * 1.5 + 0.5)
WINDOW = 2 * RADIUS + 1  # its side in pixels
SIGMA = 1.5
K1, K2 = 0.01, 0.03


def mse(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared error in squared grey levels: two (B, C, H, W) -> (B,) float64."""
    return (a.double() - b.double()).square().flatten(1).mean(1)


def psnr(a: Tensor, b: Tensor, peak: float = 255.0) -> Tensor:
    """10 log10(peak^2 / MSE) in dB, (B,); infinite for equal images."""
    return 10 * torch.log10(peak**2 / mse(a, b))


def ssim(a: Tensor, b: Tensor, peak: float = 255.0) -> Tensor:
    """Structural similarity of two (B, C, H, W) batches, (B,) float64.

        (2 ma mb + c1)(2 cov + c2) / ((ma^2 + mb^2 + c1)(va + vb + c2))

    with c1 = (0.01 peak)^2, c2 = (0.03 peak)^2 and population moments in 11 x 11 Gaussian windows
    (sigma 1.5) inside the image, averaged over windows and channels, as scikit-image's
    structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False).
    NaN for images under 11 pixels, which hold no window.
    """
    if min(a.shape[-2:]) <= 2 * RADIUS:
        return a.new_full((len(a),), float("nan"), dtype=torch.float64)
    a, b = a.double(), b.double()
    mean_a, mean_b = _windowed(a), _windowed(b)
    var_a = _windowed(a * a) - mean_a**2
    var_b = _windowed(b * b) - mean_b**2
    covariance = _windowed(a * b) - mean_a * mean_b
    c1, c2 = (K1 * peak) ** 2, (K2 * peak) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * covariance + c2) / (var_a + var_b + c2)
    return (luminance * structure).flatten(1).mean(1)


def _windowed(x: Tensor) -> Tensor:
    """The Gaussian mean over every window inside the image: (B, C, H, W) -> (B, C, H-10, W-10)."""
    offsets = torch.arange(-RADIUS, RADIUS + 1, dtype=x.dtype, device=x.device)
    kernel = torch.exp(-0.5 * (offsets / SIGMA) ** 2)
    kernel = kernel / kernel.sum()
    flat = x.flatten(0, 1)[:, None]
    flat = functional.conv2d(flat, kernel[None, None, :, None])
    flat = functional.conv2d(flat, kernel[None, None, None, :])
    return flat.unflatten(0, x.shape[:2])[:, :, 0]
