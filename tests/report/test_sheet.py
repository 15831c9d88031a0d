"""The sheet as drawn: colours at their places, sizes within bounds."""

from pathlib import Path

import numpy as np

from visprior.render.picture import save_png
from visprior.report import sheet
from visprior.report.sheet import draw_sheet
from visprior.report.sheet_content import Picture, SheetContent


def plan_of(cells: list[list[list[Picture]]]) -> SheetContent:
    return SheetContent(cells, [str(i) for i in range(len(cells))], None, None, "")


def coloured(folder: Path, colour: tuple[int, int, int], name: str) -> Picture:
    save_png(folder / name, np.tile(np.array(colour, dtype=np.uint8), (64, 64, 1)))
    return Picture(folder / name)


def area(drawn: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((drawn == colour).all(2).sum())


def test_every_picture_of_a_cell_is_drawn_alike(tmp_path):
    colours = [(200, 30 * i, 10) for i in range(5)]
    items = [coloured(tmp_path, c, f"{i}.png") for i, c in enumerate(colours)]
    drawn = draw_sheet(plan_of([[items[:4], [items[4], Picture(None, "NaN")]]]), "title")
    assert {area(drawn, c) for c in colours} == {192 * 192}
    box = draw_sheet(plan_of([[[items[0]], [Picture(None, "failed: NaN")]]]), "title")
    assert area(box, sheet.EMPTY) > 0.8 * 192 * 192


def test_nothing_readable_is_a_reason(tmp_path):
    (tmp_path / "x.png").write_bytes(b"rubbish")
    drawn = draw_sheet(plan_of([[[Picture(tmp_path / "x.png")], []]]), "title")
    assert area(drawn, sheet.EMPTY) > 1.6 * 192 * 192


def test_a_large_sheet_shrinks_its_pictures_and_then_is_cut(tmp_path, monkeypatch, caplog):
    item = coloured(tmp_path, (9, 99, 9), "x.png")
    monkeypatch.setattr(sheet, "HIGHEST", 1200)
    drawn = draw_sheet(plan_of([[[item]] for _ in range(30)]), "title")
    assert area(drawn, (9, 99, 9)) == 30 * 40 * 40
    monkeypatch.setattr(sheet, "MOST_ROWS", 10)
    drawn = draw_sheet(plan_of([[[item]] for _ in range(30)]), "title")
    assert "the first 10 x 1 of 30 x 1" in caplog.text
    assert drawn.shape[0] < 1600
