"""Tables of names, both ways."""

import pytest

from visprior.errors import UserError
from visprior.net.names import LayerNames

NODES = ["a.1.x", "a.2.x", "a.2.add", "a.3.x", "a.3.add", "head"]
TABLE = {"block_{k}_add": "a.{k+1}.add", "out": "head"}
NAMES = LayerNames(TABLE, {"deep": "block_2_add"}, "vgg19")


def test_a_pattern_works_both_ways() -> None:
    assert NAMES.node("block_1_add", NODES) == "a.2.add"
    assert NAMES.name("a.3.add") == "block_2_add"
    assert NAMES.name("a.1.add") == "a.1.add"  # block 0 does not exist
    assert NAMES.name("a.2.x") == "a.2.x"


def test_aliases_nodes_and_modules_are_names_too() -> None:
    assert NAMES.node("deep", NODES) == "a.3.add"
    assert NAMES.node("a.2.x", NODES) == "a.2.x"
    assert NAMES.node("a.2", NODES) == "a.2.add"
    assert NAMES.node("a", NODES) == "a.3.add"


def test_a_variable_has_one_value() -> None:
    names = LayerNames({"{k}of{k}": "n.{k}"}, None, "vgg19")
    assert names.node("2of2", ["n.2"]) == "n.2"
    with pytest.raises(UserError):
        names.node("1of2", ["n.1", "n.2"])


@pytest.mark.parametrize("wrong", ["block_9_add", "a.2.", "", "A.2.add", "nope"])
def test_an_unknown_name_is_one_line(wrong: str) -> None:
    with pytest.raises(UserError, match=r"^no layer '.*' in vgg19; ") as caught:
        NAMES.node(wrong, NODES)
    assert "\n" not in str(caught.value)


def test_a_misspelt_name_is_recognised() -> None:
    with pytest.raises(UserError, match="did you mean 'block_1_add'"):
        NAMES.node("blok_1_add", NODES)
