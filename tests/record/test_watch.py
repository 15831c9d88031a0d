"""The steps whose pictures are kept."""

import pytest

from visprior.errors import UserError
from visprior.record.watch import snapshot_steps


def test_steps_that_a_run_has_are_taken_as_they_are():
    assert snapshot_steps([10, 50], 60, 350) == [10, 50]
    assert snapshot_steps([50, 512], 1024, 512) == [50, 512]  # a lengthened one
    assert snapshot_steps([], 60, 350) == []


def test_they_move_with_a_shortened_schedule_and_that_is_said(caplog):
    with caplog.at_level("INFO"):
        assert snapshot_steps([1, 50, 512], 150, 512) == [1, 15, 150]
    assert caplog.messages == [
        "record.snapshots: [1, 50, 512] of 512 steps are [1, 15, 150] of 150"
    ]


@pytest.mark.parametrize("step", [0, 351])
def test_a_step_that_the_whole_schedule_does_not_have_is_refused(step):
    with pytest.raises(UserError, match=f"{step} is not among the 350 steps"):
        snapshot_steps([10, step], 60, 350)


def test_the_pictures_of_a_shortened_run(compose_job, tmp_path):
    from visprior.job.run import run

    given = ["record.snapshots=[1,50,350]", "schedule.steps=14", "size=32", "layer=relu1_1"]
    run(compose_job(*given), tmp_path, {"task": "inversion", "net": "shapes_vgg_robust"})
    names = [path.name for path in sorted((tmp_path / "snapshots").glob("*.png"))]
    assert names == ["step00001.png", "step00002.png", "step00014.png"]
