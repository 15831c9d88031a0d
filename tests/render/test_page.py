"""The overview page: everything inside it, nothing from elsewhere."""

import re

import numpy as np

from visprior.render.page import value_cell, write_overview
from visprior.render.picture import save_png


def test_overview_of_several_images(tmp_path):
    for name in ("preimage_a.png", "comparison_a.png", "preimage_b.png"):
        save_png(tmp_path / name, np.full((200, 300, 3), 120, dtype=np.uint8))
    (tmp_path / "curves.png").touch()
    images = [
        {"label": "a", "file": "preimage_a.png", "comparison": "comparison_a.png", "status": "ok",
         "error": 0.123456, "mean_colour": [1, 2, 3]},
        {"label": "<b>", "file": "preimage_b.png", "status": "failed", "error": None},
        {"label": "c", "file": "gone.png", "status": "failed", "reason": "NaN & more"},
    ]  # fmt: skip
    page = write_overview(tmp_path, "inversion <of> vgg19", images, "350 steps")
    text = page.read_text()
    assert page == tmp_path / "index.html"
    assert "http://" not in text and "https://" not in text
    assert "inversion &lt;of&gt; vgg19" in text and "&lt;b&gt;" in text
    assert len(re.findall(r"src='data:image/jpeg;base64,", text)) == 2
    assert set(re.findall(r"href='([^']*)'", text)) == {
        "curves.png", "comparison_a.png", "preimage_b.png"
    }  # fmt: skip
    assert "0.1235" in text and "NaN &amp; more" in text
    assert "mean_colour" not in text


def test_values():
    assert value_cell(None) == "<td></td>"
    assert value_cell(float(1 / 3)) == "<td class='n' data-v='0.3333333333333333'>0.3333</td>"
    assert value_cell(7) == "<td class='n' data-v='7'>7</td>"
    assert value_cell(True) == "<td>True</td>"
    assert value_cell("a<b") == "<td>a&lt;b</td>"
