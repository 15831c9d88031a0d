"""How a result shows itself."""

import base64
import io
import re
import runpy
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import visprior
from visprior import meter
from visprior.interface.result import SHOWN, Result

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.py"))


def result(count: int = 2) -> Result:
    images = np.arange(count * 12, dtype=np.uint8).reshape(count, 2, 2, 3)
    rows = [{"label": f"<b>{k}", "seed": k, "error": k / 3, "bands": [1]} for k in range(count)]
    return Result(images, torch.zeros(count, 3, 2, 2), rows, {"n": count, "error": 0.25})


def test_it_is_one_line():
    assert repr(result()) == "<visprior.Result: 2 images of 2 x 2, error 0.25>"


def test_a_notebook_shows_pictures_and_numbers():
    one = result()
    page = one._repr_html_()
    data = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    decoded = [np.asarray(Image.open(io.BytesIO(base64.b64decode(d)))) for d in data]
    assert (np.stack(decoded) == one.images).all()
    assert "&lt;b&gt;1" in page and "<b>" not in page
    assert "error 0.333" in page and "seed" not in page and "bands" not in page


def test_a_notebook_shows_no_more_than_it_can():
    assert result(SHOWN + 1)._repr_html_().count("<img ") == SHOWN


def test_random_weights_stand_under_a_picture():
    one = result(1)
    one.metrics[0]["weights"] = "random"
    assert "random weights" in one._repr_html_()


def test_frames_of_a_path_are_numbered():
    one = result(3)
    del one.metrics[1:]
    assert re.findall(r"<figcaption>frame (\d)", one._repr_html_()) == ["0", "1", "2"]


def test_a_table_of_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=tuple))
    one = result()
    assert one.frame() == tuple(one.metrics)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(visprior.UserError) as refused:
        one.frame()
    line = "frame() needs pandas: pip install pandas; metrics has the same numbers"
    assert str(refused.value) == line


@pytest.mark.parametrize(("config", "seen"), [({"IPKernelApp": {}}, True), ({}, False)])
def test_a_notebook_has_a_bar(config, seen, monkeypatch, capsys):
    shell = SimpleNamespace(config=config)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    with meter.Meter(10, "step") as bar:
        bar.add(5)
    assert bar.seen == seen and ("10" in capsys.readouterr().err) == seen


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(path):
    runpy.run_path(str(path), run_name="__main__")


def test_the_example_of_the_readme_runs():
    text = (Path(__file__).parents[2] / "README.md").read_text()
    code = text.partition("### From Python\n")[2].split("\n\nSettings are", 1)[0]
    known: dict = {}
    exec(textwrap.dedent(code.replace('"seeds=2"', '"seeds=2", "schedule.steps=2"')), known)
    assert known["result"].images.shape == (2, 48, 48, 3)
    assert EXAMPLES  # of which it names one
