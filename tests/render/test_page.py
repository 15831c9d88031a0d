"""The pages of a run: everything inside them, nothing from elsewhere."""

import re

import numpy as np
import pytest

from visprior.render.page import write_overview, write_path_page
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


def test_values_are_short_and_sorted_by_all_their_digits(tmp_path):
    row = {"label": "a", "status": "ok", "third": 1 / 3, "n": 7, "flag": True, "words": "a<b"}
    text = write_overview(tmp_path, "a run", [row, {"label": "b", "status": "ok"}]).read_text()
    full = (
        "<td class='n' data-v='0.3333333333333333'>0.3333</td><td class='n' data-v='7'>7</td>"
        "<td>True</td><td>a&lt;b</td></tr>"
    )
    assert full in text
    assert "<td>b</td><td></td><td>ok</td><td></td><td></td><td></td><td></td></tr>" in text


PAIR = {"from": "<script>", "to": "b", "lowest": 1.0, "lowest_inside": 1.5, "lower_end": 1.25,
        "straight": -0.5, "reaches_lower_end": True, "unevenness": None}  # fmt: skip


def test_paths(tmp_path):
    paths = [{"label": f"<{n}>", "folder": f"channel {n}", "pairs": [PAIR]} for n in range(2)]
    write_path_page(tmp_path, "paths & more", paths, video=True)
    text = (tmp_path / "index.html").read_text()
    assert "<h1>paths &amp; more</h1>" in text and "<h2>&lt;1&gt;</h2>" in text
    assert re.findall(r"src='([^']*)'", text) == [
        "channel%200/path.mp4", "channel%200/strip.png",
        "channel%201/path.mp4", "channel%201/strip.png",
    ]  # fmt: skip
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", text)
    assert cells == ["&lt;script&gt;", "b", "1.5", "1.25", "-0.5", "True"] * 2
    assert re.findall(r"<th [^>]*>([^<]*)", text)[2:4] == ["lowest inside", "lower end"]


@pytest.mark.parametrize("folder", ["", "."])
def test_the_path_of_a_run_of_one(tmp_path, folder):
    write_path_page(tmp_path, "a path", [{"label": "x", "folder": folder, "pairs": []}], False)
    text = (tmp_path / "index.html").read_text()
    assert re.findall(r"(?:src|href)='([^']*)'", text) == [
        "strip.png", "activations.csv", "pivots.safetensors"
    ]  # fmt: skip
    assert "<h2>" not in text and "<video" not in text
