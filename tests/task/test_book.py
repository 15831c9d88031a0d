"""Channel books: many channels and layers of one net, in batches."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from visprior.errors import UserError
from visprior.files.whole import read_json, write_json
from visprior.job.run import run
from visprior.task.book.book import PIXELS, chapters

KEYS = ["net=shapes_vgg", "task=maximization", "schedule.steps=6", "metric.spectrum=false"]
TWO_LAYERS = [*KEYS, "layer=[relu1_2,logits]", "channel=all"]
EXAMPLES = ["task.M=1", "task.examples=2"]
PARTS = {"task": "maximization", "net": "shapes_vgg"}


@pytest.fixture
def book(compose_job, tmp_path):
    """Make a book; returns its folder and metrics."""

    def book(*overrides, folder="book"):
        run(compose_job(*overrides), tmp_path / folder, PARTS)
        return tmp_path / folder, read_json(tmp_path / folder / "metrics.json")

    return book


class Links(HTMLParser):
    """Every file that a page names."""

    def __init__(self, page):
        super().__init__()
        self.files = []
        self.lazy = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.files += [unquote(v) for k in ("src", "href") if (v := found.get(k))]
        if tag == "img":
            self.lazy.append(found.get("loading"))


def test_a_book_has_every_channel_of_every_layer(book):
    folder, metrics = book(*TWO_LAYERS, "task.batch=7")
    rows = metrics["images"]
    assert [r["layer"] for r in rows] == ["relu1_2"] * 16 + ["logits"] * 10
    assert metrics["summary"]["n"] == 26 and all((folder / r["file"]).is_file() for r in rows)
    names = [p.name for p in sorted((folder / "relu1_2").iterdir())]
    assert names == ["0000", "0007", "0014", "index.html"]
    assert read_json(folder / "run.json")["status"] == "finished"


def test_its_pages_lead_to_files_and_nowhere_else(book):
    folder, _ = book(*TWO_LAYERS, "task.batch=7", "task.examples=2")
    for place, pictures in ((folder, 16), (folder / "relu1_2", 48), (folder / "logits", 30)):
        page = (place / "index.html").read_text()
        links = Links(page)
        assert all((place / file).is_file() for file in links.files)
        assert links.lazy == ["lazy"] * pictures
        assert not re.search(r"https?://|data:image", page)


def test_examples_ask_for_a_book_of_one_layer_too(book):
    folder, _ = book(*KEYS, "layer=logits", "channel=[0,3]", "task.examples=2")
    page = (folder / "logits" / "index.html").read_text()
    assert len(Links(page).lazy) == 2 + 4


def test_examples_are_of_the_size_of_the_statistics(book):
    """Whatever size the pre-images have."""
    keys = [*KEYS, "layer=relu1_2", "channel=[0,3]", "task.examples=2", "task.M=1"]
    small, metrics = book(*keys, "size=32", folder="small")
    usual, _ = book(*keys, folder="usual")
    found = [file for image in metrics["images"] for file in image["examples"]]
    assert len(found) == 4
    for file in found:
        patch = small / "relu1_2" / file
        assert patch.read_bytes() == (usual / "relu1_2" / file).read_bytes()


def test_batches_change_nothing(book, compose_job, tmp_path):
    """Each channel as in a batch of all of them, in float64."""
    keys = ["layer=[relu1_2]", "channel=[0,3,5]", "precision=fp64"]
    _, split = book(*KEYS, *keys, "task.batch=2")
    run(compose_job(*KEYS, *keys, "layer=relu1_2"), tmp_path / "whole", PARTS)
    whole = read_json(tmp_path / "whole" / "metrics.json")
    assert [r["label"] for r in split["images"]] == [r["label"] for r in whole["images"]]
    for a, b in zip(split["images"], whole["images"], strict=True):
        assert a["activation"] == pytest.approx(b["activation"], rel=1e-9)


def test_what_is_finished_is_not_done_again(book):
    folder, before = book(*KEYS, "layer=[relu1_2]", "channel=[0,1,2,3]", "task.batch=2")
    times = {p: p.stat().st_mtime_ns for p in (folder / "relu1_2").glob("*/preimage_*.png")}
    for path in (folder / "run.json", folder / "relu1_2" / "0002" / "run.json"):
        write_json(path, read_json(path) | {"status": "running"})  # as after SIGKILL
    (folder / "metrics.json").unlink()
    _, after = book(*KEYS, "layer=[relu1_2]", "channel=[0,1,2,3]", "task.batch=2")
    again = {p.parent.name for p, t in times.items() if p.stat().st_mtime_ns != t}
    assert again == {"0002"} and after == before


def test_batches_are_as_large_as_memory_allows(job_of):
    job = job_of("net=vgg19", "layer=relu5_1", "channel=all", "seeds=2", task="maximization")
    (only,) = chapters(job, "auto")
    assert [c for batch in only.batches for c in batch] == list(range(512))
    size = len(only.batches[0])
    assert size * 2 * 224 * 224 <= PIXELS < (size + 1) * 2 * 224 * 224


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["layer=[]", "channel=all"], "names no layer"),
        (["layer=[relu1_2,logist]", "channel=all"], "logits"),
        (["layer=[relu1_2,relu2_2]", "channel=[20]"], "relu1_2 has 16, 0 to 15"),
        (["layer=[relu1_2]", "channel=0", "task.batch=0"], r"task\.batch must be auto"),
        (["layer=[relu1_2]", "channel=0", "task.examples=-1"], r"task\.examples must be"),
        (["layer=[relu1_2,relu2_1]", "task.where=mosaic"], "one layer"),
        (["layer=relu1_2", "task.where=mosaic", "task.examples=2"], "each by itself"),
        (
            ["net.weights=random", "net.name=mine", "layer=[relu1_2]", "channel=0", *EXAMPLES],
            "needs statistics",
        ),
    ],
)
def test_a_book_refuses(book, tmp_path, keys, message):
    with pytest.raises(UserError, match=message):
        book(*KEYS, *keys)
    assert not (tmp_path / "book" / "metrics.json").exists()


def test_a_video_of_a_path_stands_beside_its_channel(book, compose_job, tmp_path):
    keys = [
        "net=shapes_vgg",
        "task=path",
        "layer=relu1_2",
        "channel=[0,2]",
        "metric.spectrum=false",
    ]
    keys += ["task.starts=[naive,tv]", "task.start_steps=2", "task.pivots=2", "schedule.steps=2"]
    run(compose_job(*keys), tmp_path / "paths", {"task": "path", "net": "shapes_vgg"})
    folder, _ = book(
        *KEYS, "layer=[relu1_2,relu2_1]", "channel=[0,1]", f"task.videos={tmp_path / 'paths'}"
    )
    page = (folder / "relu1_2" / "index.html").read_text()
    assert [f for f in Links(page).files if "mp4" in f] == ["0000/path_channel0.mp4"]
    copy = (folder / "relu1_2" / "0000" / "path_channel0.mp4").read_bytes()
    assert copy == (tmp_path / "paths" / "channel0" / "path.mp4").read_bytes()
    assert "mp4" not in (folder / "relu2_1" / "index.html").read_text()
    with pytest.raises(UserError, match=r"no path\.mp4 of task=path net=shapes_vgg"):
        book(*KEYS, "layer=[relu1_1]", "channel=0", f"task.videos={folder}", folder="none")
