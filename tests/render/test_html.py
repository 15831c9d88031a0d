"""Pages from templates: texts stay texts, style and script are inside."""

import re
import subprocess
import sys

import pytest

from visprior.render.book import write_front_page, write_layer_page
from visprior.render.html import write_html

NASTY = "<script>alert('x')</script>"


def scripts(page: str) -> list[str]:
    return re.findall(r"<script[^>]*>", page)


def test_a_label_is_no_script(tmp_path):
    card = {"label": NASTY, "file": f"{NASTY}.png", "status": "ok", "activation": 1.0}
    cards = [card, {"label": "' onclick='x", "file": "b.png", "status": NASTY}]
    write_layer_page(tmp_path, NASTY, cards, 64)
    layer = (tmp_path / "index.html").read_text()
    write_front_page(
        tmp_path,
        NASTY,
        [{"name": NASTY, "folder": "'>", "count": 1, "activation": 1.0, "files": [NASTY]}],
    )
    front = (tmp_path / "index.html").read_text()
    for page in (layer, front):
        assert scripts(page) == ["<script>"]  # the page's own
        assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in page
        assert "%3Cscript%3E" in page  # in the address of a file
    assert "data-name='&#39; onclick=&#39;x'" in layer and "href='%27%3E/index.html'" in front


def test_style_and_script_are_in_the_page(tmp_path):
    write_layer_page(tmp_path, "a layer", [], 64)
    page = (tmp_path / "index.html").read_text()
    assert "color-scheme: light dark" in page and ".book img.pre" in page
    assert "th[data-sort]" in page and "#order" in page
    assert "<link" not in page and "script src" not in page and "{%" not in page


def test_what_a_template_lacks_is_an_error(tmp_path):
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError, match="'layers' is undefined"):
        write_html(tmp_path / "index.html", "book.html", {"title": "a book"})
    assert not list(tmp_path.iterdir())


def test_jinja_is_imported_when_a_page_is_written():
    code = "import sys, visprior.render.page, visprior.render.book; print('jinja2' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"
