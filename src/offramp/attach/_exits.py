"""Exits attached to any classifier: head, score and gate at chosen cut points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from torch import nn

from offramp.capture import Answer, Capture, CutPoint, Example, Logits, capture
from offramp.errors import CaptureError, OptionError
from offramp.graph import Graph
from offramp.nn import Normalize
from offramp.nn.heads import HeadRecipe

from ._chain import Head, Reuse, Stage, build_chain
from ._placement import RULES, place
from ._vocabulary import find_vocabulary

Placement = str | int | Sequence[str | int]


def exits(  # noqa: PLR0913  # the one call that users write: each argument is a word of theirs
    model: nn.Module,
    example: Example,
    *,
    count: int = 4,
    placement: Placement = "linear",
    head: Head | Sequence[Head] = "light",
    scores: Sequence[str] = ("max_probability",),
    normalize: Normalize | None = None,
    reuse_logits: bool = False,
    ensemble_heads: bool = False,
    logits: Logits = None,
) -> Graph:
    """A graph that answers like the model, with untrained exits on the way.

    Args:
        model: Any classifier; it stays as it is.
        example: One or more samples as the model takes them: a tensor, a tuple or a dictionary of tensors, batch first.
        count: Number of exits, if `placement` is a rule; 0 gives the network alone.
        placement: "linear", "fine", "pareto" or "golden" (by multiply-accumulates), or the cut points themselves, by
            name or index; "input" is the place before the first layer. A place may be named twice if each exit gets
            its own head: then the second head there sees the samples that the first one keeps.
        head: Kind of head, such as "light", "pool" or "light:width=16,blocks=1", or a module from what is carried
            there to logits; or one of these for each exit, in order.
        scores: Names of the scores that every exit computes; the first one gates, the others are for the evidence.
        normalize: Module that becomes the graph's first node, so that the graph takes plain pixels; None for none.
        reuse_logits: True lets each head read the logits of the heads before it; see `nn.heads.LogitReuseHead`.
        ensemble_heads: True lets each exit but the first answer with all heads so far; see `nn.heads.Ensemble`. The
            nodes that answer are then named "exit1/ensemble" and so on, and the scores read those.
        logits: Name or position of the model's output that holds the logits, if there are several.

    Returns:
        The graph, whose heads are trained by `learn.distill_heads`, `learn.cumulative` or `learn.joint`.

    Raises:
        CaptureError: The model cannot be captured, has no such cut point, or not as many as there are exits.
        OptionError: There is no such rule, head, score or output; not one head per exit.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> exits(net, torch.zeros(2, 8), count=1, placement="1").exits
        ('exit0/head', 'stage1')
    """
    captured = capture(model, example, logits=logits)
    cuts = choose_cuts(captured, placement, count=count, repeat=not isinstance(head, Head))
    heads = [
        with_vocabulary(each, cut, captured) for each, cut in zip(spread_heads(head, len(cuts)), cuts, strict=True)
    ]
    return build_chain(
        captured.inputs,
        list(stages_between(captured, cuts)),
        heads,
        scores=scores,
        normalize=normalize,
        reuse=Reuse(reuse_logits=reuse_logits, ensemble_heads=ensemble_heads),
    )


def spread_heads(head: Head | Sequence[Head], count: int) -> list[Head]:
    """The head of each exit, where one may be meant for all.

    Args:
        head: One head for all exits, or one per exit.
        count: Number of exits.

    Returns:
        One head per exit.

    Raises:
        OptionError: There are more or fewer heads than exits.
    """
    heads = [head] * count if isinstance(head, Head) else list(head)
    if len(heads) != count:
        raise OptionError(
            f"there must be one head, or one for each exit, but there are {len(heads)} heads for {count} exits. "
            "Give as many as there are cut points."
        )
    return heads


def with_vocabulary(head: Head, cut: CutPoint, captured: Capture) -> Head:
    """The head; one that reads token numbers gets the size of the vocabulary, unless its recipe has it.

    Args:
        head: A recipe, or a module, which stays as it is.
        cut: Where the exit is.
        captured: The network, in which the vocabulary is looked for.

    Returns:
        The head, as a recipe if it reads token numbers.
    """
    if isinstance(head, nn.Module) or "int" not in cut.carried[0].dtype:
        return head
    recipe = head if isinstance(head, HeadRecipe) else HeadRecipe.parse(head)
    vocabulary = find_vocabulary(captured)
    if vocabulary is None:
        return recipe
    return HeadRecipe(recipe.kind, **{"vocabulary": vocabulary, **dict(recipe.options)})


def stages_between(captured: Capture, cuts: Sequence[CutPoint]) -> Iterator[Stage | None]:
    """The stage before each exit and the final one; None where there is nothing to do since the exit before.

    Args:
        captured: The network.
        cuts: Cut points in order; one may occur twice.

    Yields:
        One more than there are cut points.
    """
    names = [cut.name for cut in cuts]
    places = list(dict.fromkeys(cuts))
    bodies = dict(zip([*places, None], captured.split(places), strict=True))
    before: CutPoint | None = captured.entry
    for at, cut in enumerate([*cuts, None]):
        if cut == before:
            yield None
        else:
            outputs = (captured.logits,) if cut is None else cut.carried
            recipe = {"stage": at, "cuts": names, **(_answer_recipe(captured.answer) if cut is None else {})}
            yield Stage(body=bodies[cut], outputs=outputs, recipe=recipe, eval_only=captured.eval_only)
        before = cut


def _answer_recipe(answer: Answer) -> dict[str, Any]:  # Any: JSON
    """What finds the same logits again, if anything must be named."""
    named = {} if answer.where is None else {"logits": answer.where}
    return {**named, **({"probabilities": True} if answer.probabilities else {})}


def choose_cuts(captured: Capture, placement: Placement, *, count: int, repeat: bool = False) -> tuple[CutPoint, ...]:
    """The cut points that a placement means, in order.

    Args:
        captured: The captured network.
        placement: A rule, or one or several names or indices of cut points.
        count: Number of exits, if `placement` is a rule.
        repeat: True lets one place have several exits.

    Returns:
        Cut points in the order of the network.

    Raises:
        CaptureError: There is no such cut point, the same one twice without `repeat`, or fewer than `count` fit.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> [cut.name for cut in choose_cuts(capture(net, torch.zeros(2, 8)), "linear", count=1)]
        ['3']
    """
    rule = next((rule for rule in RULES if rule == placement), None)
    if rule is not None:
        chosen = place([cut.macs for cut in captured.cuts], captured.macs, count, rule)
        return tuple(captured.cuts[at] for at in chosen)
    wanted = [placement] if isinstance(placement, (str, int)) else list(placement)
    found = sorted((_find_cut(captured, which) for which in wanted), key=lambda cut: cut.index)
    if not repeat and len({cut.index for cut in found}) < len(found):
        raise CaptureError(
            f"exits with the same head need a cut point each, but {wanted} names one twice. Leave it out once, or give "
            "each exit its head."
        )
    return tuple(found)


def _find_cut(captured: Capture, which: str | int) -> CutPoint:
    if isinstance(which, int):
        if -len(captured.cuts) <= which < len(captured.cuts):
            return captured.cuts[which]
        raise CaptureError(f"a cut point's index must be below {len(captured.cuts)}, but is {which}. See the table.")
    exact = [cut for cut in (*captured.cuts, captured.entry) if cut.name == which]
    found = exact or [cut for cut in captured.cuts if which in cut.aliases]
    if found:
        return found[0]
    near = get_close_matches(which, [cut.name for cut in captured.cuts], n=3, cutoff=0.0)
    raise CaptureError(
        f"no cut point is named {which!r}; the nearest are {', '.join(near)}. Choose one of them, or a rule "
        f"({', '.join(RULES)})."
    )
