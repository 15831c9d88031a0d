"""How like the photograph, and each other, pre-images are."""

import math
from typing import Any

from torch import Tensor

from visprior.metric.ambiguity import ambiguity
from visprior.metric.base import Metric
from visprior.metric.ssim import WINDOW, mse, psnr, ssim


class Similarity(Metric):
    """ssim, psnr (dB) and mse (grey levels squared) against the photograph; pairwise_ssim and
    pairwise_rms between the pre-images of one photograph from several seeds.

    What is infinite is left empty; SSIM of pictures smaller than its window is left out.
    """

    tasks = ("inversion",)

    def measure(self, saved: Tensor, x: Tensor) -> list[dict[str, Any]]:
        """See Metric.measure."""
        pictures, originals = self.subject.pictures, self.subject.originals
        assert pictures is not None and originals is not None
        picture, target = saved.cpu().double(), pictures.double()
        found = {"ssim": ssim(picture, target), "psnr": psnr(picture, target)}
        found["mse"] = mse(picture, target)
        height, width = picture.shape[-2:]
        too_small = min(height, width) < WINDOW
        if too_small:
            del found["ssim"]
            side = f"pictures of {height} x {width} pixels are smaller than its window"
            self.subject.warn(f"SSIM is left out: {side} of {WINDOW} x {WINDOW}")
        plain = {k: [v if math.isfinite(v) else None for v in t.tolist()] for k, t in found.items()}
        rows: list[dict[str, Any]] = [
            {k: v[b] for k, v in plain.items()} for b in range(len(picture))
        ]
        for name in dict.fromkeys(originals):
            same = [b for b, original in enumerate(originals) if original == name]
            if len(same) > 1:
                likeness, distance = ambiguity(picture[same])
                pairwise = {} if too_small else {"pairwise_ssim": likeness}
                for b in same:
                    rows[b] |= {**pairwise, "pairwise_rms": distance}
        return rows
