"""Cut points: the places where all that later stages need is a small set of tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, groupby
from math import inf, prod

from torch.fx import Node

from offramp.graph import Tensor

from ._calls import Span, find_spans, pick_name
from ._trace import calls_around
from ._values import Value

MOST_CARRIED = 4
ENTRY = "input"
_BLOCK = 0.5  # what does more of the work than this is a backbone, not a block of one


@dataclass(frozen=True, slots=True, kw_only=True)
class CutPoint:
    """A place where a network can be cut.

    Attributes:
        name: Name of the module that ends here, such as "layer2.1", or of the operation.
        index: Position in `Capture.cuts`, counted from 0; -1 for the entry.
        carried: The tensors that later stages need; a head reads the first.
        macs: Multiply-accumulates per sample done before it.
        share: The same as a share of the network's, in [0, 1].
        aliases: Names of all modules that end here.
        position: Position of the last operation before it in the network's graph.
        nodes: The operations that give `carried`.
    """

    name: str
    index: int
    carried: tuple[Tensor, ...]
    macs: int
    share: float
    aliases: tuple[str, ...] = ()
    position: int = field(repr=False)
    nodes: tuple[Node, ...] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """A position in the graph that may become a cut point: `live` are the nodes that later ones read."""

    position: int
    macs: int
    live: tuple[Node, ...]
    main: Tensor


def find_cuts(values: Mapping[Node, Value]) -> tuple[CutPoint, ...]:
    """The cut points of a captured network in order, one per amount of work done.

    Of the places with no work between them the one with the fewest and smallest tensors stands for all, preferably
    where a block ends. Places inside a block are left out if cutting before and after it carries less.

    Args:
        values: What each operation gives and costs, in the order in which they run.

    Returns:
        Cut points in order; none if all work is done in one place.
    """
    nodes = tuple(values)
    done = list(accumulate(values[node].macs for node in nodes))
    live = list(_live(nodes, values))
    spans = find_spans(nodes)
    computed = [at for at, node in enumerate(nodes) if values[node].role not in ("free", "size")]
    places = [_place(at, done[at], live[at], values) for at in computed]
    useful = [place for place in places if place is not None and 0 < place.macs < done[-1]]
    work = {span: done[span.last] - (done[span.first - 1] if span.first else 0) for span in spans}
    ends = {span.last for span in spans if span.inner and work[span]}
    blocks = [span for span in spans if not span.call.container and 0 < work[span] <= _BLOCK * done[-1]]
    kept: list[tuple[_Place, tuple[str, ...]]] = []
    for _, group in groupby(useful, key=lambda place: place.macs):
        equal = list(group)
        best = min(equal, key=lambda place: _rank(place, ends))
        if not _is_inside_block(best, blocks, live, values):
            kept.append((best, _aliases(equal, spans)))
    names = _unique(_name(nodes[place.position], place.position, spans) for place, _ in kept)
    return tuple(
        _cut(index, name, place, values, total=done[-1], aliases=aliases)
        for index, (name, (place, aliases)) in enumerate(zip(names, kept, strict=True))
    )


def find_entry(values: Mapping[Node, Value]) -> CutPoint:
    """The place before the first layer, where the inputs themselves are carried.

    Args:
        values: What each operation gives and costs.

    Returns:
        A cut point with index -1.
    """
    inputs = tuple(node for node in values if node.op == "placeholder")
    carried = tuple(tensor for node in inputs if (tensor := values[node].tensor) is not None)
    return CutPoint(name=ENTRY, index=-1, carried=carried, macs=0, share=0.0, position=-1, nodes=inputs)


def _live(nodes: Sequence[Node], values: Mapping[Node, Value]) -> Iterator[tuple[Node, ...]]:
    """After each node, those already computed that later ones read and that cannot be made again from sizes."""
    last = {source: at for at, node in enumerate(nodes) for source in _read_by(node, values)}
    last |= dict.fromkeys(_answers(nodes), len(nodes))
    current: dict[Node, None] = {}
    for at, node in enumerate(nodes):
        if values[node].role not in ("free", "size"):
            current[node] = None
        current = {kept: None for kept in current if last.get(kept, -1) > at}
        yield tuple(current)


def _read_by(node: Node, values: Mapping[Node, Value]) -> Sequence[Node]:
    """What a node reads; a size is derived from the batch wherever it is needed, so it reads nothing."""
    return () if values[node].role == "size" else node.all_input_nodes


def _answers(nodes: Sequence[Node]) -> Sequence[Node]:
    return [node for node in nodes if any(user.op == "output" for user in node.users)]


def _place(position: int, macs: int, live: tuple[Node, ...], values: Mapping[Node, Value]) -> _Place | None:
    if not 0 < len(live) <= MOST_CARRIED or any(values[node].tensor is None for node in live):
        return None
    mains = [node for node in live if _can_feed_head(values[node].tensor)]
    if not mains:
        return None
    ordered = (mains[-1], *(node for node in live if node is not mains[-1]))
    main = values[mains[-1]].tensor
    assert main is not None
    return _Place(position=position, macs=macs, live=ordered, main=main)


def _can_feed_head(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.row_wise and "float" in tensor.dtype and len(tensor.shape) in (1, 2, 3)


def _rank(place: _Place, ends: set[int]) -> tuple[int, bool, int, int]:
    """Fewest tensors, then the end of a block, then the smallest tensor (by powers of two), then the latest."""
    return len(place.live), place.position not in ends, prod(place.main.shape).bit_length(), -place.position


def _is_inside_block(
    place: _Place, blocks: Sequence[Span], live: Sequence[tuple[Node, ...]], values: Mapping[Node, Value]
) -> bool:
    """True if some block around the place carries less where it begins, and no more where it ends."""
    here = _load(live[place.position], values)
    around = [span for span in blocks if 0 < span.first <= place.position < span.last]
    ends = [(_load(live[span.first - 1], values), _load(live[span.last], values)) for span in around]
    return any(
        (begin[0] < here[0] and end[0] <= here[0]) or (_fits(begin, here) and begin != here and _fits(end, here))
        for begin, end in ends
    )


def _fits(load: tuple[int, float], other: tuple[int, float]) -> bool:
    return load[0] <= other[0] and load[1] <= other[1]


def _load(live: Sequence[Node], values: Mapping[Node, Value]) -> tuple[int, float]:
    """How many tensors and how many numbers of one sample are carried."""
    tensors = [values[node].tensor for node in live]
    return len(live), sum(inf if tensor is None else prod(tensor.shape) for tensor in tensors)


def _name(node: Node, position: int, spans: Sequence[Span]) -> str:
    ended = pick_name([span for span in spans if span.last == position])
    owner = [call.name for call in calls_around(node)][-1:]
    stem = node.name.rstrip("0123456789").rstrip("_") or node.name
    return ended or ".".join([*owner, stem])


def _aliases(group: Sequence[_Place], spans: Sequence[Span]) -> tuple[str, ...]:
    ends = {place.position for place in group}
    return tuple(dict.fromkeys(span.call.name for span in spans if span.last in ends))


def _unique(names: Iterator[str]) -> list[str]:
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        found.append(f"{name}@{seen[name]}" if seen[name] else name)
        seen[name] += 1
    return found


def _cut(
    index: int, name: str, place: _Place, values: Mapping[Node, Value], *, total: int, aliases: tuple[str, ...]
) -> CutPoint:
    carried = tuple(tensor for node in place.live if (tensor := values[node].tensor) is not None)
    return CutPoint(
        name=name,
        index=index,
        carried=carried,
        macs=place.macs,
        share=place.macs / total,
        aliases=aliases,
        position=place.position,
        nodes=place.live,
    )
