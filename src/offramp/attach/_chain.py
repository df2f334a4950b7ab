"""A chain of stages with an exit between each two of them, as a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import nn

from offramp.errors import OptionError
from offramp.graph import Body, DataEdge, Graph, Node, Tensor
from offramp.nn import Controller, Normalize
from offramp.nn.heads import ConfidentHead, Ensemble, HeadRecipe, LogitReuseHead, build_head
from offramp.nn.scores import MASKED_SCORES, HeadConfidence, build_score, gate_of

Head = str | HeadRecipe | nn.Module
Sees = Literal["features", "answer"]
MASK = "attention_mask"  # what networks for texts call it: 1 at tokens, 0 at padding


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A piece of the backbone.

    Attributes:
        body: Takes what the stage before it gives (the first takes the inputs).
        outputs: What it gives; a head behind it reads the first.
        recipe: How to make it again.
        eval_only: True if training mode changes nothing in it.
    """

    body: nn.Module
    outputs: tuple[Tensor, ...]
    recipe: Mapping[str, Any]
    eval_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """What exits take from the heads before them.

    Attributes:
        reuse_logits: Heads read the logits of those before them; see `nn.heads.LogitReuseHead`.
        ensemble_heads: From the second on, exits answer with all heads so far; see `nn.heads.Ensemble`.
    """

    reuse_logits: bool = False
    ensemble_heads: bool = False

    def answering(self, at: int) -> str:
        """Name of the node that answers at an exit."""
        return f"exit{at}/ensemble" if self.ensemble_heads and at else f"exit{at}/head"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A controller in the place of a threshold gate.

    Attributes:
        network: From what the exit reads to one learned value per edge: to answer here, and to go on.
        sees: "features" alone; then the head runs only where it answers. Or also the head's "answer".
    """

    network: Head
    sees: Sees


@dataclass(frozen=True, slots=True, kw_only=True)
class _Features:
    """What an exit reads.

    Attributes:
        edge: Where it comes from.
        tensor: What it looks like.
        mask: Where the mask of padded tokens comes from; None if there is none.
    """

    edge: DataEdge
    tensor: Tensor
    mask: DataEdge | None

    @property
    def is_numbers(self) -> bool:
        """True for token numbers, which mean nothing as amounts."""
        return "int" in self.tensor.dtype


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A node and its body, if it has one."""

    node: Node
    body: Body | None = None


def build_chain(  # noqa: PLR0913  # all of a chain
    inputs: Mapping[str, Tensor],
    stages: Sequence[Stage | None],
    heads: Sequence[Head],
    *,
    scores: Sequence[str] = ("max_probability",),
    normalize: Normalize | None = None,
    reuse: Reuse = Reuse(),
    choices: Sequence[Choice] = (),
) -> Graph:
    """The graph that runs one stage after the other and lets samples leave between them.

    Args:
        inputs: What samples consist of.
        stages: One more than heads; the last gives the logits. None puts an exit at the place of the one before it,
            and exit 0 at the input.
        heads: The network of each exit: a recipe, or a module that takes what the stage gives first.
        scores: Of every exit; the first one gates.
        normalize: Becomes the graph's first node.
        reuse: What exits take from the heads before them.
        choices: One per head: exits have controllers then, and neither scores nor thresholds.

    Raises:
        OptionError: Scores that are missing or doubled, a head that does not fit, or a score of the head's confidence
            where a head has none.
    """
    if not scores or len(set(scores)) < len(scores):
        raise OptionError(f"scores must be at least one name, each once, but are {list(scores)}. The first one gates.")
    last = stages[-1]
    assert last is not None
    assert len(stages) == len(heads) + 1
    decisions: Sequence[Sequence[str] | Choice] = choices or [scores] * len(heads)
    pieces = [*_inputs(inputs, normalize), *_links(inputs, stages, heads, decisions, normalize, reuse)]
    if heads:
        pieces.append(_Piece(node=_select(last.outputs[0], len(heads), reuse)))
    return Graph(
        nodes=tuple(piece.node for piece in pieces),
        answer=pieces[-1].node.name,
        bodies={piece.node.name: piece.body for piece in pieces if piece.body is not None},
    )


def _inputs(inputs: Mapping[str, Tensor], normalize: Normalize | None) -> Iterator[_Piece]:
    for name, tensor in inputs.items():
        yield _Piece(node=Node(name=_without_dots(name), kind="input", outputs=(tensor,)))
    if normalize is not None:
        first, tensor = next(iter(inputs.items()))
        recipe = {"mean": normalize.mean.tolist(), "std": normalize.std.tolist()}
        node = make_function("normalize", (DataEdge(source=_without_dots(first)),), (tensor,), "normalize", recipe)
        yield _Piece(node=node, body=normalize)


def _links(
    inputs: Mapping[str, Tensor],
    stages: Sequence[Stage | None],
    heads: Sequence[Head],
    decisions: Sequence[Sequence[str] | Choice],
    normalize: Normalize | None,
    reuse: Reuse,
) -> Iterator[_Piece]:
    """Each stage with the exit behind it."""
    names = [_without_dots(name) for name in inputs]
    if normalize is not None:
        names[0] = "normalize"
    reads = tuple(DataEdge(source=name) for name in names)
    carried = tuple(inputs.values())
    last = stages[-1]
    assert last is not None
    for at, stage in enumerate(stages):
        if stage is not None:
            node = make_function(f"stage{at}", reads, stage.outputs, "stage", stage.recipe, eval_only=stage.eval_only)
            yield _Piece(node=node, body=stage.body)
            reads = tuple(DataEdge(source=f"stage{at}", output=which) for which in range(len(stage.outputs)))
            carried = stage.outputs
        if at < len(heads):
            onward = f"exit{at + 1}/head" if stages[at + 1] is None else f"stage{at + 1}"
            features = _Features(edge=reads[0], tensor=carried[0], mask=_mask(inputs, carried[0]))
            answering = list(_answering(at, features, last.outputs[0], heads[at], reuse))
            decision = decisions[at]
            if isinstance(decision, Choice):
                yield from _chosen(at, features, answering, decision, onward)
            else:
                yield from _gated(at, features, answering, decision, onward, reuse)


def _mask(inputs: Mapping[str, Tensor], features: Tensor) -> DataEdge | None:
    """Where the mask of these tokens is, if they are as many as it speaks of."""
    known = inputs.get(MASK)
    tokens = len(features.shape) == 2 or "int" in features.dtype
    fits = known is not None and tokens and known.shape == features.shape[:1]
    return DataEdge(source=MASK) if fits else None


def _chosen(at: int, features: _Features, answering: Sequence[_Piece], choice: Choice, onward: str) -> Iterator[_Piece]:
    """Head and controller, in the order in which they run; `onward` is the node that the others come to next."""
    recipe, body = _head(choice.network, features.tensor, 2)
    head = answering[-1].node
    reads = _reads(features, choice.network)
    stop, onto = head.name, [*reads]
    if choice.sees == "answer":
        yield from answering
        body = Controller(body, head.outputs[0].shape[-1])
        stop, onto = f"exit{at}/stop", [*reads, DataEdge(source=head.name)]
    recipe = {**recipe, "sees": choice.sees}
    node = Node(
        name=f"exit{at}/gate", kind="control", inputs=tuple(onto), edges=(stop, onward), role="controller",
        recipe=recipe,
    )  # fmt: skip
    yield _Piece(node=node, body=body)
    yield from [_Piece(node=Node(name=stop, kind="dummy"))] if choice.sees == "answer" else answering


def _gated(  # all of one exit
    at: int,
    features: _Features,
    answering: Sequence[_Piece],
    scores: Sequence[str],
    onward: str,
    reuse: Reuse,
) -> Iterator[_Piece]:
    """Head, scores, gate, and the place where samples stop; `onward` is the node that the others come to next."""
    yield from answering
    logits = answering[0].node.outputs[0]
    answers = tuple(DataEdge(source=reuse.answering(i)) for i in (at, *range(at)))
    numbers = features.is_numbers
    read, shape = (answers[0], logits.shape) if numbers else (features.edge, features.tensor.shape)
    masks = {name: _mask_for(name, features) for name in scores}
    bodies = [build_score(name, shape, logits.shape[-1], masked=bool(masks[name])) for name in scores]
    for which, (name, score) in enumerate(zip(scores, bodies, strict=True)):
        first = _confidence_of(answering[0].node) if isinstance(score, HeadConfidence) else read
        yield _Piece(node=make_score(at, which, name, (first, *answers, *masks[name])), body=score)
    yield _Piece(node=make_gate(at, bodies[0], onward))
    yield _Piece(node=Node(name=f"exit{at}/stop", kind="dummy"))


def _mask_for(score: str, features: _Features) -> tuple[DataEdge, ...]:
    """What a score that averages tokens reads last, so that every other knows its place."""
    wanted = score in MASKED_SCORES and not features.is_numbers
    return (features.mask,) if wanted and features.mask is not None else ()


def _answering(at: int, features: _Features, logits: Tensor, head: Head, reuse: Reuse) -> Iterator[_Piece]:
    """The head, and where exits answer together the ensemble behind it."""
    classes = logits.shape[-1]
    recipe, body = _head(head, features.tensor, classes)
    confidence = (Tensor(shape=()),) if isinstance(body, ConfidentHead) else ()
    reads = _reads(features, head)
    own, *earlier = (DataEdge(source=f"exit{i}/head") for i in (at, *range(at)))
    if reuse.reuse_logits and at:
        recipe, body = {**recipe, "reuse_logits": True}, LogitReuseHead(body, classes, reads=len(reads))
        reads += earlier
    node = make_function(own.source, tuple(reads), (Tensor(shape=logits.shape), *confidence), "head", recipe)
    yield _Piece(node=node, body=body)
    if reuse.ensemble_heads and at:
        node = make_function(reuse.answering(at), (own, *earlier), (Tensor(shape=logits.shape),), "ensemble", {})
        yield _Piece(node=node, body=Ensemble(at + 1, classes))


def _reads(features: _Features, head: Head) -> list[DataEdge]:
    """What a head takes; a module of the user's takes features alone."""
    alone = features.mask is None or isinstance(head, nn.Module)
    return [features.edge] if alone or features.mask is None else [features.edge, features.mask]


def _head(head: Head, features: Tensor, classes: int) -> tuple[dict[str, Any], nn.Module]:
    """Recipe and module; a module of the user's has no recipe that could be replayed."""
    if isinstance(head, nn.Module):
        return {"kind": "module", "options": {}}, head
    recipe = head if isinstance(head, HeadRecipe) else HeadRecipe.parse(head)
    return recipe.to_json(), build_head(recipe, features.shape, classes, dtype=features.dtype)


def _confidence_of(head: Node) -> DataEdge:
    """What a score of the head's own confidence reads in the place of the features."""
    if len(head.outputs) < 2:
        kind = (head.recipe or {})["kind"]
        raise OptionError(
            f"the score {HeadConfidence.name} needs heads that give a confidence, but {head.name} of kind {kind!r} "
            "gives none. Write such as conv2:confidence=1, or take another score."
        )
    return DataEdge(source=head.name, output=1)


def make_score(at: int, which: int, name: str, reads: tuple[DataEdge, ...]) -> Node:
    """A score of an exit; the first one is read by the gate.

    Args:
        at: Number of the exit, counted from 0.
        which: Position among the exit's scores, counted from 0.
        name: Name of the score.
        reads: What it reads: features, then the logits of this exit and of those before it, then a mask if any.

    Returns:
        A function node with the role "score".
    """
    title = f"exit{at}/score" if which == 0 else f"exit{at}/score/{name}"
    return make_function(title, reads, (Tensor(shape=()),), "score", {"score": name})


def make_gate(at: int, score: Any, onward: str) -> Node:  # Any: a Score that is also a module
    """The gate of an exit, which reads its first score.

    Args:
        at: Number of the exit, counted from 0.
        score: The score that the gate compares; it declares direction and extremes.
        onward: Name of the node that samples come to which do not stop here.

    Returns:
        A control node with the edges stop and go.
    """
    return Node(
        name=f"exit{at}/gate",
        kind="control",
        inputs=(DataEdge(source=f"exit{at}/score"),),
        edges=(f"exit{at}/stop", onward),
        gate=gate_of(score),
    )


def _select(logits: Tensor, exits: int, reuse: Reuse) -> Node:
    """The answer: the deepest one there is."""
    sources = (f"stage{exits}", *(reuse.answering(at) for at in reversed(range(exits))))
    inputs = tuple(DataEdge(source=source) for source in sources)
    return Node(name="answer", kind="select", inputs=inputs, outputs=(Tensor(shape=logits.shape),))


def make_function(
    name: str,
    inputs: tuple[DataEdge, ...],
    outputs: tuple[Tensor, ...],
    role: str,
    recipe: Mapping[str, Any],
    *,
    eval_only: bool = False,
) -> Node:
    """A node that computes.

    Args:
        name: Name of the node.
        inputs: Data edges that it reads, in order.
        outputs: Types and shapes of what it gives for one sample.
        role: What it is in the network, such as "stage", "head" or "score".
        recipe: How its body can be made again, as JSON-able data.
        eval_only: True if training mode changes nothing in its body.

    Returns:
        A function node.
    """
    return Node(
        name=name, kind="function", inputs=inputs, outputs=outputs, role=role, recipe=dict(recipe), eval_only=eval_only
    )


def _without_dots(name: str) -> str:
    return name.replace(".", "_")
