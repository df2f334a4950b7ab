"""The plan that serves executor and export: nested blocks, each run by the rows of its region as one `If(any row)`.

Within a block every value has one row per row of the block's frame. What a block needs from outside is gathered, what
leaves it is scattered over a fill, or over the earlier answer for select. Next to its values every block hands its
parent a trace: for each control node inside it, which edge it opened (and for a threshold gate the score).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field, replace

from offramp.errors import GraphError

from ._graph import Graph
from ._node import DataEdge, Node
from ._reach import ROOT, Edge, Region, find_gap, find_regions, lineage, tips


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """Output `output` of node `node`, with `fill` where the node did not run (None: it runs wherever it is read)."""

    node: str
    output: int = 0
    fill: float | None = None

    @property
    def origin(self) -> str:
        """Name of the graph's node that it comes from; one level of a select is named after it, as in `answer//0`."""
        return self.node.split("//")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Call the body of a function or control node (for a gate: compare) on `inputs`."""

    node: Node
    inputs: tuple[Value, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Give `target` the first of `sources` that is not null; `masks` says when: these control edges are open."""

    target: Value
    sources: tuple[Value, ...]
    masks: tuple[tuple[Edge, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Scatter `source` of a block into its parent's `target`: over `over` if given, else over the target's fill."""

    source: Value
    target: Value
    over: Value | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Steps that the rows of one region run.

    Attributes:
        guard: The control edges that are open on these rows; empty for the root.
        reads: Row-wise values to gather from the parent's frame.
        routes: Control nodes outside this block whose opened edge is needed inside: gathered too.
        steps: In order.
        writes: Row-wise values to scatter into the parent's frame.
        controls: Control nodes in this block and the blocks inside it, in the order of the columns of its trace.
    """

    guard: tuple[Edge, ...] = ()
    reads: tuple[Value, ...] = ()
    routes: tuple[str, ...] = ()
    steps: tuple[Run | Merge | Block, ...] = ()
    writes: tuple[Write, ...] = ()
    controls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A block for all rows, and where the answer comes from.

    Attributes:
        root: The block of all rows.
        answer: Value of the logits in the root's frame.
        exits: Control edges that are open where an exit's answer is not null, in select's order of preference.
        ranks: For each of `exits`, its number in graph order: what `exit` reports.
    """

    root: Block
    answer: Value
    exits: tuple[tuple[Edge, ...], ...]
    ranks: tuple[int, ...]


def plan(graph: Graph) -> Plan:
    """How to run a graph in batches: blocks for its regions, nested, without nodes that nothing depends on.

    Example:
        >>> from offramp.graph import DataEdge, Graph, Node, Tensor, plan
        >>> row = Tensor(shape=(2,))
        >>> x = Node(name="x", kind="input", outputs=(row,))
        >>> net = Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=(row,))
        >>> len(plan(Graph(nodes=(x, net), answer="net")).root.steps)
        1
    """
    return _Planner(graph).plan()


@dataclass(slots=True)
class _Item:
    """Something to schedule: a node, or one level of a select."""

    step: Run | Merge
    region: Region
    needs: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.step.node.name if isinstance(self.step, Run) else self.step.target.node


class _Planner:
    """Finds the items, then packs them into blocks; one use per plan."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._regions = find_regions(graph.nodes)
        self._items: dict[str, _Item] = {}
        self._region_of: dict[str, Region] = dict(self._regions)  # of items too

    def plan(self) -> Plan:
        graph = self._graph
        for node in graph.nodes:
            if node.kind in ("function", "control"):
                self._add_run(node)
            elif node.kind == "select":
                self._add_select(node.name, list(node.inputs), self._regions[node.name])
        root = self._pack(ROOT, self._needed(), {node.name for node in graph.inputs}, set())
        exits, ranks = self._exits()
        return Plan(root=root, answer=Value(node=graph.answer), exits=exits, ranks=ranks)

    def _exits(self) -> tuple[tuple[tuple[Edge, ...], ...], tuple[int, ...]]:
        answer = self._graph[self._graph.answer]
        if answer.kind != "select":
            return ((),), (0,)
        sources, names = [edge.source for edge in answer.inputs], [exit.name for exit in self._graph.exits]
        return (
            tuple(tips(self._regions[name], self._regions) for name in sources),
            tuple(names.index(name) for name in sources),
        )

    def _needed(self) -> list[_Item]:
        """The items that the answer or a control node needs: what select has a sure input before, nobody reads."""
        needed: set[str] = set()
        pending = [self._graph.answer, *(node.name for node in self._graph.controls)]
        while pending:
            name = pending.pop()
            if name in self._items and name not in needed:
                needed.add(name)
                pending.extend(self._items[name].needs)
        return [item for name, item in self._items.items() if name in needed]

    # Items -----------------------------------------------------------------------------------------------------------

    def _add_run(self, node: Node) -> None:
        region = self._regions[node.name]
        inputs = tuple(self._value(edge, region) for edge in node.inputs)
        needs = {value.node for value in inputs} | {control for control, _ in region}
        self._add(_Item(step=Run(node=node, inputs=inputs), region=region, needs=needs))

    def _add(self, item: _Item) -> None:
        self._items[item.name] = item
        self._region_of[item.name] = item.region

    def _value(self, edge: DataEdge, region: Region) -> Value:
        """The edge's value as `region` reads it: with a fill only if the source may be null there."""
        always = self._regions[edge.source] <= region
        return Value(node=edge.source, output=edge.output, fill=None if always else edge.default)

    def _add_select(self, name: str, edges: Sequence[DataEdge], region: Region) -> None:
        """Add a select as one merge per level: what lies in one child region is merged there first if never null."""
        sources: list[Value] = []
        masks: list[tuple[Edge, ...]] = []
        for child, group in self._grouped(edges, region):
            if child is not None and self._covers(group, child):
                inner = self._add_partial(f"{name}//{len(sources)}", group, child)
                sources.append(Value(node=inner.node, output=inner.output, fill=0.0))
                masks.append(tips(child, self._regions))
                continue
            for edge in group:
                own = self._regions[edge.source]
                sources.append(Value(node=edge.source, output=edge.output, fill=None if own <= region else 0.0))
                masks.append(() if own <= region else tuple(sorted(own - region)))
        keep = next(
            (at + 1 for at, mask in enumerate(masks) if not mask), len(masks)
        )  # nothing after a sure one is read
        step = Merge(target=Value(node=name), sources=tuple(sources[:keep]), masks=tuple(masks[:keep]))
        needs = {value.node for value in step.sources} | {control for mask in step.masks for control, _ in mask}
        self._add(_Item(step=step, region=region, needs=needs | {control for control, _ in region}))

    def _add_partial(self, name: str, group: Sequence[DataEdge], child: Region) -> Value:
        if len(group) == 1 and self._regions[group[0].source] == child:
            return Value(node=group[0].source, output=group[0].output)
        self._add_select(name, group, child)
        return Value(node=name)

    def _grouped(self, edges: Sequence[DataEdge], region: Region) -> list[tuple[Region | None, list[DataEdge]]]:
        """Consecutive edges by the child of `region` that holds their sources (None: `region` itself, or not below)."""
        groups: list[tuple[Region | None, list[DataEdge]]] = []
        for edge in edges:
            chain = lineage(self._regions[edge.source], self._regions)
            child = chain[chain.index(region) - 1] if region in chain[1:] else None
            if groups and groups[-1][0] == child:
                groups[-1][1].append(edge)
            else:
                groups.append((child, [edge]))
        return groups

    def _covers(self, group: Sequence[DataEdge], region: Region) -> bool:
        sources = [self._regions[edge.source] for edge in group]
        return find_gap(region, sources, self._graph.by_name, self._regions) is None

    # Blocks ----------------------------------------------------------------------------------------------------------

    def _pack(self, region: Region, items: list[_Item], done: set[str], wanted: set[Value]) -> Block:
        """Order the items of a region and its descendants; `wanted` are values that the world outside will read."""
        steps: list[Run | Merge | Block] = []
        done, left = set(done), list(items)
        while left:
            ready = next((item for item in left if item.region == region and item.needs <= done), None)
            if ready is not None:
                left.remove(ready)
                done.add(ready.name)
                others = wanted.union(*(_inputs(item.step) for item in items if item is not ready))
                if not self._fold_into_block(ready, steps, others):
                    steps.append(ready.step)
                continue
            child, group = self._next_child(region, left, done)
            rest = [item for item in left if item not in group]
            steps.append(self._child_block(child, group, rest, done, wanted))
            left, done = rest, done | {item.name for item in group}
        return self._seal(region, tuple(steps), items)

    def _next_child(self, region: Region, left: list[_Item], done: set[str]) -> tuple[Region, list[_Item]]:
        """The child region that can be finished now, else the one in which most can be done."""
        children = dict.fromkeys(self._child_of(region, item.region) for item in left if item.region != region)
        candidates = []
        for child in children:
            assert child is not None, "the items of a block lie in its region or below"
            mine = [item for item in left if self._child_of(region, item.region) == child]
            runnable = _closure(mine, done)
            candidates.append((len(runnable) == len(mine), len(runnable), child, runnable))
        best = max(candidates, key=lambda entry: entry[:2])
        assert best[1], "a checked graph always has something that can run"
        return best[2], best[3]

    def _child_of(self, region: Region, descendant: Region) -> Region | None:
        chain = lineage(descendant, self._regions)
        return chain[chain.index(region) - 1] if region in chain[1:] else None

    def _child_block(
        self, child: Region, group: list[_Item], rest: list[_Item], done: set[str], wanted: set[Value]
    ) -> Block:
        inside = {item.name for item in group}
        outside = {value for item in rest for value in _inputs(item.step)} | wanted
        leaving = sorted({value for value in outside if value.node in inside}, key=_order)
        shared = sorted({value.node for value in leaving if not self._is_row_wise(value)})
        if shared:
            raise GraphError(
                f"a shared tensor must be read where it is made, but those of {shared} leave their region: "
                "make them row-wise."
            )
        block = self._pack(child, group, done, set(leaving))
        writes = tuple(
            Write(
                source=value if self._region_of[value.node] != child else Value(node=value.node, output=value.output),
                target=value,
            )
            for value in leaving
        )
        return replace(block, guard=tips(child, self._regions), writes=writes)

    def _seal(self, region: Region, steps: tuple[Run | Merge | Block, ...], items: Iterable[_Item]) -> Block:
        """A block with what it must read from outside."""
        items = list(items)
        inside = {item.name for item in items}
        reads = {value for item in items for value in _inputs(item.step) if value.node not in inside}
        asked = {control for item in items for control in _asked(item, region, self._regions)}
        rowwise = {value for value in reads if self._is_row_wise(value)}
        controls = tuple(name for step in steps for name in _controls_of(step))
        return Block(
            reads=tuple(sorted(rowwise, key=_order)),
            routes=tuple(sorted(asked - inside)),
            steps=steps,
            controls=controls,
        )

    def _is_row_wise(self, value: Value) -> bool:
        return self._graph[value.origin].outputs[value.output].row_wise

    def _fold_into_block(self, item: _Item, steps: list[Run | Merge | Block], others: Set[Value]) -> bool:
        """Let a block scatter straight over the earlier answer, where a merge would only choose between the two.

        `others` are the values that somebody else reads: those must still be there.
        """
        step = item.step
        if not isinstance(step, Merge) or len(step.sources) != 2 or step.masks[1]:
            return False
        late, early = step.sources
        if late in others:
            return False
        for at, block in enumerate(steps):
            if not isinstance(block, Block) or block.guard != step.masks[0]:
                continue
            write = next((write for write in block.writes if write.target == late), None)
            if write is None or not self._known_before(early, steps[:at], steps):
                continue
            over = Write(source=write.source, target=step.target, over=early)
            writes = tuple(over if other is write else other for other in block.writes)
            steps[at] = replace(block, writes=writes)
            return True
        return False

    def _known_before(
        self, value: Value, earlier: Sequence[Run | Merge | Block], steps: Sequence[Run | Merge | Block]
    ) -> bool:
        """True unless the value is given only by a later step of the same block."""
        return value in _given(earlier) or value not in _given(steps)


def _closure(items: Sequence[_Item], done: set[str]) -> list[_Item]:
    """The items that can run one after the other, given what is done."""
    known, runnable, waiting = set(done), [], list(items)
    while ready := [item for item in waiting if item.needs <= known]:
        runnable += ready
        known |= {item.name for item in ready}
        waiting = [item for item in waiting if item.name not in known]
    return [item for item in items if item.name in known]


def _inputs(step: Run | Merge) -> tuple[Value, ...]:
    return step.inputs if isinstance(step, Run) else step.sources


def _given(steps: Iterable[Run | Merge | Block]) -> set[Value]:
    """What steps give to the frame that they run in."""
    given: set[Value] = set()
    for step in steps:
        if isinstance(step, Run):
            given |= {Value(node=step.node.name, output=at) for at in range(len(step.node.outputs))}
        elif isinstance(step, Merge):
            given.add(step.target)
        else:
            given |= {write.target for write in step.writes}
    return given


def _asked(item: _Item, region: Region, regions: dict[str, Region]) -> set[str]:
    """Control nodes whose route is compared inside the block of `region` for the sake of this item."""
    asked = {control for mask in item.step.masks for control, _ in mask} if isinstance(item.step, Merge) else set()
    chain = lineage(item.region, regions)
    for inner in chain[: chain.index(region)]:
        asked |= {control for control, _ in tips(inner, regions)}
    return asked


def _controls_of(step: Run | Merge | Block) -> tuple[str, ...]:
    if isinstance(step, Block):
        return step.controls
    return (step.node.name,) if isinstance(step, Run) and step.node.kind == "control" else ()


def _order(value: Value) -> tuple[str, int, float]:
    return value.node, value.output, float("-inf") if value.fill is None else value.fill
