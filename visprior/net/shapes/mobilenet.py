"""A small MobileNetV2, from torchvision's blocks."""

from collections.abc import Sequence

from torch import Tensor, nn
from torchvision.models.mobilenetv2 import InvertedResidual
from torchvision.ops.misc import Conv2dNormActivation


class MobileNetV2(nn.Module):
    """(B, 3, H, W) -> (B, classes), nodes named as in torchvision's MobileNetV2.

    Args:
        stem: channels of the first convolution, which has stride 2.
        blocks: (expansion, channels, repeats, stride of the first) per group of inverted residuals
            (Sandler et al. 2018, table 2).
        last: channels of the last convolution.
    """

    def __init__(self, stem: int, blocks: Sequence[Sequence[int]], last: int, classes: int) -> None:
        super().__init__()
        parts: list[nn.Module] = [
            Conv2dNormActivation(3, stem, stride=2, activation_layer=nn.ReLU6)
        ]
        before = stem
        for expansion, width, repeats, first in blocks:
            for i in range(repeats):
                stride = first if i == 0 else 1
                parts.append(InvertedResidual(before, width, stride, expansion))
                before = width
        parts.append(Conv2dNormActivation(before, last, kernel_size=1, activation_layer=nn.ReLU6))
        self.features = nn.Sequential(*parts)
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(last, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.flatten(self.mean(self.features(x))))
