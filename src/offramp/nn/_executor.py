"""The torch executor: runs a graph's plan in batches; rows that stop really leave."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from offramp.errors import GraphError, ThresholdError
from offramp.graph import Block, Graph, Merge, Node, Run, Value, plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a graph answers for a batch.

    Attributes:
        logits: [B, K].
        exit: [B] int64: which exit answered, counted in graph order.
        score: [B] float32: of the gate that stopped the sample; 1 if none did.
        route: [B, G] int64: the edge that each control node opened; its number of edges if it did not run.
        values: By control node without a gate, [B, edges]: the score of each edge; 0 where it did not run.
    """

    logits: Tensor
    exit: Tensor
    score: Tensor
    route: Tensor
    values: Mapping[str, Tensor]


Room = Callable[[int], int]  # from a number of rows to the number, as large or larger, that bodies get


@dataclass(slots=True)
class _Frame:
    """The rows of one block: its values, the edges opened so far, and what control nodes compared.

    Attributes:
        rows: How many all tensors have.
        real: How many of them, from the first, are samples; what follows fills the room up and is dropped.
        forced: By control node, [rows] the edge that it must open; -1 lets it choose.
        scores: By threshold gate, [rows].
        edges: By control node without a gate, [rows, edges] their scores.
        taint: [rows] 0, or NaN where an input of the sample is not finite; None if there are no gates.
    """

    rows: int
    real: int
    device: torch.device
    values: dict[Value, Tensor]
    routes: dict[str, Tensor] = field(default_factory=dict)
    scores: dict[str, Tensor] = field(default_factory=dict)
    edges: dict[str, Tensor] = field(default_factory=dict)
    forced: Mapping[str, Tensor] = field(default_factory=dict)
    taint: Tensor | None = None


class Executor(nn.Module):
    """A graph as one module; its children are the bodies under the names of their nodes.

    Args:
        graph: All bodies that its answer and control nodes depend on are `nn.Module`s.

    Raises:
        GraphError: A body is missing or is no module.

    Example:
        >>> import torch
        >>> from offramp.graph import DataEdge, Graph, Node, Tensor
        >>> row = Tensor(shape=(2,))
        >>> x = Node(name="x", kind="input", outputs=(row,))
        >>> net = Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=(row,))
        >>> graph = Graph(nodes=(x, net), answer="net", bodies={"net": torch.nn.Identity()})
        >>> Executor(graph)({"x": torch.ones(3, 2)}).exit
        tensor([0, 0, 0])
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.plan = plan(graph)
        self.bodies = nn.ModuleDict({node.name: _module(graph, node) for node in graph.nodes if _has_body(node)})

    def forward(
        self,
        inputs: Mapping[str, Tensor],
        thresholds: Tensor | None = None,
        *,
        forced: Mapping[str, Tensor] | None = None,
    ) -> Outcome:
        """Answer a batch.

        Args:
            inputs: Tensors by the name of the input node, batch first.
            thresholds: [T] one threshold per threshold gate in graph order; None if there is no such gate.
            forced: The edge [B] int64 that a control node opens where it runs, by the node's name, whatever its score;
                -1 lets it choose. Nodes that are left out choose for themselves.

        Returns:
            The answers, and the way that each sample took.

        Raises:
            ThresholdError: Not as many thresholds as gates, or one is NaN.
            GraphError: All inputs of a select are null for some sample.
        """
        outcome = self.route(inputs, thresholds, forced=forced)
        if (outcome.exit < 0).any():
            raise GraphError(
                f"all inputs of {self.graph.answer!r} are null for a sample: add an input that always runs."
            )
        return outcome

    def route(
        self,
        inputs: Mapping[str, Tensor],
        thresholds: Tensor | None = None,
        *,
        forced: Mapping[str, Tensor] | None = None,
        room: Room | None = None,
    ) -> Outcome:
        """Answer a batch; the host waits for the device once per block of the plan and nowhere else.

        Arguments and errors as for a call, but a sample for which all inputs of a select are null has exit -1.

        Args:
            inputs: As for a call.
            thresholds: As for a call; on the CPU, whatever the device of the inputs, else the host waits for them.
            forced: As for a call.
            room: Function from the number of rows that go on to the number that bodies get: copies of the last row fill
                up. None gives them as many as go on.

        Returns:
            The answers, and the way that each sample took.
        """
        limits = _limits(thresholds, self.graph)
        first = next(iter(inputs.values()))
        values = {Value(node=name): tensor for name, tensor in inputs.items()}
        frame = _Frame(rows=len(first), real=len(first), device=first.device, values=values, forced=forced or {})
        frame.taint = _find_taint(inputs.values()) if self.graph.gates else None
        self._run_block(self.plan.root, frame, limits, room)
        return self._outcome(frame)

    def dense(self, inputs: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, ...]]:
        """The values of every node for every row, all gates ignored: selects take what they prefer."""
        values: dict[str, tuple[Tensor, ...]] = {name: (tensor,) for name, tensor in inputs.items()}
        for node in self.graph.nodes:
            if node.kind == "function":
                given = [values[edge.source][edge.output] for edge in node.inputs]
                values[node.name] = _as_tuple(self.bodies[node.name](*given))
            elif node.kind == "select":
                first = node.inputs[0]
                values[node.name] = (values[first.source][first.output],)
        return values

    def _run_block(self, block: Block, frame: _Frame, limits: Mapping[str, Tensor], room: Room | None) -> None:
        for step in block.steps:
            if isinstance(step, Block):
                self._enter(step, frame, limits, room)
            elif isinstance(step, Merge):
                frame.values[step.target] = self._merge(step, frame)
            elif step.node.kind == "control":
                self._decide(step, frame, limits)
            else:
                results = _as_tuple(self.bodies[step.node.name](*(frame.values[value] for value in step.inputs)))
                frame.values |= {Value(node=step.node.name, output=at): result for at, result in enumerate(results)}

    def _enter(self, block: Block, frame: _Frame, limits: Mapping[str, Tensor], room: Room | None) -> None:
        """Run a block on the rows that its guard lets in, and bring back what leaves it."""
        rows = _Rows.of(_mask(block.guard, frame)[: frame.real], frame.rows, room)
        inner = _Frame(rows=rows.room, real=rows.count, device=frame.device, values=self._shared(frame))
        if rows.count:
            inner.values |= {value: rows.take(frame.values[value]) for value in block.reads}
            inner.routes |= {name: rows.take(frame.routes[name]) for name in block.routes}
            inner.forced = {name: rows.take(edges) for name, edges in frame.forced.items()}
            inner.taint = None if frame.taint is None else rows.take(frame.taint)
            self._run_block(block, inner, limits, room)
        for name in block.controls:
            self._bring_back(name, inner, frame, rows)
        for write in block.writes:
            base = self._filled(write.target, frame) if write.over is None else frame.values[write.over]
            frame.values[write.target] = rows.put(inner.values[write.source], base) if rows.count else base

    def _shared(self, frame: _Frame) -> dict[Value, Tensor]:
        return {
            value: tensor
            for value, tensor in frame.values.items()
            if not self.graph[value.origin].outputs[value.output].row_wise
        }

    def _bring_back(self, name: str, inner: _Frame, frame: _Frame, rows: _Rows) -> None:
        """Scatter a control node's route and score into the parent's rows; elsewhere it did not run."""
        node = self.graph[name]
        frame.routes[name] = torch.full((frame.rows,), len(node.edges), device=frame.device)
        if node.gate is not None:
            frame.scores[name] = torch.ones(frame.rows, device=frame.device)
        else:
            frame.edges[name] = torch.zeros(frame.rows, len(node.edges), device=frame.device)
        if rows.count:
            frame.routes[name] = rows.put(inner.routes[name], frame.routes[name])
            for mine, given in ((frame.scores, inner.scores), (frame.edges, inner.edges)):
                if name in mine:
                    mine[name] = rows.put(given[name], mine[name])

    def _filled(self, value: Value, frame: _Frame) -> Tensor:
        """Rows of nothing but a value's fill."""
        tensor = self.graph[value.origin].outputs[value.output]
        dtype = getattr(torch, tensor.dtype)
        return torch.full((frame.rows, *tensor.shape), value.fill or 0, dtype=dtype, device=frame.device)

    def _merge(self, step: Merge, frame: _Frame) -> Tensor:
        last = len(step.sources) - 1
        merged = frame.values[step.sources[last]]
        for source, mask in list(zip(step.sources, step.masks, strict=True))[:last][::-1]:
            present = _mask(mask, frame)
            merged = torch.where(present.view(-1, *[1] * (merged.dim() - 1)), frame.values[source], merged)
        return merged

    def _decide(self, step: Run, frame: _Frame, limits: Mapping[str, Tensor]) -> None:
        node, given = step.node, [frame.values[value] for value in step.inputs]
        if node.gate is None:
            scores = self.bodies[node.name](*given)
            frame.edges[node.name] = scores.float()
            chosen = torch.where(scores.isnan(), -torch.inf, scores).argmax(dim=1)
        else:
            score = given[0].float() if frame.taint is None else given[0].float() + frame.taint
            stops = score >= limits[node.name] if node.gate.direction == "higher" else score < limits[node.name]
            frame.scores[node.name] = score
            chosen = (~stops).long()
        forced = frame.forced.get(node.name)
        frame.routes[node.name] = chosen if forced is None else torch.where(forced < 0, chosen, forced)

    def _outcome(self, frame: _Frame) -> Outcome:
        score = torch.ones(frame.rows, device=frame.device)
        for gate in self.graph.gates:
            score = torch.where(frame.routes[gate.name] == 0, frame.scores[gate.name], score)
        taken = score.new_full((frame.rows,), -1, dtype=torch.long)
        for edges, rank in list(zip(self.plan.exits, self.plan.ranks, strict=True))[::-1]:
            taken = torch.where(_mask(edges, frame), rank, taken)
        routes = [frame.routes[node.name] for node in self.graph.controls]
        route = torch.stack(routes, dim=1) if routes else taken.new_empty((frame.rows, 0))
        logits = frame.values[self.plan.answer]
        return Outcome(logits=logits, exit=taken, score=score, route=route, values=frame.edges)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Rows of a block within its parent.

    Attributes:
        index: [room] where each comes from; None if everybody stays, so that nothing needs to be copied.
        count: How many there are.
        room: How many tensors in the block have.
    """

    index: Tensor | None
    count: int
    room: int

    @classmethod
    def of(cls, mask: Tensor, rows: int, room: Room | None) -> _Rows:
        """Rows on which a mask is true, of a parent with so many rows; here the host waits."""
        index = mask.nonzero().squeeze(1)
        count = len(index)
        size = room(count) if room and count else count
        if count == len(mask) and size == rows:
            return cls(None, count, size)
        return cls(torch.cat([index, index[-1:].expand(size - count)]) if size > count else index, count, size)

    def take(self, tensor: Tensor) -> Tensor:
        """The parent's tensor for the block."""
        return tensor if self.index is None else tensor.index_select(0, self.index)

    def put(self, tensor: Tensor, base: Tensor) -> Tensor:
        """The block's tensor in its places of the parent's."""
        source = tensor.to(base.dtype)
        if self.index is None:
            return source
        return base.index_copy(0, self.index[: self.count], source[: self.count])


def _mask(edges: Iterable[tuple[str, int]], frame: _Frame) -> Tensor:
    """Rows on which all these control edges are open."""
    mask = torch.ones(frame.rows, dtype=torch.bool, device=frame.device)
    for control, index in edges:
        mask = mask & (frame.routes[control] == index)
    return mask


def _has_body(node: Node) -> bool:
    return node.kind == "function" or (node.kind == "control" and node.gate is None)


def _module(graph: Graph, node: Node) -> nn.Module:
    body = graph.bodies.get(node.name)
    if not isinstance(body, nn.Module):
        raise GraphError(
            f"expected an nn.Module as the body of {node.name!r}, got {type(body).__name__}: use with_bodies."
        )
    return body


def _limits(thresholds: Tensor | None, graph: Graph) -> dict[str, Tensor]:
    given = torch.empty(0) if thresholds is None else thresholds
    if given.shape != (len(graph.gates),):
        raise ThresholdError(
            f"expected {len(graph.gates)} thresholds, one per gate, got shape {tuple(given.shape)}: "
            "give them in graph order."
        )
    if any(math.isnan(limit) for limit in given.tolist()):
        raise ThresholdError("thresholds must be numbers, but one is NaN: give a score.")
    return {gate.name: given[at] for at, gate in enumerate(graph.gates)}


def _find_taint(inputs: Iterable[Tensor]) -> Tensor | None:
    """[B] 0, or NaN where an input of the sample is not finite; None if none is of floats."""
    sums = [
        tensor.float().flatten(1).sum(1) if tensor.ndim > 1 else tensor.float()
        for tensor in inputs
        if tensor.is_floating_point()
    ]
    return sum(sums[1:], sums[0]) * 0 if sums else None


def _as_tuple(result: Tensor | Iterable[Tensor]) -> tuple[Tensor, ...]:
    return (result,) if isinstance(result, Tensor) else tuple(result)
