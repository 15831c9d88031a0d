"""Which keys were swept, and where they go."""

import itertools

from visprior.report.jobs import read_jobs
from visprior.report.layout import axis_labels, find_sweep, lay_out, short_names


def sweep_of(tmp_path, make_job, rows, columns, keys=("layer", "regularizer.tv.weight")):
    for n, pair in enumerate(itertools.product(rows, columns)):
        values = [f"{key}={value}" for key, value in zip(keys, pair, strict=True)]
        make_job(n, ["schedule.steps=5", *values])
    return find_sweep(read_jobs(tmp_path))


def test_only_keys_that_differ_were_swept(tmp_path, make_job):
    sweep = sweep_of(tmp_path, make_job, ["relu2_2", "relu3_1"], ["10", "0.1", "1"])
    assert sweep.keys == ["layer", "regularizer.tv.weight"]
    layout = lay_out(sweep, None, None)
    assert layout.row_keys == ["layer"]
    assert layout.rows == [("relu2_2",), ("relu3_1",)]
    assert layout.columns == [("10",), ("0.1",), ("1",)]  # as typed
    assert layout.cells[("relu3_1",), ("0.1",)] == [4]
    assert not layout.sparse


def test_axes_can_be_chosen(tmp_path, make_job, caplog):
    sweep = sweep_of(tmp_path, make_job, ["a", "b"], ["1", "2"])
    assert lay_out(sweep, ["regularizer.tv.weight"], None).column_keys == ["layer"]
    assert lay_out(sweep, None, ["layer"]).row_keys == ["regularizer.tv.weight"]
    both = lay_out(sweep, ["layer", "regularizer.tv.weight"], [])
    assert (len(both.rows), both.columns) == (4, [()])
    alone = lay_out(sweep, [], ["layer"])
    assert alone.cells[(), ("a",)] == [0, 1]
    assert lay_out(sweep, ["layers"], None).row_keys == []
    assert "report.rows: 'layers' was not swept; did you mean 'layer'?" in caplog.text


def test_a_setting_that_only_some_jobs_were_given_is_looked_up(tmp_path, make_job):
    make_job(0, ["seed=0"], config={"regularizer": {"tv": {"weight": 2.5}}})
    make_job(1, ["seed=0", "regularizer.tv.weight=7"])
    other = make_job(2, ["seed=0", "net=alexnet"])
    (tmp_path / other.name / ".hydra" / "hydra.yaml").write_text(
        "hydra: {runtime: {choices: {net: vgg19}}}"
    )
    sweep = find_sweep(read_jobs(tmp_path))
    assert sweep.keys == ["regularizer.tv.weight", "net"]
    assert [v["regularizer.tv.weight"] for v in sweep.values] == ["2.5", "7", ""]
    assert [v["net"] for v in sweep.values] == ["", "", "alexnet"]


def test_a_random_search_is_sparse(tmp_path, make_job):
    for n in range(5):
        make_job(n, [f"task.C={n * 1.7}", f"optimizer.lr={n * 0.3}"])
    assert lay_out(find_sweep(read_jobs(tmp_path)), None, None).sparse


def test_names_and_labels():
    names = short_names(["layer", "regularizer.tv.weight", "task.C", "a.x.n", "b.x.n"])
    assert list(names.values()) == ["layer", "tv.weight", "C", "a.x.n", "b.x.n"]
    assert axis_labels(["layer"], [("relu2_2",), ("",)], names) == ["relu2_2", "-"]
    assert axis_labels(["layer", "task.C"], [("a", "1")], names) == ["a, C=1"]
    assert axis_labels(["task.C"], [("1",), ("[]",)], names) == ["1", "none"]
    assert axis_labels(["x", "y"], [("[tv,jitter]", "False")], {"x": "x", "y": "y"}) == [
        "tv + jitter, no y"
    ]


def test_pictures_are_called_by_what_was_used(tmp_path, make_job):
    used = {"fox": "chelsea", "astronaut": "astronaut", "/a/b.c/frog.jpg": "frog"}
    for n, (asked, name) in enumerate(used.items()):
        make_job(n, [f"image={asked}"], labels=[name])
    make_job(3, ["image=fox"], status="failed")  # failed before it had a picture
    values = [v["image"] for v in find_sweep(read_jobs(tmp_path)).values]
    assert values == [fox := "fox (chelsea stands in)", "astronaut", "frog", fox]
