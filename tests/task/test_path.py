"""Paths of pre-images on a small network of the user's own."""

import json
import logging
import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from visprior.config.build import build
from visprior.data.picture import load_picture
from visprior.errors import UserError
from visprior.files.whole import read_json
from visprior.task.book import book
from visprior.task.path.link import sags

from .conftest import NET


def the_net() -> nn.Module:
    scope: dict = {}
    exec(NET, scope)
    return scope["make"]()


FAST = ["task.C=1", "channel=2", "layer='2'", "task.video=false", "metric.classify.nets=null"]


@pytest.fixture
def path(tiny, go, photographs):
    """path(overrides): a path through two photographs; its folder, its row, its tensors."""

    def path(*overrides: str, starts: int = 2, folder: str = "run"):
        names = ",".join(f"{photographs}/p{i}.png" for i in range(starts))
        given = [f"task.starts=[{names}]"] if starts else []
        out, metrics = go("path", *tiny, *FAST, *given, *overrides, folder=folder)
        tensors = {}
        if (out / "pivots.safetensors").is_file():
            tensors = load_file(out / "pivots.safetensors")
        return out, metrics["images"], tensors

    return path


HEADINGS = "frame,start,activation,straight,distance,activation_unclipped"


def shown(x: torch.Tensor) -> torch.Tensor:
    """The frames of a film, as the net of these tests sees them."""
    return x.float().round().clamp(0, 255).double() / 255 - 128 / 255


def picture(folder: str, i: int) -> torch.Tensor:
    array = np.asarray(Image.open(f"{folder}/p{i}.png"))
    return torch.from_numpy(array.transpose(2, 0, 1).astype(np.float64))


def test_the_thesis_numbers_give_421_frames(path, photographs):
    """Six start images, 20 pivots and 3 images in each link; here along straight lines."""
    out, rows, tensors = path("task.passes=0", "precision=fp64", starts=6)
    assert rows[0]["frames"] == 421 == len(tensors["x"])
    for i in range(6):
        assert torch.equal(tensors["x"][84 * i], picture(photographs, i))
    expected = torch.lerp(picture(photographs, 3), picture(photographs, 4), 10 / 84)
    torch.testing.assert_close(tensors["x"][3 * 84 + 10], expected)
    lines = (out / "activations.csv").read_text().splitlines()
    assert len(lines) == 422 and lines[0] == HEADINGS
    assert lines[1 + 84].startswith("84,p1,")
    distances = [float(line.split(",")[4]) for line in lines[1:]]
    way = (picture(photographs, 1) - picture(photographs, 0)).norm().item()
    assert distances[:3] == pytest.approx([0, way / 84, way / 84])
    assert [pair["unevenness"] for pair in rows[0]["pairs"]] == pytest.approx([0] * 5, abs=1e-6)
    assert (
        rows[0]["lowest"]
        == rows[0]["straight"]
        == pytest.approx(float(tensors["activation"].min()))
    )
    assert (out / "strip.png").is_file() and (out / "index.html").is_file()


def test_a_pair_says_whether_it_reaches_its_lower_end(path):
    """Along straight lines, where some do and some do not; from the activations on disk."""
    _, rows, tensors = path("task.passes=0", starts=6)
    a = tensors["activation"]
    expected, lowest = [], []
    for i in range(5):
        first, *inner, last = a[84 * i : 84 * (i + 1) + 1].tolist()
        expected.append(min(inner) >= min(first, last))
        lowest.append(min(inner))
    assert [pair["reaches_lower_end"] for pair in rows[0]["pairs"]] == expected
    assert [pair["lowest_inside"] for pair in rows[0]["pairs"]] == pytest.approx(lowest)
    assert False in expected and rows[0]["pairs_reached"] == sum(expected)


@pytest.mark.parametrize(
    ("inserted", "drop", "expected"),
    [
        ([4.0, 5.0], (0.0, 0.0), False),  # above one pivot of each link
        ([2.9, 5.0], (0.0, 0.0), True),  # below 3 and 6
        ([3.5, 4.0], (0.0, 0.0), True),  # the second below 6 and 4.5
        ([2.5, 5.0], (1.0, 2.0), False),  # not by more than 1 below 3
        ([1.9, 5.0], (1.0, 2.0), True),
        ([1.9, 5.0], (1.0, 4.5), False),  # not by more than 4.5 below 6
        ([3.5, 4.5], (0.0, 0.0), False),  # the second below 6, but no less than 4.5
        ([3.0, 5.0], (0.0, 0.0), False),  # no less than 3
    ],
)
def test_an_inserted_image_sags_below_both_pivots(inserted, drop, expected):
    """Algorithm 2's test, between pivots of activation 3, 6 and 4.5."""
    a = torch.tensor([3.0, inserted[0], 6.0, inserted[1], 4.5])
    assert sags(a, 2, drop) is expected


def thesis(first: np.ndarray, last: np.ndarray, pivots: int, steps: int, weight: float):
    """Algorithm 1 in [-1, 1], image by image; the activations by torch, the rest numpy."""
    net = the_net().double()

    def gradient(p: np.ndarray) -> tuple[float, np.ndarray]:
        x = torch.tensor(p, requires_grad=True)
        a = net(((x + 1) * 127.5)[None] / 255 - 128 / 255)[0, 2].mean()
        tv = (x[:, :, 1:] - x[:, :, :-1]).abs().sum() + (x[:, 1:] - x[:, :-1]).abs().sum()
        (g,) = torch.autograd.grad(a - weight * tv, x)
        return float(a.detach()), g.numpy()

    p = [first + (last - first) * k / (pivots + 1) for k in range(pivots + 2)]
    for _ in range(steps):
        a, g = zip(*(gradient(one) for one in p), strict=True)
        scale = np.std(np.stack(g)) + 1e-8
        new = list(p)
        for i in range(1, pivots + 1):
            t = p[i + 1] - p[i] if a[i + 1] < a[i - 1] else p[i] - p[i - 1]
            t = t / math.sqrt((t * t).sum())
            force = g[i] / scale
            new[i] = p[i] + 0.002 * (force - (force * t).sum() * t)
        p = spread(new)
    return np.stack(p)


def spread(p: list[np.ndarray]) -> list[np.ndarray]:
    """At equal arc lengths of the polyline."""
    d = [math.sqrt(((b - a) ** 2).sum()) for a, b in pairwise(p)]
    way = [0.0, *np.cumsum(d)]
    flat = np.stack([one.ravel() for one in p])
    places = [k * np.mean(d) for k in range(len(p))]
    columns = [np.interp(places, way, flat[:, j]) for j in range(flat.shape[1])]
    out = [row.reshape(p[0].shape) for row in np.stack(columns, 1)]
    return [p[0], *out[1:-1], p[-1]]


def test_steps_are_the_thesis_steps(path, tmp_path):
    """lambda 0.002 in [-1, 1] is the weight 0.002 * 24^2 with V = 127.5 in grey levels."""
    # No whole numbers: differences that cancel but for rounding have a slope of either sign.
    ends = np.random.default_rng(2).uniform(40, 210, (2, 3, 24, 24)).astype(np.float32)
    for k in range(2):
        np.save(tmp_path / f"end{k}.npy", ends[k])
    given = f"task.starts=[{tmp_path}/end0.npy,{tmp_path}/end1.npy]"
    _, rows, tensors = path(
        "task.passes=1", "task.insert=0", "task.pivots=5", "schedule.steps=3", "precision=fp64",
        "task.band.stop=false", "schedule.stages=[{steps: 3, step_size: 0.255}]",
        f"regularizer.tv.weight={0.002 * 24 * 24}", given, starts=0,
    )  # fmt: skip
    ends = ends.astype(np.float64) / 127.5 - 1
    expected = (thesis(ends[0], ends[1], 5, 3, 0.002) + 1) * 127.5
    np.testing.assert_allclose(tensors["x"].numpy(), expected, rtol=0, atol=1e-9)
    assert rows[0]["pairs"][0]["steps"] == [3]
    start = (thesis(ends[0], ends[1], 5, 0, 0.002) + 1) * 127.5
    assert np.abs(expected - start).max() > 0.5


def test_a_path_is_better_than_the_straight_line(path):
    """It ends when every image is better than the worse end, evenly spaced, ends untouched."""
    out, rows, tensors = path("task.pivots=8", "task.insert=1", "regularizer.tv.weight=0")
    pair = rows[0]["pairs"][0]
    assert pair["straight"] < pair["lower_end"] <= pair["lowest_inside"]
    assert pair["reaches_lower_end"] and rows[0]["pairs_reached"] == 1
    assert 1 <= pair["steps"][0] < 500
    assert len(tensors["x"]) == 19 and pair["unevenness"] < 0.2
    run_json = read_json(out / "run.json")
    assert run_json["status"] == "finished"
    assert run_json["main"] == {"name": "lowest", "value": rows[0]["lowest"]}


def test_a_pass_that_ended_takes_its_last_step_back(path):
    """It is ended one step after the path was seen to be good enough: that path counts."""
    keys = ["task.pivots=6", "task.insert=0", "task.passes=1", "regularizer=[]"]
    _, rows, ended = path(*keys, "schedule.step_size=0.5")
    (taken,) = rows[0]["pairs"][0]["steps"]
    assert 1 < taken < 60
    stages = "schedule.stages=[{{steps: {}, step_size: 0.5}}]"
    whole = [*keys, "task.band.stop=false"]
    _, rows, same = path(*whole, stages.format(taken), folder="same")
    assert torch.equal(ended["x"], same["x"]) and rows[0]["pairs"][0]["reaches_lower_end"]
    _, rows, _ = path(*whole, stages.format(taken - 1), folder="before")
    assert not rows[0]["pairs"][0]["reaches_lower_end"]


def test_under_random_transforms_every_step_is_taken(path):
    """A draw's activations may all be high enough by chance; without transforms the pass ends."""
    keys = ["task.pivots=3", "task.insert=0", "task.passes=1", "schedule.steps=60"]
    steps = []
    for regularizer in ("[]", "[transforms]"):
        _, rows, _ = path(*keys, "schedule.step_size=1", f"regularizer={regularizer}",
                          folder=regularizer)  # fmt: skip
        steps += rows[0]["pairs"][0]["steps"]
    assert steps[0] < 50 == steps[1]  # the first pass has 50 of 60 steps


def test_the_second_pass_runs_where_an_inserted_image_sags(path):
    few = ["task.pivots=2", "task.insert=3", "task.band.stop=false", "schedule.steps=12"]
    _, rows, _ = path(*few, "regularizer.tv.weight=0")
    assert rows[0]["pairs"][0]["steps"] == [10, 2]
    _, rows, _ = path(*few, "regularizer.tv.weight=0", "task.drop=[1e6,1e6]", folder="lenient")
    assert rows[0]["pairs"][0]["steps"] == [10]


def test_a_path_in_fourier_coefficients(path, photographs):
    """Straight is straight in the coefficients; the ends show the start images."""
    _, _, tensors = path("task.passes=0", "param=fourier", "task.pivots=3", "task.insert=0")
    for k, i in ((0, 0), (-1, 1)):
        wanted = picture(photographs, i).clamp(0.25, 254.75).float()
        torch.testing.assert_close(tensors["x"][k], wanted, atol=0.02, rtol=0)
    logits = torch.logit(tensors["x"] / 255)
    middle = (logits[0] + logits[-1]) / 2
    torch.testing.assert_close(logits[2], middle, atol=2e-3, rtol=1e-3)
    assert (tensors["x"][2] - (tensors["x"][0] + tensors["x"][-1]) / 2).abs().max() > 5
    _, _, moved = path("param=fourier", "task.pivots=3", "task.insert=0", "schedule.steps=6",
                          "schedule.step_size=0.01", folder="moved")  # fmt: skip
    assert (moved["x"][1] - tensors["x"][1]).abs().max() > 0.1
    assert torch.equal(moved["x"][[0, -1]], tensors["x"][[0, -1]])


def test_relative_weights_follow_the_start_images(path):
    """The factor is the weight times the mean activation of the two ends."""
    out, rows, _ = path("task.relative=[tv]", "regularizer.tv.weight=3", "schedule.steps=2")
    ends = list(rows[0]["starts"].values())
    stage = read_json(out / "links" / "1_p0_p1" / "pass1" / "run.json")["stages"][0]
    expected = 3 * sum(ends) / 2 / (127.5 * 24 * 24)
    assert stage["coefficients"]["tv"] == pytest.approx(expected, rel=1e-5)


def test_transforms_are_drawn_once_for_all_images(path, photographs):
    """Between an image and itself every image feels the same force, so all stay equal."""
    twice = f"task.starts=[{photographs}/p0.png,{photographs}/p0.png]"
    still = ["task.band.nudge=false", "task.band.spring=0", "task.band.stop=false"]
    still += ["task.passes=1", "task.insert=0"]
    _, rows, tensors = path(
        "regularizer=[transforms]", twice, *still, "schedule.steps=4", "task.pivots=4", starts=0
    )
    inner = tensors["x"][1:-1]
    torch.testing.assert_close(inner, inner[:1].expand_as(inner), atol=1e-3, rtol=0)
    assert (inner[0] - tensors["x"][0]).abs().max() > 0.1
    assert rows[0]["starts"].keys() == {"p0", "p0_2"}


def test_start_images_are_made_by_recipes_for_all_channels(path):
    out, rows, _ = path("task.starts=[naive,tv]", "task.start_steps=5", "schedule.steps=2",
                        "channel=[0,2]", "task.pivots=2", "task.insert=1", starts=0)  # fmt: skip
    assert [row["label"] for row in rows] == ["channel0", "channel2"]
    made = read_json(out / "starts" / "naive" / "metrics.json")["images"]
    for row, start in zip(rows, made, strict=True):
        assert row["starts"]["naive"] == pytest.approx(start["activation"], rel=1e-5)
        assert (out / row["file"]).is_file()
    x = [load_file(out / row["label"] / "pivots.safetensors")["x"] for row in rows]
    kept = load_file(out / "starts" / "tv" / "preimages.safetensors")["x"]
    assert torch.equal(x[0][-1], kept[0]) and torch.equal(x[1][-1], kept[1])
    stage = read_json(out / "starts" / "tv" / "run.json")["stages"][0]
    assert "tv" in stage["coefficients"] and stage["steps"] == 5
    page = (out / "index.html").read_text()
    assert "channel0/strip.png" in page and "channel2/strip.png" in page


def test_a_diverse_batch_and_a_finished_run_as_start_images(path):
    out, rows, tensors = path(
        "task.starts=diversity:3:naive", "task.start_steps=4", "schedule.steps=2", "task.passes=1",
        "task.insert=0", "task.pivots=2", "task.diversity=7", starts=0,
    )  # fmt: skip
    assert list(rows[0]["starts"]) == ["facet0", "facet1", "facet2"]
    stage = read_json(out / "starts" / "diversity_naive" / "run.json")["stages"][0]
    assert stage["coefficients"]["diversity"] == pytest.approx(7 / 3)
    folder = out / "starts" / "diversity_naive"
    _, again, same = path(f"task.starts={folder}", "schedule.steps=2", "task.passes=1",
                          "task.insert=0", "task.pivots=2", starts=0, folder="again")  # fmt: skip
    assert len(again[0]["starts"]) == 3
    assert torch.equal(same["x"][::3], tensors["x"][::3])


def test_more_start_images_than_a_batch_holds(path, monkeypatch):
    """They are made batch by batch and are those of one batch; never a channel book."""
    made = ["task.starts=diversity:2:naive", "task.start_steps=5", "channel=[0,2]"]
    made += ["task.passes=0", "task.pivots=1", "task.insert=0", "precision=fp64"]
    whole, rows, _ = path(*made, starts=0, folder="whole")
    monkeypatch.setattr(book, "PIXELS", 2 * 24 * 24)  # the two facets of a channel
    parts, same, _ = path(*made, starts=0, folder="parts")
    found = sorted(p.parent.relative_to(parts) for p in parts.rglob("preimages.safetensors"))
    names = ["starts/diversity_naive/0000", "starts/diversity_naive/0002"]
    assert [p.as_posix() for p in found] == names
    for row, other in zip(rows, same, strict=True):
        x, y = (load_file(d / row["label"] / "pivots.safetensors")["x"] for d in (whole, parts))
        torch.testing.assert_close(y, x, atol=1e-8, rtol=0)
        assert other["starts"] == pytest.approx(row["starts"])
    stamps = {p: p.stat().st_mtime_ns for p in parts.rglob("starts/**/run.json")}
    run = read_json(parts / "run.json")
    (parts / "run.json").write_text(json.dumps(run | {"status": "running"}))
    path(*made, starts=0, folder="parts")
    assert stamps == {p: p.stat().st_mtime_ns for p in stamps} and len(stamps) == 2


def test_pictures_of_any_size_are_brought_to_the_runs(path, photographs):
    """As every task does: load_picture at the run's size, beside images that are made."""
    rng = np.random.default_rng(8)
    for name, (height, width) in {"wide": (30, 50), "tall": (70, 41)}.items():
        Image.fromarray(rng.integers(0, 255, (height, width, 3), np.uint8)).save(
            f"{photographs}/{name}.png"
        )
    given = f"task.starts=[{photographs}/wide.png,{photographs}/tall.png,naive]"
    still = ["task.start_steps=5", "task.passes=0", "task.pivots=1", "task.insert=0"]
    out, _, tensors = path(given, *still, starts=0)
    for k, name in ((0, "wide"), (2, "tall")):
        wanted = load_picture(f"{photographs}/{name}.png", (24, 24))[0]
        assert torch.equal(tensors["x"][k], wanted)
    assert read_json(out / "run.json")["warnings"] == []


def test_pre_images_of_another_size_are_resized_and_that_is_said(path):
    small = ["task.start_steps=5", "task.passes=0", "task.pivots=1", "task.insert=0"]
    out, _, _ = path("task.starts=diversity:2:naive", *small, starts=0)
    folder = out / "starts" / "diversity_naive"
    again, _, tensors = path(f"task.starts=[{folder},naive]", *small, "size=30", starts=0,
                             folder="again")  # fmt: skip
    assert tensors["x"].shape == (5, 3, 30, 30)
    said = read_json(again / "run.json")["warnings"]
    assert len(said) == 1 and "are 24 x 24; they are resized to 30 x 30" in said[0]
    _, _, tensors = path(f"task.starts={folder}", *small, "size=17", starts=0, folder="smaller")
    kept = load_file(folder / "preimages.safetensors")["x"]
    for k in range(2):
        planes = [Image.fromarray(plane.numpy()) for plane in kept[k]]
        wanted = [np.asarray(p.resize((17, 17), Image.Resampling.BICUBIC)) for p in planes]
        np.testing.assert_allclose(tensors["x"][2 * k], np.stack(wanted), atol=1e-2)


def test_float64_pre_images_stay_what_they_are(path):
    """Between start images made in float64, too; 8-bit pictures would not show it."""
    keys = ["task.start_steps=5", "task.passes=0", "task.pivots=1", "task.insert=0"]
    out, _, tensors = path("task.starts=[naive,tv]", *keys, "precision=fp64", starts=0)
    for k, name in ((0, "naive"), (2, "tv")):
        made = load_file(out / "starts" / name / "preimages.safetensors")["x"]
        assert made.dtype == torch.float64 and not torch.equal(made, made.float().double())
        assert torch.equal(tensors["x"][k], made[0])


BAD = [
    ("task.starts=[{p}/p0.png]", "a path needs two start images or more"),
    ("task.starts=null", "gives 0"),
    (
        "task.starts=[naiv,tv]",
        "'naiv' is no recipe, picture or folder of a run; did you mean 'naive'",
    ),
    ("task.starts=diversity:3:fouri", "no recipe 'fouri'; did you mean 'fourier'"),
    ("task.starts=[{p}/p0.png,{p}/p9.png]", "did you mean '.*p.*png"),
    ("channel=null", "task=path needs channel=: 0 to 3"),
    ("channel=4", "out of range"),
    ("regularizer=[tv,jitter]", "regularizer=jitter changes the images"),
    ("regularizer=[clip]", "only what changes the gradient"),
    ("task.relative=[l1]", "task.relative=l1 is not known"),
    ("task.passes=3", "task.passes must be a whole number from 0 to 2"),
    ("task.drop=3", "task.drop must be null or a list of numbers, got 3"),
    ("task.drop=[1,b]", "task.drop must be null or a list of numbers"),
    ("task.drop=[1,2,3]", "task.drop must be two numbers >= 0"),
    ("task.band.spring=stiff", "task.band.spring must be null or a number, got stiff"),
    (
        "task.band.spring=2",
        r"spring=2 is too stiff for steps of 0.255.*0.5 / step_size = 1.96 at most",
    ),
    ("task.where=5", "where=5: 2 has positions"),
    ("task.pivots=0", "task.pivots must be a whole number >= 1"),
    ("task.band.tangent=up", "task.band.tangent=up is not known"),
    (
        "schedule.stages=[" + ",".join(["{steps: 2, step_size: 1}"] * 3) + "]",
        "two passes",
    ),
]


@pytest.mark.parametrize(("override", "words"), BAD, ids=lambda v: str(v)[:40])
def test_mistakes(path, photographs, override, words):
    given = override.replace("{p}", photographs)
    with pytest.raises(UserError, match=words) as error:
        path(given, starts=0 if "starts" in given else 2)
    assert "\n" not in str(error.value)


def test_the_spring_is_held_against_steps_per_pixel(path):
    """0.001 by steps of 0.255 * 24 * 24 is a path closed by 0.15 of a difference; by 100 times
    that it flies apart.
    """
    per_pixel = ["+schedule.per_pixel=true", "task.passes=0", "task.pivots=1", "task.insert=0"]
    path("task.band.spring=0.001", *per_pixel)
    with pytest.raises(UserError, match=r"spring=0.1 is too stiff for steps of 146\.88"):
        path("task.band.spring=0.1", *per_pixel, folder="stiff")


def test_the_steps_of_all_links_are_counted(tiny, job_of, photographs):
    """Two channels, three start images: four links of 10 + 2 steps."""
    names = ",".join(f"{photographs}/p{i}.png" for i in range(3))
    job = job_of(*tiny, *FAST, "channel=[0,2]", "schedule.steps=12", f"task.starts=[{names}]",
                 task="path")  # fmt: skip
    parts = build(job.cfg.task, job.cfg.trust).prepare(job)
    assert parts.steps == 48
    assert parts.words == "2 paths through 3 images, at most 48 steps"


def test_what_couples_images_does_not_go_with_the_band(path):
    with pytest.raises(UserError, match="diversity couples the images of a batch, as the band"):
        path("regularizer=[diversity]", "seeds=2")


def test_a_channel_that_never_activates(tiny, go, photographs):
    """The ReLU's first channel sees nothing in black pictures of this net's bias."""
    for name in ("a", "b"):
        Image.new("RGB", (24, 24), (128, 128, 128)).save(f"{photographs}/{name}.png")
    names = f"task.starts=[{photographs}/a.png,{photographs}/b.png]"
    with pytest.raises(UserError, match="channel0 of layer=1 never activates"):
        go("path", *tiny, "layer='1'", "channel=0", names)


def test_logarithms_of_probabilities_are_activations_too(path):
    """They are never above 0, where other activations begin."""
    score = ["task.score=log_probability", "net.target=tiny_nets:Colours", "layer=logits"]
    score += ["task.passes=0", "task.pivots=2"]
    _, rows, tensors = path(*score, "precision=fp64")
    means = shown(tensors["x"]).mean((2, 3))  # the logits of that net
    expected = means.log_softmax(1)[:, 2]
    torch.testing.assert_close(tensors["activation"].double(), expected, atol=1e-6, rtol=0)
    assert rows[0]["lowest"] < 0
    with pytest.raises(UserError, match="activation, which is below 0"):
        path(*score, "task.relative=[tv]", folder="relative")


def test_the_activation_at_one_place(path):
    _, _, tensors = path("task.where=[1,4]", "task.passes=0", "task.pivots=2", "precision=fp64")
    with torch.no_grad():
        for name, x in (("", shown(tensors["x"])), ("_unclipped", tensors["x"] / 255 - 128 / 255)):
            expected = the_net().double()(x.double())[:, 2, 1, 4]
            found = tensors[f"activation{name}"].double()
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_a_path_says_how_active_its_frames_are(path):
    """A band raised far outside 0..255 loses most of its activation in a film, which is said."""
    large = ["task.passes=1", "task.pivots=3", "task.insert=0", "task.band.stop=false"]
    large += ["regularizer=[]", "schedule.steps=20", "schedule.step_size=1e5"]
    out, (row,), tensors = path(*large, "precision=fp64")
    with torch.no_grad():
        features = the_net().double()(shown(tensors["x"])).mean((2, 3))[:, 2]
    torch.testing.assert_close(tensors["activation"].double(), features, atol=1e-6, rtol=0)
    assert row["lowest"] == pytest.approx(float(features.min()), abs=1e-6)
    assert row["lowest_unclipped"] == pytest.approx(float(tensors["activation_unclipped"].min()))
    assert tensors["activation_unclipped"].max() > 2 * tensors["activation"].max()
    about = read_json(out / "run.json")
    assert about["main"]["value"] == row["lowest"]
    assert "frame 2 most: activation" in about["warnings"][0]
    assert "channel2" not in about["warnings"][0]  # there is no other path


def test_the_last_line_names_the_picture_to_look_at(path, caplog):
    """Without a video the strip; of several paths the page."""
    caplog.set_level(logging.INFO, "visprior")
    still = ["task.passes=0", "task.pivots=1", "task.insert=0"]
    path(*still)
    assert caplog.messages[-1].endswith("run/strip.png")
    path(*still, "channel=[2,1]", folder="two")
    assert caplog.messages[-1].endswith("two/index.html")


def test_a_path_that_ended_just_before_it_was_finished(path, tmp_path):
    """Its passes' pivots are gone by then; going on finds them again."""
    short = ["schedule.steps=3", "task.pivots=2", "task.insert=1", "task.band.stop=false"]
    out, _, tensors = path(*short)
    run = read_json(out / "run.json")
    (out / "run.json").write_text(json.dumps(run | {"status": "running"}))
    assert not list(out.rglob("links/**/*.safetensors"))
    _, _, again = path(*short)
    assert torch.equal(again["x"], tensors["x"])


def test_a_path_is_no_start_image(path):
    out, _, _ = path("task.passes=0", "task.pivots=2")
    with pytest.raises(UserError, match="is a path, not pre-images"):
        path(f"task.starts=[{out},naive]", starts=0, folder="again")


def test_start_images_of_another_net(path, tmp_path):
    made = tmp_path / "made"
    made.mkdir()
    about = {"status": "finished", "parts": {"task": "maximization", "net": "vgg19"}}
    (made / "run.json").write_text(json.dumps(about))
    with pytest.raises(UserError, match="was made with net=vgg19, this run has net=python"):
        path(f"task.starts=[{made},naive]", starts=0)
    (made / "run.json").write_text(json.dumps(about | {"status": "running"}))
    with pytest.raises(UserError, match="is running, not finished"):
        path(f"task.starts=[{made},naive]", starts=0)


def test_nothing_is_lost_when_the_video_cannot_be_written(path, monkeypatch, tmp_path):
    """The pivots are there before; going on makes the video and computes nothing again."""
    short = ["task.video=true", "schedule.steps=3", "task.pivots=2", "task.insert=1"]
    short += ["task.starts=[naive,tv]", "task.start_steps=3"]
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/ffmpeg")
    with pytest.raises(UserError, match=r"path.mp4.*pivots.safetensors.*resume=.*run") as error:
        path(*short, starts=0)
    assert "\n" not in str(error.value)
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE")
    out = tmp_path / "run"
    before = load_file(out / "pivots.safetensors")["x"]
    assert read_json(out / "run.json")["status"] == "failed"
    parts = sorted(out.rglob("pass*/run.json")) + sorted(out.rglob("starts/*/run.json"))
    stamps = [p.stat().st_mtime_ns for p in parts]
    _, rows, tensors = path(*short, starts=0)
    assert (out / "path.mp4").is_file() and read_json(out / "run.json")["status"] == "finished"
    assert torch.equal(tensors["x"], before) and stamps == [p.stat().st_mtime_ns for p in parts]
    assert rows[0]["pairs"][0]["steps"]
    assert not list(out.rglob("links/**/*.safetensors"))
