"""Classes by their names."""

from visprior.errors import UserError, did_you_mean


def find_class(name: str | int, known: list[str], count: int) -> int:
    """The index of a class, given as index or name.

    A name is compared without regard to case: with whole names, when none is the same with those
    between their commas ("tiger, Panthera tigris"), then with parts of them; only one class may fit
    ("dog" is not taken for "dogsled").

    Args:
        known: names of the classes; may be empty.
        count: how many classes there are.

    Raises:
        UserError: no such class, or several.
    """
    if isinstance(name, int) or name.lstrip("-").isdigit():
        if 0 <= int(name) < count:
            return int(name)
        raise UserError(f"class {name} is out of range; allowed: 0 to {count - 1}")
    wanted, names = name.casefold(), [label.casefold() for label in known]
    tests = (
        wanted.__eq__,
        lambda label: wanted in label.split(", "),
        lambda label: wanted in label,
    )
    for test in tests:
        found = [i for i, label in enumerate(names) if test(label)]
        if len(found) == 1:
            return found[0]
        if found:
            several = ", ".join(f"'{known[i]}' ({i})" for i in found[:6])
            raise UserError(f"class '{name}' fits several: {several}")
    reason = did_you_mean(name, known) if known else "; this network's classes have no names"
    raise UserError(f"no class '{name}'{reason}")
