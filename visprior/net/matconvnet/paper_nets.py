"""The networks of Mahendran & Vedaldi 2016 (Tables 1 to 3), as MatConvNet has them.

Caffe lets the last window of a pooling hang over the end of the map; MatConvNet says so by a
border of one more cell below and on the right, which only VGG-M's pool2 needs.
"""

from collections.abc import Sequence

from visprior.errors import choice
from visprior.net.matconvnet.blocks import Block, Conv, Norm, Pool, ReLU, SimpleNN, Softmax

PAPER_NETS = ("caffe-alex", "caffe-ref", "vgg-m", "vgg-verydeep-16")
_OVER = (0, 1, 0, 1)
# What the paper's figures take (section 5.2.1): {first layer: C}.
_ALEX_STRENGTH = {"conv1": 300.0, "conv4": 100.0, "conv5": 20.0, "pool5": 1.0}
_VGG_STRENGTH = {"conv1_1": 300.0, "conv5_1": 100.0, "conv5_2": 20.0, "pool5": 1.0}
_ALEX_DEPTHS = {"shallow": "relu1", "middle": "relu3", "deep": "relu5"}
_VGG_DEPTHS = {"shallow": "relu2_2", "middle": "relu3_3", "deep": "relu5_1"}


def paper_net(name: str) -> SimpleNN:
    """caffe-alex (AlexNet as in Caffe), caffe-ref (CaffeNet), vgg-m or vgg-verydeep-16.

    The mean colour of VGG-M is only in its file; it has that of VGG-VD here.

    Raises:
        UserError: another name.
    """
    choice("net.model", name, PAPER_NETS)
    if name.startswith("caffe"):
        return SimpleNN(_alexnet(name == "caffe-alex"), 3, (227, 227), [122.68, 116.67, 104.01])
    blocks = _vgg_m() if name == "vgg-m" else _vgg_verydeep()
    return SimpleNN(blocks, 3, (224, 224), [123.68, 116.779, 103.939])


def usual_aliases(layers: Sequence[Block]) -> dict[str, str]:
    """{alias: layer}: logits are what the last softmax gets; others where the names are known."""
    scores = [layer.name for layer in layers if not isinstance(layer, Softmax)]
    logits = {"logits": scores[-1]} if scores else {}
    names = {layer.name for layer in layers}
    for table in (_ALEX_DEPTHS, _VGG_DEPTHS):
        if names.issuperset(table.values()):
            return {**table, **logits}
    return logits


def usual_strength(layers: Sequence[Block]) -> dict[str, float]:
    """{first layer: C} where layers are called as in the paper's networks; else nothing."""
    names = {layer.name for layer in layers}
    tables = (_ALEX_STRENGTH, _VGG_STRENGTH)
    return next((table for table in tables if names.issuperset(table)), {})


def _alexnet(norm_first: bool) -> list[Block]:
    """Two streams from conv2 on; CaffeNet pools before it normalises."""

    def between(i: int) -> list[Block]:
        pair: list[Block] = [Norm(f"norm{i}"), _pool(i)]
        return pair if norm_first else pair[::-1]

    return [
        *_conv("1", 11, 3, 96, stride=4),
        *between(1),
        *_conv("2", 5, 48, 256, groups=2, pad=2),
        *between(2),
        *_conv("3", 3, 256, 384, pad=1),
        *_conv("4", 3, 192, 384, groups=2, pad=1),
        *_conv("5", 3, 192, 256, groups=2, pad=1),
        _pool(5),
        *_classifier(6, 256),
    ]


def _vgg_m() -> list[Block]:
    norms = [Norm(f"norm{i}", 5, 2.0, 1e-4, 0.75) for i in (1, 2)]
    return [
        *(*_conv("1", 7, 3, 96, stride=2), norms[0], _pool(1)),
        *(*_conv("2", 5, 96, 256, stride=2, pad=1), norms[1], _pool(2)),
        *_conv("3", 3, 256, 512, pad=1),
        *_conv("4", 3, 512, 512, pad=1),
        *(*_conv("5", 3, 512, 512, pad=1), _pool(5)),
        *_classifier(6, 512),
    ]


def _vgg_verydeep() -> list[Block]:
    blocks: list[Block] = []
    depth = 3
    for i, (count, width) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)], 1):
        for j in range(1, count + 1):
            blocks += _conv(f"{i}_{j}", 3, depth, width, pad=1)
            depth = width
        blocks.append(_pool(i, window=2))
    return blocks + _classifier(7, 512)


def _conv(
    i: str, side: int, depth: int, count: int, stride: int = 1, pad: int = 0, groups: int = 1
) -> list[Block]:
    """A convolution and its ReLU."""
    filters = (side, side, depth, count)
    border = (pad, pad, pad, pad)
    return [Conv(f"conv{i}", filters, groups, (stride, stride), border), ReLU(f"relu{i}")]


def _pool(i: int, window: int = 3) -> Block:
    return Pool(f"pool{i}", (window, window), (2, 2), _OVER)


def _classifier(side: int, depth: int) -> list[Block]:
    """fc6 sees the whole map; all are convolutions."""
    return [
        *(Conv("fc6", (side, side, depth, 4096)), ReLU("relu6")),
        *(Conv("fc7", (1, 1, 4096, 4096)), ReLU("relu7")),
        *(Conv("fc8", (1, 1, 4096, 1000)), Softmax("prob")),
    ]
