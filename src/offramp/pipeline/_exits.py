"""Which exits a network gets: how many, where, with what heads, and what their gates compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from offramp.errors import OptionError

from ._ranges import find_outside, refuse

RULES = ("linear", "fine", "pareto", "golden")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exits:
    """The exits that a network gets.

    Attributes:
        count: How many, if `placement` is a rule; "auto" trains more than needed and keeps those with which a sample
            is expected to take least time.
        placement: A rule ("linear", "fine", "pareto" or "golden"), or cut points by name or index, in order; "input"
            is the first.
        head: The network that answers at an exit, once for all, or one for each: "auto", "light", "pool", "conv0" to
            "conv3", "student", "token" or "layers", with options behind a colon, such as "light:width=24,blocks=2".
            None takes what suits the training.
        scores: What gates may compare: a name, or several of which the first gates ("entropy,margin"); "auto" takes
            the best of all, "auto:entropy,margin" the best of some. None takes what suits the training.
        reuse_logits: True lets heads read what the heads before them answer.
        ensemble_heads: True lets an exit answer with all heads so far.

    Raises:
        OptionError: A value outside its range, or several heads for exits that are not named.

    Example:
        >>> Exits(count=2, placement="golden").scoring is None
        True
    """

    count: int | Literal["auto"] = "auto"
    placement: str | tuple[str | int, ...] = "linear"
    head: str | tuple[str, ...] | None = None
    scores: str | None = None
    reuse_logits: bool = False
    ensemble_heads: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be, before any work."""
        refuse(find_outside("exits", count=None if self.count == "auto" else self.count))
        if self.is_by_rule and self.count == "auto" and isinstance(self.head, tuple):
            raise OptionError(
                "several exits.head need as many exits, but exits.count is auto. Name the exits by exits.placement.",
                about=["exits.head", "exits.count", "exits.placement"],
            )
        _ = self.scoring

    @property
    def is_by_rule(self) -> bool:
        """Whether a rule places the exits, and not the user."""
        return isinstance(self.placement, str)

    @property
    def is_auto(self) -> bool:
        """Whether the exits are chosen among candidates."""
        return self.count == "auto"

    @property
    def scoring(self) -> Scoring | None:
        """What `scores` says; None if it says nothing."""
        return None if self.scores is None else read_scores(self.scores)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """What the gates may compare.

    Attributes:
        names: Of the scores to compute, the first gates; empty for all that there are.
        auto: Whether the best of them gates instead, judged by its frontier.
    """

    names: tuple[str, ...]
    auto: bool


def read_scores(text: str) -> Scoring:
    """Names of scores between commas, "auto", or "auto:" and names between commas.

    Raises:
        OptionError: A name is empty, stands twice, or is "auto" among others.

    Example:
        >>> read_scores("auto:entropy, margin")
        Scoring(names=('entropy', 'margin'), auto=True)
    """
    first, colon, rest = text.partition(":")
    auto = first.strip() == "auto"
    if auto and not colon:
        return Scoring(names=(), auto=True)
    names = tuple(map(str.strip, (rest if auto else text).split(",")))
    if "" in names or "auto" in names or len(set(names)) < len(names):
        raise OptionError(
            f"exits.scores must be names between commas, each once, auto, or auto: and names, but is {text!r}. "
            "Write max_probability,entropy or auto.",
            about=["exits.scores"],
        )
    return Scoring(names=names, auto=auto)
