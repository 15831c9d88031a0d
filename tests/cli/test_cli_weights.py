"""Where the weights are from is said beside every picture, and never changes on the way."""

import json
import signal

import pytest

from visprior.net import download

from .conftest import runs, status

WARNING = "has random weights (net.seed=0), for want of the trained ones: could not download "
SHORT = ["layer=features.1", "size=32", "schedule.steps=3", "metric.spectrum=false"]


@pytest.fixture
def squeeze(command, published):
    """visprior with a net whose trained weights can be had, or not: published.keep()."""
    return lambda *args, **kw: command(*published.words, *SHORT, *args, **kw)


def drawn_captions(monkeypatch) -> list[str]:
    """All that is written under pictures from now on."""
    from visprior.render import sheet

    seen: list[str] = []
    draw = sheet.contact_sheet

    def contact_sheet(cells, *args, **kw):
        seen.extend(w for row in kw.get("captions") or [] for w in row if w)
        return draw(cells, *args, **kw)

    for where in ("render.sheet", "record.results", "task.examples", "report.sheet"):
        monkeypatch.setattr(f"visprior.{where}.contact_sheet", contact_sheet)
    return seen


def test_vgg19_works_anywhere_and_says_that_its_weights_are_random(quick, outputs, monkeypatch):
    captions = drawn_captions(monkeypatch)
    result = quick("seeds=2")
    assert result.code == 0
    first, second = result.err.splitlines()[:2]
    assert first.startswith(f"vgg19 {WARNING}https://download.pytorch.org/models/vgg19-dcbb9e9d")
    assert second.startswith("inversion with vgg19 (random weights), layer=relu1_1: ")
    (run,) = runs(outputs)
    about, metrics = status(run), json.loads((run / "metrics.json").read_text())
    assert about["weights"] == "random" and about["warnings"] == [first]
    assert metrics["weights"] == "random"
    assert [row["weights"] for row in metrics["images"]] == ["random"] * 2
    page = (run / "index.html").read_text()
    assert "<h1>inversion with vgg19 (random weights), relu1_1</h1>" in page
    under = [words for words in captions if words.startswith(("pre-image", "astronaut_seed"))]
    assert len(under) == 4 and all(words.endswith(", random weights") for words in under)


def test_random_weights_that_were_asked_for_are_no_warning_but_said(quick, outputs):
    result = quick("net.weights=random", "net.seed=4")
    assert result.err.splitlines()[0] == "vgg19 has random weights (net.seed=4)"
    (run,) = runs(outputs)
    assert status(run)["weights"] == "random" and status(run)["warnings"] == []


def test_trained_weights_are_taken_and_named(squeeze, published, outputs, monkeypatch):
    captions = drawn_captions(monkeypatch)
    published.keep()
    result = squeeze("seeds=2")
    assert result.code == 0 and "random" not in result.err
    (run,) = runs(outputs)
    about, metrics = status(run), json.loads((run / "metrics.json").read_text())
    assert about["weights"] == metrics["weights"] == "IMAGENET1K_V1"
    assert "random weights" not in (run / "index.html").read_text() + "".join(captions)


def test_default_insists(quick, outputs):
    result = quick("net.weights=default")
    assert result.code == 2
    assert result.error.startswith("could not download https://download.pytorch.org/models/vgg19-")
    ways = ("net.weights=FILE", "checkpoints/vgg19-dcbb9e9d.pth", "net.weights=random", "auto")
    assert all(way in result.error for way in ways)


def test_a_resumed_run_keeps_its_weights(squeeze, command, published, outputs, own):
    """Trained ones have come into reach since: the same bits as if nothing had happened."""
    folder, once = outputs / "run", own("Once", step=1, number=int(signal.SIGINT))
    assert squeeze(*once, f"hydra.run.dir={folder}").code == 130
    assert squeeze("net.weights=random", *once, f"hydra.run.dir={outputs / 'whole'}").code == 0
    published.keep()
    again = command(f"resume={folder}", "trust=[my_parts]")
    assert again.code == 0 and WARNING in again.err and "going on after step" in again.err
    about = status(folder)
    assert about["weights"] == "random" and WARNING in about["warnings"][0]
    for name in ("preimage.png", "curves.csv"):
        assert (folder / name).read_bytes() == (outputs / "whole" / name).read_bytes()


def test_the_same_command_into_the_same_folder_keeps_them_too(squeeze, published, outputs, own):
    folder, once = outputs / "run", own("Once", step=1, number=int(signal.SIGINT))
    words = [*once, f"hydra.run.dir={folder}"]
    assert squeeze(*words).code == 130
    published.keep()
    assert squeeze(*words).code == 0 and status(folder)["weights"] == "random"
    published.path.unlink()
    assert squeeze(*words).err == f"already finished: {folder}\n"


def test_a_sweep_has_the_weights_that_it_began_with(squeeze, published, outputs, monkeypatch):
    words = ["-m", f"hydra.sweep.dir={outputs / 'mine'}"]
    assert squeeze(*words, "seed=0").code == 0
    published.keep()
    captions = drawn_captions(monkeypatch)
    result = squeeze(*words, "seed=0,1")
    assert result.code == 0 and result.err.count("random weights") == 1
    assert [status(run)["weights"] for run in runs(outputs)] == ["random"] * 2
    assert [words for words in captions if "pre-image" not in words][-2:] == ["random weights"] * 2
    page = (outputs / "mine" / "index.html").read_text()
    assert page.count("<small>random weights</small>") == 2
    assert (outputs / "mine" / "results.csv").read_text().count(",random,") == 2


def test_auto_is_settled_by_itself_where_a_sweep_names_weights_too(squeeze, published, outputs):
    published.keep()
    assert squeeze("-m", "net.weights=random,auto").code == 0
    assert [status(run)["weights"] for run in runs(outputs)] == ["random", "IMAGENET1K_V1"]


def test_a_run_that_is_killed_as_it_goes_on_keeps_its_weights(squeeze, published, outputs, own):
    """Before the net is there, run.json has what an earlier start has found."""
    folder, once = outputs / "run", own("Once", step=1, number=int(signal.SIGINT))
    words = [*once, f"hydra.run.dir={folder}"]
    assert squeeze(*words).code == 130
    published.keep()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("visprior.job.run.build", lambda *_: (_ for _ in ()).throw(SystemExit(9)))
        assert squeeze(*words).code == 9
    assert squeeze(*words).code == 0 and status(folder)["weights"] == "random"


def test_a_book_says_it_under_every_picture(squeeze, outputs):
    result = squeeze("task=maximization", "channel=[0,1]", "task.batch=1")
    assert result.code == 0, result.err
    (page,) = outputs.rglob("features.1/index.html")
    assert page.read_text().count("<small>random weights</small>") == 2
    assert "squeezenet1_1 (random weights)" in page.parent.parent.joinpath("index.html").read_text()


def test_a_judge_with_random_weights_is_said(squeeze, outputs):
    judge = "{net: torchvision, model: squeezenet1_1, size: [64,64]}"
    squeeze("metric.ssim=false", "net.weights=random", f"metric.classify.nets=[{judge}]")
    (run,) = runs(outputs)
    (line,) = status(run)["warnings"]
    assert line.startswith("metric.classify.nets: squeezenet1_1 has random weights (could not down")
    assert line.endswith("): what it sees means nothing")


def test_what_cannot_be_reached_is_not_waited_for_again(squeeze, monkeypatch, outputs):
    asked: list[int] = []

    def refuse(*args, **kw):
        asked.append(1)
        raise OSError("timed out")

    monkeypatch.setattr(download, "urlopen", refuse)
    for folder in ("a", "b"):
        assert squeeze(f"hydra.run.dir={outputs / folder}").code == 0
    assert len(asked) == 1
