"""Sweeps from the command line: reports, failures, going on with the same command."""

import csv

from .conftest import runs


def rows(folder):
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def the_sweep(outputs):
    (folder,) = outputs.glob("*/*_sweep")
    return folder


def test_a_sweep_and_its_report(quick, outputs):
    result = quick("-m", "layer=relu1_1,relu1_2", "regularizer.tv.weight=0.1,1")
    folder = the_sweep(outputs)
    assert result.code == 0
    assert result.err.splitlines()[0] == "[1/4] layer=relu1_1 regularizer.tv.weight=0.1"
    assert result.err.splitlines()[-1] == f"report: {folder / 'index.html'}"
    assert result.err.count("random weights") == 1
    assert "\t#" not in result.err  # Hydra's own lines
    names = [run.name for run in runs(outputs)]
    assert names[0].startswith("0_layer=relu1_1,metric.spectrum=False,metric.ssim=False,net=vgg19,")
    table = rows(folder)
    assert [(row["layer"], row["regularizer.tv.weight"]) for row in table] == [
        ("relu1_1", "0.1"), ("relu1_1", "1"), ("relu1_2", "0.1"), ("relu1_2", "1"),
    ]  # fmt: skip
    assert all(row["status"] == "finished" and float(row["error"]) > 0 for row in table)
    assert (folder / "sheet.png").is_file() and (folder / "index.html").is_file()


def test_a_job_that_fails_does_not_stop_the_others(quick, outputs):
    result = quick("-m", "layer=relu1_1,nope,relu1_2", "hydra.sweeper.max_batch_size=1")
    folder = the_sweep(outputs)
    assert result.code == 1
    assert "Traceback" not in result.err and "Error executing job" not in result.err
    last = result.err.splitlines()[-1]
    assert last.startswith("visprior: error: 1 of 3 jobs failed: layer=nope: failed: no layer")
    table = rows(folder)
    assert [row["status"] for row in table] == ["finished", "failed", "finished"]
    assert table[1]["reason"].startswith("no layer 'nope'")
    assert "no layer &#39;nope&#39;" in (folder / "index.html").read_text()


def test_a_mistake_in_one_value_stops_a_sweep_before_it_starts(quick, outputs):
    result = quick("-m", "net=vgg19,vgg91")
    assert result.code == 2
    assert result.error.startswith("no 'vgg91' in group 'net'")
    assert not list(outputs.rglob("run.json")) and not list(outputs.rglob("index.html"))


def test_values_that_are_no_folder_names(quick, outputs, picture):
    result = quick("-m", f"image=./{picture},'chelsea'", f"report.title='{'long ' * 60}'")
    assert result.code == 0
    first, second = runs(outputs)
    assert first.parent == second.parent == the_sweep(outputs)
    assert len(first.name) <= 110 and first.name.startswith("0_image=._picture.png")


def test_the_same_command_goes_on(quick, outputs):
    sweep = ["-m", "seed=0,1,2", f"hydra.sweep.dir={outputs / 'mine'}"]
    quick(*sweep)
    first, second, third = runs(outputs)
    before = {run: (run / "preimage.png").stat().st_mtime_ns for run in (first, second)}
    pixels = (third / "preimage.png").read_bytes()
    for name in ("run.json", "metrics.json", "preimage.png"):
        (third / name).unlink()
    result = quick(*sweep)
    assert result.code == 0
    assert result.err.count("already finished") == 2
    assert before == {run: (run / "preimage.png").stat().st_mtime_ns for run in before}
    assert (third / "preimage.png").read_bytes() == pixels
    assert [row["status"] for row in rows(outputs / "mine")] == ["finished"] * 3


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_takes_no_second_job(quick, outputs):
    folder = f"hydra.run.dir={outputs / 'mine'}"
    quick(folder)
    before = contents(outputs)
    result = quick(folder, "seed=1", "task.C=20")
    assert result.code == 2
    holds = f"'{outputs / 'mine'}' holds another job, of another seed, task; choose another folder"
    assert result.error == holds
    assert contents(outputs) == before
    assert "already finished" in quick(folder, "record.every=2").err


def test_a_folder_of_a_sweep_takes_no_second_job(quick, outputs):
    into = [f"hydra.sweep.dir={outputs / 'mine'}", "hydra.sweep.subdir=${hydra.job.num}"]
    quick("-m", "seed=0,1", *into)
    job = outputs / "mine" / "1"
    log = job / "visprior.log"
    before = {path: data for path, data in contents(job).items() if path != log}
    result = quick("-m", "seed=0,2", *into)
    assert result.code == 1
    assert f"visprior: error: '{job}' holds another job, of another seed;" in result.err
    assert before == {path: data for path, data in contents(job).items() if path != log}
    assert "already finished" in result.err  # the other job, which is the same


def test_a_run_and_a_sweep_do_not_share_a_folder(quick, outputs):
    run, sweep = outputs / "run", outputs / "sweep"
    quick(f"hydra.run.dir={run}")
    quick("-m", "seed=0", f"hydra.sweep.dir={sweep}")
    before = contents(outputs)
    into_sweep = quick(f"hydra.run.dir={sweep}")
    assert into_sweep.error == f"'{sweep}' holds a sweep; choose another hydra.run.dir"
    into_run = quick("-m", "seed=0", f"hydra.sweep.dir={run}")
    assert into_run.error == f"'{run}' holds a single run; choose another hydra.sweep.dir"
    assert contents(outputs) == before


def test_visprior_report_builds_it_again(quick, command, outputs):
    quick("-m", "seed=0,1")
    folder = the_sweep(outputs)
    (folder / "index.html").unlink()
    result = command(str(folder), entry="report")
    assert result.code == 0 and result.err == f"report: {folder / 'index.html'}\n"
    assert (folder / "index.html").is_file()
    (runs(outputs)[1] / "run.json").write_text('{"status": "running"}')
    again = command(str(folder), entry="report")
    assert again.code == 1 and again.error.startswith("1 of 2 jobs failed: ")
    missing = command("/nonexistent", entry="report")
    assert missing.code == 2 and missing.error == "there is no folder '/nonexistent'"
    assert command(entry="report").code == 2
    assert command("--help", entry="report").out.startswith("usage: visprior-report FOLDER")


def test_visprior_layers(command):
    result = command("alexnet", entry="layers")
    assert result.code == 0
    assert result.out.splitlines()[1].split()[:2] == ["conv1", "features.0"]
    typo = command("alxnet", entry="layers")
    assert typo.code == 2
    assert typo.error == "no 'alxnet' in group 'net'; did you mean 'alexnet'?"
    assert command("vgg19", "sizee=3", entry="layers").error.startswith("unknown key 'sizee'")
    assert command(entry="layers").code == 2
