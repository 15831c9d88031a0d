"""Checks of a user's numbers, and the lines that they answer with."""

import pytest

from visprior.errors import UserError, number, whole_number


@pytest.mark.parametrize("value", [1, 5, 9])
def test_a_whole_number_in_range_is_returned(value: int) -> None:
    assert whole_number("task.k", value, least=1, most=9) == value


@pytest.mark.parametrize(
    ("value", "limits", "line"),
    [
        (0, {"least": 1}, "task.k must be a whole number >= 1, got 0"),
        (-1, {}, "task.k must be a whole number >= 0, got -1"),
        (True, {}, "task.k must be a whole number >= 0, got True"),
        (2.0, {}, "task.k must be a whole number >= 0, got 2.0"),
        ("3", {}, "task.k must be a whole number >= 0, got 3"),
        (None, {}, "task.k must be a whole number >= 0, got None"),
        (10, {"most": 9}, "task.k must be a whole number from 0 to 9, got 10"),
        ("x", {"other": "auto"}, "task.k must be auto or a whole number >= 0, got x"),
        (4, {"least": 3, "odd": True}, "task.k must be an odd whole number >= 3, got 4"),
    ],
)
def test_no_whole_number(value: object, limits: dict, line: str) -> None:
    with pytest.raises(UserError) as error:
        whole_number("task.k", value, **limits)
    assert str(error.value) == line


def test_a_number_in_range_is_a_float() -> None:
    found = number("tv.beta", 1, least=1)
    assert found == 1 and isinstance(found, float)


@pytest.mark.parametrize(
    ("value", "limits", "line"),
    [
        (0.5, {"least": 1}, "tv.beta must be >= 1, got 0.5"),
        (0, {"above": 0}, "tv.beta must be > 0, got 0"),
        (float("nan"), {}, "tv.beta must be a number, got nan"),
        (float("inf"), {}, "tv.beta must be a number, got inf"),
        (False, {}, "tv.beta must be a number, got False"),
        (-1, {"above": 0, "other": "null"}, "tv.beta must be null or > 0, got -1"),
        ("abc", {"least": 1}, "tv.beta must be a number, got abc"),
    ],
)
def test_no_number(value: object, limits: dict, line: str) -> None:
    with pytest.raises(UserError) as error:
        number("tv.beta", value, **limits)
    assert str(error.value) == line
