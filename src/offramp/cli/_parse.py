"""What users type, as the library takes it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

from offramp.errors import OptionError
from offramp.pipeline import Search
from offramp.pipeline._exits import RULES
from offramp.pipeline._ranges import LARGEST
from offramp.pipeline._search import SearchName

if TYPE_CHECKING:
    from offramp.decide import Target


def read_target(  # noqa: PLR0913  (options of the command line)
    *,
    max_loss: float | None,
    confidence: float | None,
    kind: str | None,
    budget: float | None,
    knee: bool,
    margin: float | None = None,
    usual: Target | None = None,
) -> Target:
    """The target that the options name.

    What `usual` says is meant if no option is given; if it is a promise, also by those parts of one that are not given.

    Raises:
        OptionError: Two targets at once, or a value outside its range.
    """
    from offramp.decide import Target

    usual = usual or Target()
    promise = {"max_loss": max_loss, "confidence": confidence, "kind": kind, "margin": margin}
    given = {name: value for name, value in promise.items() if value is not None}
    other = [*(["--budget"] if budget is not None else []), *(["--knee"] if knee else [])]
    named = [*(f"--{name.replace('_', '-')}" for name in [*given][:1]), *other]
    if len(named) > 1:
        raise OptionError(f"{' and '.join(named)} exclude each other: choose by loss, by budget, or the knee.")
    if not named:
        return usual
    if other:
        return Target(budget=budget, knee=knee)
    like = usual if usual.mode == "promise" else Target()
    parts = {name: given.get(name, getattr(like, name)) for name in promise}
    return Target(**parts)


def read_count(text: str) -> int | Literal["auto"]:
    """A number of exits, or "auto"; OptionError for all else."""
    if text == "auto":
        return "auto"
    try:
        return int(text)
    except ValueError as error:
        raise OptionError(f"--exits must be a number or auto, but is {text!r}. Write 4 or auto.") from error


def read_search(search: str, grid: str | None) -> Search:
    """The search that the options name; numbers of the grid that end in % are shares.

    Raises:
        OptionError: No such search, a grid that is none, or one without screening.

    Example:
        >>> read_search("screening", "80%, 90%").shares
        (0.8, 0.9)
    """
    if grid is None or search not in get_args(SearchName):  # which the search itself refuses
        return Search(name=search)  # type: ignore[arg-type]  # checked there
    if search != "screening":
        raise OptionError("--grid needs --search screening, but the search is frontier. Give both, or no grid.")
    parts = [part.strip() for part in grid.split(",")]
    percent = [part.endswith("%") for part in parts]
    if any(percent) and not all(percent):
        raise OptionError(f"--grid must be thresholds or percentages, but {grid!r} mixes them. Choose one kind.")
    numbers = read_numbers(grid.replace("%", ""), "--grid", "0.01,0.1,0.5")
    assert numbers is not None
    if all(percent):
        if any(not 0 <= number <= 100 for number in numbers):
            raise OptionError(f"--grid must be percentages from 0 to 100, but is {grid!r}. Write 80%,90%.")
        return Search(name="screening", shares=tuple(number / 100 for number in numbers))
    return Search(name="screening", grid=numbers)


def read_numbers(
    text: str | None, option: str, such_as: str = "0.5,0.5,0.5", *, least: float = -LARGEST
) -> tuple[float, ...] | None:
    """Numbers between commas, none below `least`; OptionError for all else, with an example of what to write.

    Example:
        >>> read_numbers("0.5,0.25", "--mean")
        (0.5, 0.25)
    """
    if text is None:
        return None
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise OptionError(f"{option} must be numbers between commas, but is {text!r}. Write {such_as}.") from error
    if not all(least <= number <= LARGEST for number in numbers):  # NaN lies nowhere
        raise OptionError(f"{option} must be numbers from {least:g} to {LARGEST:g}, but is {text!r}. Write {such_as}.")
    return numbers


def read_shape(text: str | None) -> tuple[int, ...] | None:
    """Whole positive numbers between commas; OptionError for all else."""
    sizes = read_numbers(text, "--shape", "3,224,224")
    if sizes is not None and (math.prod(sizes) > LARGEST or any(size < 1 or size != int(size) for size in sizes)):
        raise OptionError(f"--shape must be whole positive sizes, but is {text!r}. Write 3,224,224.")
    return None if sizes is None else tuple(int(size) for size in sizes)


def read_heads(given: Sequence[str] | None) -> str | tuple[str, ...] | None:
    """One head for all exits, or one for each.

    Example:
        >>> read_heads(["light"]), read_heads(["student", "light"]), read_heads(None)
        ('light', ('student', 'light'), None)
    """
    if not given:
        return None
    return given[0] if len(given) == 1 else tuple(given)


def read_placement(text: str) -> str | tuple[str | int, ...]:
    """A rule, or the names or indices of cut points between commas.

    Example:
        >>> read_placement("pool1, 4")
        ('pool1', 4)
    """
    if text in RULES:
        return text
    return tuple(map(_name_or_index, map(str.strip, text.split(","))))


def _name_or_index(text: str) -> str | int:
    """An index, if it is one that a network may have."""
    try:
        index = int(text)
    except ValueError:
        return text
    return index if abs(index) <= LARGEST else text
