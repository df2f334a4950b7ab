"""Exits worth training: candidates, of which `decide.placement` keeps those that pay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import torch
from torch import nn

from offramp.capture import Capture, CutPoint, Example, Logits, capture
from offramp.errors import CaptureError, OptionError
from offramp.graph import Tensor
from offramp.measure.torch import count
from offramp.nn.heads import HeadRecipe, build_head

from ._exits import choose_cuts
from ._placement import RULES

CUTS = 8
HEAVIEST = 0.25  # of the work behind an exit: its head may cost so much of what it can save
SMALLEST = 16  # pixels on a side that a student can read
STUDENTS = ("student:width=16", "student:width=32")
HEADS = {3: ("light", "light:width=24,blocks=2", "pool")}  # by rank of the features, the strongest first
OTHER_HEADS = ("auto", "pool")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An exit that may be worth its cost.

    Attributes:
        cut: Name of its cut point.
        head: Recipe of its head as a text, such as "light:width=24,blocks=2".
        head_macs: Multiply-accumulates per sample that the head costs.
        saved_macs: Multiply-accumulates that a sample saves which answers there, the head's not subtracted.
    """

    cut: str
    head: str
    head_macs: int
    saved_macs: int


def find_candidates(
    model: nn.Module,
    example: Example,
    *,
    placement: str = "linear",
    head: str = "auto",
    most: int = CUTS,
    logits: Logits = None,
) -> tuple[Candidate, ...]:
    """Exits that may pay: students at the input of pictures, and heads at cut points spread over the work.

    A head that costs more than a quarter of what it can save is replaced by a lighter one, or left out.

    Args:
        model: Any classifier; it stays as it is.
        example: One or more samples as the model takes them: a tensor, a tuple or a dictionary of tensors, batch first.
        placement: Rule that spreads the cut points over the work: "linear", "fine", "pareto" or "golden".
        head: "auto", or one kind of head for all cut points; then there are no students.
        most: Largest number of cut points, at least 1.
        logits: Name or position of the model's output that holds the logits, if there are several.

    Returns:
        Candidates in the order of the network, students first.

    Raises:
        CaptureError: The model cannot be captured, or no exit can pay.
        OptionError: There is no such rule, head or output.

    Example:
        >>> layers = [nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU()]
        >>> net = nn.Sequential(*layers, nn.Linear(64, 3))
        >>> [(found.cut, found.head, found.head_macs) for found in find_candidates(net, torch.zeros(2, 8))]
        [('3', 'auto', 192)]
    """
    if placement not in RULES:
        raise OptionError(f"a placement of candidates must be {', '.join(RULES)}, but is {placement!r}. Choose one.")
    captured = capture(model, example, logits=logits)
    found = [*(_students(captured) if head == "auto" else ())]
    for cut in _spread(captured, placement, most):
        heads = HEADS.get(len(cut.carried[0].shape), OTHER_HEADS) if head == "auto" else (head,)
        found += _lightest_enough(captured, cut, heads)
    if not found:
        raise CaptureError(
            "no exit can pay: each head costs more than a quarter of what it could save. "
            "Name exits and heads yourself by placement and head."
        )
    return tuple(found)


def _students(captured: Capture) -> Iterator[Candidate]:
    """Small networks that read the picture itself."""
    picture = captured.entry.carried[0]
    if len(picture.shape) == 3 and "float" in picture.dtype and min(picture.shape[1:]) >= SMALLEST:
        for head in STUDENTS:
            yield from _lightest_enough(captured, captured.entry, [head])


def _spread(captured: Capture, rule: str, most: int) -> tuple[CutPoint, ...]:
    """As many cut points as fit, up to `most`."""
    for exits in range(most, 1, -1):
        with suppress(CaptureError):
            return choose_cuts(captured, rule, count=exits)
    return choose_cuts(captured, rule, count=1)


def _lightest_enough(captured: Capture, cut: CutPoint, heads: Sequence[str]) -> Iterator[Candidate]:
    """The first of these heads that does not cost too much there."""
    saved = captured.macs - cut.macs
    for head in heads:
        macs = _count_head(head, cut.carried[0], captured.logits.shape[-1])
        if macs <= HEAVIEST * saved:
            yield Candidate(cut=cut.name, head=head, head_macs=macs, saved_macs=saved)
            return


def _count_head(head: str, features: Tensor, classes: int) -> int:
    with torch.random.fork_rng(devices=[]):
        body = build_head(HeadRecipe.parse(head), features.shape, classes)
    return count(body, torch.zeros(1, *features.shape))
