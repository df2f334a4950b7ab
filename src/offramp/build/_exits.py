"""Exits attached to any classifier: head, score and gate at chosen cut points."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from torch import nn

from offramp.errors import CaptureError, OptionError
from offramp.graph import Body, DataEdge, Gate, Graph, Node, Tensor
from offramp.nn.heads import HeadRecipe, build_head
from offramp.nn.scores import build_score

from ._capture import Capture, capture
from ._cuts import CutPoint
from ._inputs import Example
from ._normalize import Normalize
from ._placement import RULES, place

Placement = str | int | Sequence[str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A node and its body, if it has one."""

    node: Node
    body: Body | None = None


def attach_exits(  # noqa: PLR0913  # the one call that users write: each argument is a word of theirs
    model: nn.Module,
    example: Example,
    *,
    exits: int = 4,
    placement: Placement = "linear",
    head: str | HeadRecipe = "light",
    scores: Sequence[str] = ("max_probability",),
    normalize: Normalize | None = None,
) -> Graph:
    """A graph that answers like the model, with untrained exits on the way.

    Args:
        model: Any classifier; it stays as it is.
        example: What it takes: a tensor, a tuple or a dictionary of tensors, batch first.
        exits: How many, if `placement` is a rule; 0 gives the network alone.
        placement: "linear", "fine", "pareto" or "golden" (by multiply-accumulates), or the cut points themselves, by
            name or index.
        head: Kind of head, such as "light", "pool" or "light:width=16,blocks=1".
        scores: The first one gates, the others are there for the evidence.
        normalize: Becomes the graph's first node, so that the graph takes plain pixels.

    Raises:
        CaptureError: The model cannot be captured, has no such cut point, or not as many as there are exits.
        OptionError: No such rule, head or score.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> attach_exits(net, torch.zeros(2, 8), exits=1, placement="1").exits
        ('exit0/head', 'stage1')
    """
    if not scores or len(set(scores)) < len(scores):
        raise OptionError(f"scores must be at least one name, each once, but are {list(scores)}. The first one gates.")
    recipe = head if isinstance(head, HeadRecipe) else HeadRecipe.parse(head)
    captured = capture(model, example)
    cuts = choose_cuts(captured, placement, exits=exits)
    pieces = [*_inputs(captured, normalize), *_stages_and_exits(captured, cuts, recipe, scores, normalize)]
    final = f"stage{len(cuts)}"
    if cuts:
        pieces.append(Piece(node=_select(captured.logits, len(cuts), final)))
    return Graph(
        nodes=tuple(piece.node for piece in pieces),
        answer=pieces[-1].node.name,
        bodies={piece.node.name: piece.body for piece in pieces if piece.body is not None},
    )


def choose_cuts(captured: Capture, placement: Placement, *, exits: int) -> tuple[CutPoint, ...]:
    """The cut points that a placement means, in order.

    Args:
        captured: The network.
        placement: A rule, or one or several names or indices of cut points.
        exits: How many, if `placement` is a rule.

    Raises:
        CaptureError: No such cut point, the same one twice, or fewer than `exits` fit.
    """
    rule = next((rule for rule in RULES if rule == placement), None)
    if rule is not None:
        chosen = place([cut.macs for cut in captured.cuts], captured.macs, exits, rule)
        return tuple(captured.cuts[at] for at in chosen)
    wanted = [placement] if isinstance(placement, (str, int)) else list(placement)
    found = {cut.index: cut for cut in (_find_cut(captured, which) for which in wanted)}
    if len(found) < len(wanted):
        raise CaptureError(f"each exit needs a cut point of its own, but {wanted} names one twice. Leave it out once.")
    return tuple(found[index] for index in sorted(found))


def _find_cut(captured: Capture, which: str | int) -> CutPoint:
    if isinstance(which, int):
        if -len(captured.cuts) <= which < len(captured.cuts):
            return captured.cuts[which]
        raise CaptureError(f"a cut point's index must be below {len(captured.cuts)}, but is {which}. See the table.")
    exact = [cut for cut in captured.cuts if cut.name == which]
    found = exact or [cut for cut in captured.cuts if which in cut.aliases]
    if found:
        return found[0]
    near = get_close_matches(which, [cut.name for cut in captured.cuts], n=3, cutoff=0.0)
    raise CaptureError(
        f"no cut point is named {which!r}; the nearest are {', '.join(near)}. Choose one of them, or a rule "
        f"({', '.join(RULES)})."
    )


def _inputs(captured: Capture, normalize: Normalize | None) -> Iterator[Piece]:
    for name, tensor in captured.inputs.items():
        yield Piece(node=Node(name=_without_dots(name), kind="input", outputs=(tensor,)))
    if normalize is not None:
        first, tensor = next(iter(captured.inputs.items()))
        recipe = {"mean": normalize.mean.tolist(), "std": normalize.std.tolist()}
        node = _function("normalize", (DataEdge(source=_without_dots(first)),), (tensor,), "normalize", recipe)
        yield Piece(node=node, body=normalize)


def _stages_and_exits(
    captured: Capture, cuts: Sequence[CutPoint], head: HeadRecipe, scores: Sequence[str], normalize: Normalize | None
) -> Iterator[Piece]:
    names = [_without_dots(name) for name in captured.inputs]
    if normalize is not None:
        names[0] = "normalize"
    reads = tuple(DataEdge(source=name) for name in names)
    for at, body in enumerate(captured.split(cuts)):
        last = at == len(cuts)
        outputs = (captured.logits,) if last else cuts[at].carried
        recipe = {"stage": at, "cuts": [cut.name for cut in cuts]}
        node = _function(f"stage{at}", reads, outputs, "stage", recipe, eval_only=captured.eval_only)
        yield Piece(node=node, body=body)
        if not last:
            yield from _exit(at, outputs[0], captured.logits, head, scores)
        reads = tuple(DataEdge(source=f"stage{at}", output=which) for which in range(len(outputs)))


def _exit(at: int, features: Tensor, logits: Tensor, head: HeadRecipe, scores: Sequence[str]) -> Iterator[Piece]:
    """Head, scores, gate and the place where samples stop."""
    classes = logits.shape[-1]
    read = DataEdge(source=f"stage{at}")
    answer = Tensor(shape=logits.shape)
    yield Piece(
        node=_function(f"exit{at}/head", (read,), (answer,), "head", head.to_json()),
        body=build_head(head, features.shape, classes),
    )
    heads = (DataEdge(source=f"exit{at}/head"), *(DataEdge(source=f"exit{i}/head") for i in range(at)))
    bodies = [build_score(name, features.shape, classes) for name in scores]
    for which, (name, body) in enumerate(zip(scores, bodies, strict=True)):
        title = f"exit{at}/score" if which == 0 else f"exit{at}/score/{name}"
        yield Piece(node=_function(title, (read, *heads), (Tensor(shape=()),), "score", {"score": name}), body=body)
    yield Piece(node=_gate(at, bodies[0]))
    yield Piece(node=Node(name=f"exit{at}/stop", kind="dummy"))


def _gate(at: int, score: Any) -> Node:  # Any: a Score that is also a module
    return Node(
        name=f"exit{at}/gate",
        kind="control",
        inputs=(DataEdge(source=f"exit{at}/score"),),
        edges=(f"exit{at}/stop", f"stage{at + 1}"),
        gate=Gate(direction=score.direction, stop_all=score.stop_all, stop_none=score.stop_none),
    )


def _select(logits: Tensor, exits: int, final: str) -> Node:
    """The answer: the deepest one there is."""
    sources = (final, *(f"exit{at}/head" for at in reversed(range(exits))))
    inputs = tuple(DataEdge(source=source) for source in sources)
    return Node(name="answer", kind="select", inputs=inputs, outputs=(Tensor(shape=logits.shape),))


def _function(
    name: str,
    inputs: tuple[DataEdge, ...],
    outputs: tuple[Tensor, ...],
    role: str,
    recipe: dict[str, Any],
    *,
    eval_only: bool = False,
) -> Node:
    return Node(
        name=name, kind="function", inputs=inputs, outputs=outputs, role=role, recipe=recipe, eval_only=eval_only
    )


def _without_dots(name: str) -> str:
    return name.replace(".", "_")
