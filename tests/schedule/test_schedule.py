import pytest

from visprior.errors import UserError
from visprior.schedule.schedule import Schedule

STAGES = [{"steps": 300, "step_size": 1.0}, {"steps": 50, "step_size": 0.1}]


@pytest.mark.parametrize(
    ("total", "counts"), [(None, [300, 50]), (35, [30, 5]), (100, [86, 14]), (7, [6, 1]), (1, [1])]
)
def test_steps_shorten_all_stages_in_proportion(total, counts):
    stages = Schedule(STAGES, steps=total).stages("inversion")
    assert [s.steps for s in stages] == counts
    assert [s.index for s in stages] == list(range(len(counts)))


def test_scales_multiply_or_not():
    specs = [{"steps": 1, "step_size": 1, "scale": s} for s in (1.0, 1.1, 1.2)]
    assert [s.scale for s in Schedule(specs).stages("x")] == pytest.approx([1.0, 1.1, 1.32])
    assert [s.scale for s in Schedule(specs, cumulative=False).stages("x")] == [1.0, 1.1, 1.2]


def test_stages_for_some_tasks():
    specs = [STAGES[0], STAGES[1] | {"tasks": ["inversion"]}]
    assert len(Schedule(specs).stages("inversion")) == 2
    assert len(Schedule(specs).stages("caricature")) == 1


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([], "empty"),
        ([{"steps": 0, "step_size": 1}], "steps"),
        ([{"steps": 1}], "step_size"),
        ([{"steps": 1, "step_size": 1, "scale": 0.5}], "scale"),
        ([{"steps": 1, "stepsize": 1}], "did you mean 'step_size'"),
        ([{"steps": 1, "step_size": 1, "precision": "fp8"}], "precision"),
    ],
)
def test_refuses(stages, message):
    with pytest.raises(UserError, match=message):
        Schedule(stages)


def test_step_size_is_that_of_the_first_stage():
    stages = Schedule(STAGES, step_size=4.0).stages("inversion")
    assert [s.step_size.start for s in stages] == pytest.approx([4.0, 0.4])


@pytest.mark.parametrize("step_size", [0, -1, "big"])
def test_step_size_must_be_positive(step_size):
    with pytest.raises(UserError, match=r"schedule\.step_size must be a number > 0"):
        Schedule(STAGES, step_size=step_size)


def test_step_size_does_not_fit_ramps():
    ramp = {"steps": 5, "step_size": {"from": 1, "to": 2}}
    with pytest.raises(UserError, match="plain step sizes"):
        Schedule([ramp], step_size=1.0)
