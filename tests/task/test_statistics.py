"""Statistics over a folder, what maximization takes from them, and the examples they name."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import visprior
from visprior.config.build import build
from visprior.data.picture import find_pictures, load_picture
from visprior.data.source import Folder
from visprior.errors import RunFailed, UserError
from visprior.metric.statistics_file import NAME, load_statistics
from visprior.net.redirect import RedirectedReLU
from visprior.task.examples import box_of

DEEP = "layer='2'"


def responses(compose_job, tiny, folder, layer="2"):
    """Of one picture after the other, (channels, rows, columns) each."""
    net = build(compose_job(*tiny).net)
    cut = net.cut([layer], "cpu")
    pictures = [load_picture(path, (24, 24)) for _, path in find_pictures(folder)]
    return net, cut, pictures, [cut(x)[layer][0] for x in pictures]


def test_statistics_are_those_of_a_loop(go, compose_job, tiny, photographs):
    folder, metrics = go(
        "statistics", *tiny, "layer=['1','2']", f"data={photographs}", "task.k=3", "micro_batch=2"
    )
    found, _ = load_statistics(folder)
    assert found.count == metrics["summary"]["n"] == 7 and list(found.layers) == ["1", "2"]
    *_, phi = responses(compose_job, tiny, photographs)
    for c in range(4):
        best = sorted(((float(p[c].max()), i) for i, p in enumerate(phi)), reverse=True)[:3]
        table, stacked = found.tables["2"], torch.stack([p[c] for p in phi]).double()
        assert table.value[c].tolist() == pytest.approx([v for v, _ in best], abs=1e-5)
        assert table.image[c].tolist() == [i for _, i in best]
        assert float(table.maximum[c]) == pytest.approx(best[0][0], abs=1e-5)
        assert float(table.mean[c]) == pytest.approx(float(stacked.mean()), abs=1e-5)
        assert float(table.std[c]) == pytest.approx(float(stacked.std(correction=0)), abs=1e-5)
    assert set(found.names.values()) <= {f"p{i}" for i in range(7)}
    lines = (folder / "statistics.csv").read_text().splitlines()
    assert len(lines) == 1 + 6 + 4 and lines[-1].startswith("2,3,")


def test_all_layers_at_once(go, tiny, photographs):
    folder, metrics = go("statistics", *tiny, "layer=all", f"data={photographs}")
    assert list(load_statistics(folder)[0].layers) == ["0", "1", "2"]
    assert metrics["summary"]["channels"] == 16


def test_an_interrupted_pass_goes_on(go, tiny, photographs, monkeypatch):
    keys = [*tiny, DEEP, f"data={photographs}", "micro_batch=2"]
    load = Folder.load

    def stop_at_4(self, indices):
        if 4 in indices:
            raise KeyboardInterrupt
        return load(self, indices)

    whole, _ = go("statistics", *keys, folder="whole")
    monkeypatch.setattr(Folder, "load", stop_at_4)
    with pytest.raises(KeyboardInterrupt):
        go("statistics", *keys, folder="halves")
    seen = []
    monkeypatch.setattr(Folder, "load", lambda self, i: seen.extend(i) or load(self, i))
    halves, _ = go("statistics", *keys, folder="halves")
    assert seen == [4, 5, 6] and not (halves / "state.safetensors").exists()
    assert (whole / NAME).read_bytes() == (halves / NAME).read_bytes()


def test_what_was_left_out_is_known_after_an_interruption(go, tiny, photographs, monkeypatch):
    (Path(photographs) / "p1.png").write_text("no picture")
    keys = [*tiny, DEEP, f"data={photographs}", "micro_batch=2"]
    load = Folder.load

    def stop_at_4(self, indices):
        if 4 in indices:
            raise KeyboardInterrupt
        return load(self, indices)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "load", stop_at_4)
        with pytest.raises(KeyboardInterrupt):
            go("statistics", *keys)
    with pytest.raises(RunFailed, match=r"^p1: image '.*p1\.png' cannot be read"):
        go("statistics", *keys)
    assert load_statistics(Path(photographs).parent / "run")[0].count == 6


def test_maximization_takes_M_from_the_file(go, tiny, photographs):
    """As if the number had been given; measured on the built-in photographs it is another."""
    folder, _ = go("statistics", *tiny, DEEP, f"data={photographs}", folder="stats")
    maximum = float(load_statistics(folder)[0].tables["2"].maximum[1])
    keys = [*tiny, DEEP, "channel=1", "schedule.steps=5", "regularizer.jitter=null"]

    def curve(name, *more):
        return (go("maximization", *keys, *more, folder=name)[0] / "curves.csv").read_text()

    from_file = curve("file", f"task.statistics={folder}")
    assert from_file == curve("given", f"task.M={maximum!r}")
    assert from_file != curve("measured")


def test_statistics_of_something_else_are_refused(go, tiny, photographs, tmp_path):
    folder, _ = go("statistics", *tiny, DEEP, f"data={photographs}", folder="stats")
    keys = [*tiny, "channel=1", "schedule.steps=2"]
    cases = (
        ([DEEP, "net.target=tiny_nets:other", f"task.statistics={folder}"], "other weights"),
        ([DEEP, "net.scale=100", f"task.statistics={folder}"], "other weights"),
        (["layer='1'", f"task.statistics={folder}"], "no statistics of layer=1"),
        ([DEEP, f"task.statistics={tmp_path}"], "there is no"),
    )
    for i, (more, message) in enumerate(cases):
        with pytest.raises(UserError, match=message):
            go("maximization", *keys, *more, folder=f"case{i}")
    (folder / NAME).write_bytes((folder / NAME).read_bytes()[:100])
    with pytest.raises(UserError, match="holds no statistics"):
        go("maximization", *keys, DEEP, f"task.statistics={folder}", folder="damaged")
    with pytest.raises(UserError, match="data= is missing"):
        go("statistics", *tiny, DEEP)


def test_examples_from_a_file_are_those_measured(go, tiny, photographs):
    stats, _ = go("statistics", *tiny, DEEP, f"data={photographs}", folder="stats")
    keys = [*tiny, DEEP, "channel=[0,2]", "task.k=3"]
    _, measured = go("examples", *keys, f"data={photographs}", folder="measured")
    folder, stored = go("examples", *keys, f"task.statistics={stats}", folder="stored")
    assert measured["images"] == stored["images"] and len(stored["images"]) == 6
    row = stored["images"][0]
    assert row["label"] == "channel0_1" and row["picture"].startswith("p")
    top, left, bottom, right = row["receptive_box"]
    assert Image.open(folder / row["patch"]).size == (right - left, bottom - top)
    assert (folder / row["file"]).is_file() and (folder / "sheet.png").is_file()
    (row["picture"] and (folder.parent / "photographs" / f"{row['picture']}.png")).unlink()
    with pytest.raises(UserError, match="has changed"):
        go("examples", *keys, f"task.statistics={stats}", folder="changed")


def test_the_box_holds_all_that_the_cell_sees(compose_job, tiny, photographs):
    """The gradient of a response is zero outside, and not inside near the edges."""
    net, cut, pictures, phi = responses(compose_job, tiny, photographs)
    layer = net.layer("2")
    for cell in (0, 37, phi[0][0].numel() - 1):
        x = pictures[0].clone().requires_grad_(True)
        # Linear in the picture where all ReLUs pass: no pixel drops out by chance.
        with RedirectedReLU():
            cut(x)["2"][0, 1].flatten()[cell].backward()
        assert x.grad is not None
        rows, columns = (x.grad[0].abs().sum(0) > 0).nonzero(as_tuple=True)
        box = box_of(layer, cell, (24, 24))
        assert box == (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)


SHIPPED = sorted(Path(visprior.__file__).parent.glob("weights/*.statistics.safetensors"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name.split(".")[0])
def test_shipped_statistics_are_of_the_shipped_weights(path, compose_job):
    """If not: python scripts/ship_statistics.py NET"""
    net = build(compose_job(f"net={path.name.split('.')[0]}").net)
    assert net.statistics == path
    found, file = load_statistics(path)
    layer = net.layer("logits")
    table = found.table(layer, net.cut(["logits"], "cpu"), file)
    assert table.maximum.shape == layer.shape and set(found.layers) == {
        x.name for x in net.layers()
    }
    # A class is excited most by a picture of it (names are CLASS_NUMBER).
    best = [found.names[str(i)].split("_")[0] for i in table.image[:, 0].tolist()]
    assert sum(b == c for b, c in zip(best, net.class_names, strict=True)) >= 9


def test_colours_are_those_of_all_pixels(go, compose_job, tiny, photographs):
    """Against numpy over the pictures at once; the root by its product and its order."""
    folder, _ = go("statistics", *tiny, DEEP, f"data={photographs}", "micro_batch=2")
    found, _ = load_statistics(folder)
    assert found.colour is not None
    pictures = torch.cat([load_picture(p, (24, 24)) for _, p in find_pictures(photographs)])
    pixels = pictures.double().permute(1, 0, 2, 3).reshape(3, -1).numpy()
    covariance = np.cov(pixels, bias=True)
    root = np.array(found.colour["root"])
    np.testing.assert_allclose(found.colour["mean"], pixels.mean(1), rtol=1e-9)
    np.testing.assert_allclose(found.colour["covariance"], covariance, rtol=1e-9)
    np.testing.assert_allclose(root @ root.T, covariance, rtol=1e-9)
    lengths = np.sqrt((root**2).sum(0))
    np.testing.assert_allclose(lengths**2, np.linalg.eigvalsh(covariance)[::-1], rtol=1e-9)
    assert np.all(root[0] >= 0)
    cfg = compose_job("param=pixel", "param.decorrelate=measured", f"param.factor={folder}")
    param = build(cfg.param)
    z = torch.tensor([20.0, 5.0, -3.0], dtype=torch.float64).view(1, 3, 1, 1)
    expected = found.colour["mean"] + root / lengths.max() @ [20, 5, -3]
    np.testing.assert_allclose(param.decode(z).flatten(), expected, rtol=1e-9)


def test_colours_that_were_not_measured_or_do_not_vary(go, compose_job, tiny, tmp_path):
    shipped = str(SHIPPED[0])
    with pytest.raises(UserError, match="has no colours"):
        build(compose_job("param.decorrelate=measured", f"param.factor={shipped}").param)
    Image.new("RGB", (24, 24), (90, 120, 30)).save(tmp_path / "flat.png")
    for name in (tmp_path / "flat.png", "camera"):
        folder, _ = go("statistics", *tiny, DEEP, f"data={name}", folder=Path(name).stem)
        keys = ["param=fourier", "param.decorrelate=measured", f"param.factor={folder}"]
        with pytest.raises(UserError, match="do not vary in every direction"):
            build(compose_job(*keys).param)
