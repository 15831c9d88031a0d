"""Contact sheets: nothing is cut, everything is where it belongs."""

import numpy as np
import pytest
import torch

from visprior.render.sheet import EMPTY, MARGIN, comparison, contact_sheet
from visprior.render.text import fit, font

RED, BLUE = (200, 30, 30), (30, 30, 200)


def tile(colour: tuple[int, int, int], height: int = 64, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), colour, dtype=np.uint8)


def box_of(sheet: np.ndarray, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """top, left, bottom, right of all pixels of that colour."""
    y, x = np.nonzero((sheet == colour).all(2))
    return int(y.min()), int(x.min()), int(y.max()) + 1, int(x.max()) + 1


def test_pictures_keep_their_pixels_and_their_order():
    sheet = contact_sheet([[tile(RED), tile(BLUE)]], cell=64)
    assert sheet.shape == (64 + 2 * MARGIN, 2 * 64 + 6 + 2 * MARGIN, 3)
    red, blue = box_of(sheet, RED), box_of(sheet, BLUE)
    assert red == (MARGIN, MARGIN, MARGIN + 64, MARGIN + 64)
    assert blue[1] == red[3] + 6
    assert (sheet[:, :MARGIN] == 255).all()


def test_labels_neither_overlap_the_pictures_nor_leave_the_sheet():
    long = "a_very_long_label.with.many.parts_that=never,ends " * 4
    sheet = contact_sheet(
        [[tile(RED), "the reason " * 30], [None, tile(BLUE)]],
        [long, "1"],
        [long, "2"],
        "A heading that is much wider than the two pictures below it",
        cell=64,
        corner="rows ↓\ncolumns →",
        captions=[[long, None], [None, "x"]],
    )
    for colour in (RED, BLUE):
        top, left, bottom, right = box_of(sheet, colour)
        assert (sheet[top:bottom, left:right] == colour).all()
        assert (bottom - top, right - left) == (64, 64)
    frame = np.concatenate([sheet[0], sheet[-1], sheet[:, 0], sheet[:, -1]])
    assert (frame == 255).all()
    assert (sheet == EMPTY).all(2).sum() > 3000


def test_pictures_of_other_shapes_fit_their_cells():
    sheet = contact_sheet([[tile(RED, 20, 80), tile(BLUE, 30, 10)]], cell=60)
    assert box_of(sheet, RED)[2:] == (MARGIN + 60, MARGIN + 240)
    top, left, bottom, right = box_of(sheet, BLUE)
    assert (bottom - top, right - left) == (60, 20)
    assert left - (MARGIN + 240 + 6) == 110  # centred


def test_small_pictures_grow_without_blur():
    checks = (np.indices((8, 8)).sum(0) % 2 * 255).astype(np.uint8)
    sheet = contact_sheet([[np.dstack([checks] * 3)]], cell=64)
    inner = sheet[MARGIN : MARGIN + 64, MARGIN : MARGIN + 64, 0]
    np.testing.assert_array_equal(inner, checks.repeat(8, 0).repeat(8, 1))


def test_empty_sheets_are_refused_and_ragged_ones_are_not():
    with pytest.raises(ValueError, match="at least one cell"):
        contact_sheet([[]])
    assert contact_sheet([[tile(RED), tile(RED)], [tile(BLUE)]]).shape[1] > 2 * 192


@pytest.mark.parametrize("shape", [(3, 20, 30), (1, 200, 150), (3, 224, 224)])
def test_comparison_has_four_panels(shape):
    target = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 255
    sheet = comparison(target, target * 0.5)
    inked = (sheet[MARGIN + 20 : MARGIN + 60] != 255).any((0, 2))
    starts = np.flatnonzero(inked[1:] & ~inked[:-1])
    assert len(starts) == 4
    with pytest.raises(ValueError, match="target"):
        comparison(target, target[:, 1:])
    drawn = comparison(target, target * 0.5, drawing=np.zeros((64, 64), np.uint8))
    assert drawn.shape[0] == sheet.shape[0]
    assert drawn.shape[1] > 1.2 * sheet.shape[1]


def test_a_comparison_is_with_the_picture_as_it_is_saved():
    """Outside 0..255 the float image is as far from the target as the picture is not."""
    target = torch.tensor([0.0, 255.0]).repeat(64, 32)[None].expand(3, -1, -1)
    same = comparison(target, target)
    assert np.array_equal(comparison(target, (target - 127.5) * 9 + 127.5), same)
    named = comparison(target, target, said="astronaut_seed2\ntv.weight=10")
    assert named.shape[0] > same.shape[0]


@pytest.mark.parametrize("width", [20, 60, 200])
@pytest.mark.parametrize("text", ["relu2_2", "features.denseblock4.denselayer12.norm1", "ä " * 90])
def test_text_fits(width, text):
    block = fit(text, width, 50)
    assert block.width <= width + 1
    assert block.height <= 50 + 2
    joined = "".join(block.lines).replace(" ", "")
    assert joined.rstrip("…") in text.replace(" ", "")


def test_text_breaks_at_joints_before_it_shrinks():
    text = "regularizer.tv.weight=10"
    block = fit(text, int(font(13).getlength("regularizer.")) + 2, 60)
    assert block.font.size == 13
    assert block.lines == ["regularizer.", "tv.weight=", "10"]
