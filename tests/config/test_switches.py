"""What is true or false: wherever a constructor says bool, `no` and `off` are neither."""

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from visprior.config.build import build
from visprior.config.schema import config_dir
from visprior.errors import UserError


def targets(node: Any) -> set[str]:
    """Every _target_ in a YAML file."""
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    own = {node["_target_"]} if isinstance(node, dict) and "_target_" in node else set()
    return own.union(*map(targets, inside))


def switches() -> set[tuple[str, str]]:
    """(target, argument) of all that is a bool in the constructors that YAML files name."""
    files = Path(config_dir()).glob("*/*.yaml")
    contents = [OmegaConf.to_container(OmegaConf.load(file), resolve=False) for file in files]
    found = set()
    for target in sorted(set().union(*map(targets, contents))):
        module, _, name = target.rpartition(".")
        arguments = inspect.signature(getattr(import_module(module), name), eval_str=True)
        bools = [a.name for a in arguments.parameters.values() if a.annotation in (bool, MAYBE)]
        found |= {(target, name) for name in bools}
    return found


MAYBE = bool | None
SWITCHES = sorted(switches())


def test_they_are_found():
    names = {f"{target.rpartition('.')[2]}.{name}" for target, name in SWITCHES}
    assert names >= {
        "Schedule.per_pixel",
        "AlphaNorm.isotropic",
        "PreimagePath.video",
        "Hog.texture",
    }
    assert "Fourier.decorrelate" not in names  # which may be a name too


@pytest.mark.parametrize(("target", "name"), SWITCHES)
def test_a_text_or_a_number_is_refused(target, name):
    for value, meant in (
        ("no", "false"),
        ("Off", "false"),
        ("yes", "true"),
        ("on", "true"),
        (0, "false"),
    ):
        cfg = OmegaConf.create({"part": {"_target_": target, name: value}})
        line = rf"^part\.{name} must be true or false, got {value}; did you mean {meant}\?$"
        with pytest.raises(UserError, match=line):
            build(cfg.part)


def test_what_means_neither_is_refused_without_a_guess(compose_job):
    cfg = compose_job("schedule.per_pixel=perhaps")
    line = r"^schedule\.per_pixel must be true or false, got perhaps$"
    with pytest.raises(UserError, match=line):
        build(cfg.schedule)


def test_true_false_and_none_where_it_may_be_are_taken(compose_job):
    assert build(compose_job("schedule.per_pixel=true").schedule).per_pixel is True
    build(compose_job("net=hog", "net.texture=null").net)


def test_a_part_within_a_part_is_named(tmp_path):
    band = {"_target_": "visprior.regularizer.band.Band", "climb": "no"}
    cfg = OmegaConf.create({"part": {"_target_": "torch.nn.Identity", "inside": [band]}})
    with pytest.raises(UserError, match=r"^part\.inside\[0\]\.climb must be true or false, got no"):
        build(cfg.part)


OWN = """
from __future__ import annotations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nowhere import Thing


class Known:
    def __init__(self, loud: bool = False):
        self.loud = loud


class Unknown:
    def __init__(self, thing: Thing, loud: bool = False):
        self.loud = loud
"""


def test_a_part_of_the_user_too_as_far_as_its_types_are_known(tmp_path):
    file = tmp_path / "parts_with_switches.py"
    file.write_text(OWN)

    def made(name: str, **keys: object) -> Any:
        node = {"_target_": f"parts_with_switches.{name}", "loud": "no", **keys}
        return build(OmegaConf.create({"part": node}).part, [str(file)])

    with pytest.raises(UserError, match=r"^part\.loud must be true or false, got no"):
        made("Known")
    assert made("Unknown", thing=1).loud == "no"
