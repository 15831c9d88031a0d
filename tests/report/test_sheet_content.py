"""Which picture goes where on the sheet."""

import itertools

from visprior.files.whole import read_json, write_json
from visprior.report.jobs import read_jobs
from visprior.report.layout import find_sweep, lay_out
from visprior.report.sheet_content import SheetContent, sheet_content


def content_of(
    folder, picture="preimage", original=False, rows=None, columns=None, glyph=False
) -> SheetContent:
    jobs = read_jobs(folder)
    sweep = find_sweep(jobs)
    return sheet_content(jobs, sweep, lay_out(sweep, rows, columns), picture, original, glyph)


def shown(content: SheetContent) -> list[list[list[str]]]:
    """Each cell's pictures as 'job number/file', or the reason."""
    return [
        [
            [f"{i.file.parent.name[0]}/{i.file.stem}" if i.file else i.reason for i in cell]
            for cell in row
        ]
        for row in content.cells
    ]


def test_a_grid_with_a_failed_job_and_several_images_a_cell(tmp_path, make_job):
    for n, (a, b) in enumerate(itertools.product("xy", "12")):
        status = "failed" if n == 3 else "finished"
        make_job(n, [f"layer={a}", f"task.C={b}"], status, "NaN", labels=["s0", "s1"])
    content = content_of(tmp_path)
    assert shown(content) == [
        [["0/preimage_s0", "0/preimage_s1"], ["1/preimage_s0", "1/preimage_s1"]],
        [["2/preimage_s0", "2/preimage_s1"], ["failed: NaN"]],
    ]
    assert (content.row_labels, content.column_labels) == (["x", "y"], ["1", "2"])
    assert content.corner == "C →\nlayer ↓"


def test_the_images_of_a_job_are_the_other_axis_of_a_single_swept_key(tmp_path, make_job):
    for n in range(3):
        status = "running" if n == 1 else "finished"
        make_job(n, [f"layer=l{n}"], status, labels=["cat", "rocket"])
    across = content_of(tmp_path)
    assert across.row_labels == ["cat", "rocket"]
    assert across.column_labels == ["l0", "l1", "l2"]
    reason = "unfinished: the job ended before it could say why"
    assert shown(across)[1] == [["0/preimage_rocket"], [reason], ["2/preimage_rocket"]]
    down = content_of(tmp_path, original=True, columns=[])
    assert down.row_labels == ["original", "l0", "l1", "l2"]
    assert shown(down)[0] == [["0/target_cat"], ["0/target_rocket"]]


def test_the_photograph_comes_first(tmp_path, make_job):
    for n, (a, b) in enumerate(itertools.product(["cat", "dog"], "12")):
        make_job(n, [f"image={a}", f"task.C={b}"], labels=[a])
    content = content_of(tmp_path, original=True)
    assert content.column_labels == ["original", "1", "2"]
    assert shown(content)[1] == [["2/target_dog"], ["2/preimage_dog"], ["3/preimage_dog"]]
    content = content_of(tmp_path, original=True, columns=["image"])
    assert content.row_labels == ["original", "1", "2"]
    assert shown(content)[0] == [["0/target_cat"], ["2/target_dog"]]


def test_glyphs_stand_after_the_photographs_of_many_images(tmp_path, make_job):
    labels = [f"p{i}" for i in range(13)]
    folders = [make_job(n, [f"net=n{n}"], labels=labels) for n in range(2)]
    metrics = read_json(folders[1] / "metrics.json")  # the first net draws nothing
    for image in metrics["images"][:12]:
        image["glyph"] = f"glyph_{image['label']}.png"
        (folders[1] / image["glyph"]).touch()
    write_json(folders[1] / "metrics.json", metrics)
    content = content_of(tmp_path, original=True, glyph=True)
    assert content.column_labels == ["original", "glyph", "n0", "n1"]
    assert content.row_labels == labels
    pictures = [["0/target_p3"], ["1/glyph_p3"], ["0/preimage_p3"], ["1/preimage_p3"]]
    assert shown(content)[3] == pictures
    assert shown(content)[12][1] == ["no glyph"]


def test_captions_stay_with_their_pictures_where_photographs_come_first(tmp_path, make_job):
    """In each cell other words, and a first column or row without any."""
    for n, (a, b) in enumerate(itertools.product(["cat", "dog"], "12")):
        folder = make_job(n, [f"image={a}", f"task.C={b}"], labels=["s0", "s1"])
        metrics = read_json(folder / "metrics.json")
        for image in metrics["images"]:
            image["differs"] = f"C={b}"
        write_json(folder / "metrics.json", metrics)
    words = [f"s0, C={b}; s1, C={b}" for b in "12"]
    assert content_of(tmp_path, original=True).captions == [[None, *words]] * 2
    across = content_of(tmp_path, original=True, columns=["image"])
    assert across.captions == [[None] * 2, [words[0]] * 2, [words[1]] * 2]
    assert [len(row) for row in across.cells] == [2, 2, 2]


def test_many_values_of_one_key_and_random_searches_become_a_list(tmp_path, make_job):
    for n in range(9):
        make_job(n, [f"task.C={n}.5", f"optimizer.lr={n}"])
    content = content_of(tmp_path)
    assert content.captions is not None
    assert content.captions[0][1] == "C=1.5, lr=1"
    assert [len(row) for row in content.cells] == [4, 4, 1]


def test_runs_that_share_all_settings_are_listed_by_name(tmp_path, make_job):
    make_job(0, ["seed=0"])
    make_job(1, ["seed=0"])
    content = content_of(tmp_path)
    assert content.captions == [["0_seed=0", "1_seed=0"]]


def test_other_pictures_of_a_job(tmp_path, make_job):
    folders = [make_job(n, [f"layer=l{n}"]) for n in range(2)]
    for folder in folders:
        (folder / "sheet.png").touch()
    assert shown(content_of(tmp_path, "sheet")) == [[["0/sheet"], ["1/sheet"]]]
    for without in ("comparison", "glyph"):
        assert shown(content_of(tmp_path, without))[0][0] == ["0/preimage_astronaut"]
    metrics = read_json(folders[0] / "metrics.json")
    metrics["images"][0]["glyph"] = "glyph_astronaut.png"
    write_json(folders[0] / "metrics.json", metrics)
    (folders[0] / "glyph_astronaut.png").touch()
    assert shown(content_of(tmp_path, "glyph"))[0][0] == ["0/glyph_astronaut"]
    (folders[1] / "preimage_astronaut.png").unlink()
    assert shown(content_of(tmp_path))[0][1] == ["no picture"]
