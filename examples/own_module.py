"""Invert a picture from a layer of a network of one's own, from Python.

    python examples/own_module.py

In a notebook the last line alone, `result`, shows the pictures.
"""

import torch
from skimage.data import astronaut
from torch import nn

import visprior

torch.manual_seed(0)
network = nn.Sequential(nn.Conv2d(3, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.ReLU())

# Layers are the names of modules: '3' is the last ReLU. The network sees (x - mean) / scale of grey
# levels x, images of `size`; it is copied and stays as it is.
described = {"net": network, "mean": [124, 116, 104], "scale": 58, "size": 48}

# One picture, two seeds; settings are those of the command line.
result = visprior.run("layer='3'", "seeds=2", "schedule.steps=60", image=astronaut(), **described)
print(result)
for row in result.metrics:
    print(row["label"], f"error {row['error']:.3f}", f"SSIM {row['ssim']:.3f}")

# The pre-images as pictures, and as the optimizer left them.
assert result.images.shape == (2, 48, 48, 3)
assert result.x is not None and result.x.shape == (2, 3, 48, 48)

# Mistakes are said in one sentence.
try:
    visprior.run("layer=conv9", **described)
except visprior.UserError as error:
    print(error)
