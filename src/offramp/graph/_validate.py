"""The laws of a conditional graph, checked once when it is made; the error names every offender."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from offramp.errors import GraphError

from ._node import Body, Node
from ._reach import ROOT, find_gap, find_regions


def check(nodes: Sequence[Node], answer: str, bodies: Mapping[str, Body]) -> None:
    """Raise one GraphError that names everything that is wrong."""
    by_name = {node.name: node for node in nodes}
    for find in (_names, _edges, _order, _shapes):  # each needs what the ones before it have assured
        _refuse(find(nodes, by_name))
    _refuse(_answer(by_name, answer))
    _refuse(_bodies(by_name, bodies))
    _refuse(_routes(nodes, by_name, answer))


def _refuse(offenses: Iterable[str]) -> None:
    listed = list(offenses)
    if listed:
        raise GraphError("; ".join(listed) + ".")


def _names(nodes: Sequence[Node], by_name: Mapping[str, Node]) -> Iterator[str]:
    for name, count in Counter(node.name for node in nodes).items():
        if count > 1:
            yield f"node names must be unique, but {count} nodes are called {name!r}: rename all but one"
        if not name or "." in name or "//" in name:
            yield f"a node name must be non-empty, without dots and double slashes, got {name!r}: use '/' instead"


def _edges(nodes: Sequence[Node], by_name: Mapping[str, Node]) -> Iterator[str]:
    opened = Counter(target for node in nodes for target in node.edges)
    for target, count in opened.items():
        if count > 1:
            yield f"a node has at most one incoming control edge, but {target!r} has {count}: put dummies on the others"
    for node in nodes:
        yield from _arity(node)
        for edge in node.inputs:
            source = by_name.get(edge.source)
            if source is None:
                yield f"{node.name!r} reads {edge.source!r}, which does not exist{_closest(edge.source, by_name)}"
            elif edge.output not in range(len(source.outputs)):
                yield f"{node.name!r} reads output {edge.output} of {edge.source!r}, which has {len(source.outputs)}"
        for target in node.edges:
            if target not in by_name:
                closest = _closest(target, by_name)
                yield f"a control edge of {node.name!r} leads to {target!r}, which does not exist{closest}"
            elif by_name[target].kind not in ("function", "dummy"):
                yield (
                    f"a control edge leads to a function or a dummy node, but {node.name!r} opens {target!r}, "
                    f"a {by_name[target].kind} node"
                )


def _arity(node: Node) -> Iterator[str]:
    """What each kind must and must not have."""
    if node.kind == "input" and (node.inputs or len(node.outputs) != 1 or not node.outputs[0].row_wise):
        yield f"the input node {node.name!r} must have no inputs and one row-wise output"
    if node.kind == "function" and not (node.inputs and node.outputs):
        yield f"the function node {node.name!r} must have inputs and outputs"
    if node.kind == "dummy" and (node.inputs or node.outputs):
        yield f"the dummy node {node.name!r} must have neither inputs nor outputs"
    if node.kind == "control" and (not node.edges or not node.inputs or node.outputs):
        yield f"the control node {node.name!r} must have inputs and control edges, and no outputs"
    if node.kind != "control" and (node.edges or node.gate):
        yield f"only control nodes have control edges or a gate, but {node.name!r} is a {node.kind} node"
    if node.gate is not None and (len(node.edges) != 2 or len(node.inputs) != 1):
        yield f"the threshold gate {node.name!r} must read one score and have two edges (stop, go)"
    if node.kind == "select" and (not node.inputs or len(node.outputs) != 1):
        yield f"the select node {node.name!r} must have inputs and exactly one output"
    if node.kind == "select" and any(edge.default is not None for edge in node.inputs):
        yield f"the inputs of the select node {node.name!r} must have no defaults: it chooses by what is null"


def _order(nodes: Sequence[Node], by_name: Mapping[str, Node]) -> Iterator[str]:
    position = {node.name: at for at, node in enumerate(nodes)}
    backward = [
        (before, node.name)
        for node in nodes
        for before in _predecessors(node, nodes)
        if position[before] >= position[node.name]
    ]
    if not backward:
        return
    cycle = _find_cycle(nodes)
    if cycle:
        yield "the graph must have no cycle, but " + " -> ".join(repr(name) for name in cycle)
    else:
        for before, after in backward:
            yield f"nodes must come in topological order, but {after!r} comes before {before!r}, which it needs"


def _predecessors(node: Node, nodes: Sequence[Node]) -> list[str]:
    return [edge.source for edge in node.inputs] + [other.name for other in nodes if node.name in other.edges]


def _find_cycle(nodes: Sequence[Node]) -> list[str]:
    """One cycle as a list of names that ends where it began; empty if there is none."""
    before = {node.name: _predecessors(node, nodes) for node in nodes}
    alive = set(before)
    while free := {name for name in alive if not any(source in alive for source in before[name])}:
        alive -= free
    if not alive:
        return []
    walk = [min(alive)]
    while walk.count(walk[-1]) < 2:
        walk.append(next(source for source in before[walk[-1]] if source in alive))
    return walk[walk.index(walk[-1]) :][::-1]


def _shapes(nodes: Sequence[Node], by_name: Mapping[str, Node]) -> Iterator[str]:
    for node in nodes:
        given = [by_name[edge.source].outputs[edge.output] for edge in node.inputs]
        if node.kind == "select" and any(tensor != node.outputs[0] or not tensor.row_wise for tensor in given):
            yield f"the inputs of the select node {node.name!r} must be row-wise and like its output {node.outputs[0]}"
        if node.gate is not None and (given[0].shape != () or not given[0].row_wise):
            yield f"the threshold gate {node.name!r} must read one number per sample, got shape {given[0].shape}"
        if node.kind in ("function", "control") and not any(tensor.row_wise for tensor in given):
            yield f"{node.name!r} must read at least one row-wise tensor, else it knows no samples"


def _answer(by_name: Mapping[str, Node], answer: str) -> Iterator[str]:
    if answer not in by_name:
        yield f"the answer {answer!r} does not exist{_closest(answer, by_name)}"
    elif by_name[answer].kind not in ("function", "select"):
        yield f"the answer must be a function or select node, but {answer!r} is a {by_name[answer].kind} node"
    elif len(by_name[answer].outputs[0].shape) != 1 or not by_name[answer].outputs[0].row_wise:
        yield f"the answer {answer!r} must give one row of logits per sample, got {by_name[answer].outputs[0]}"


def _bodies(by_name: Mapping[str, Node], bodies: Mapping[str, Body]) -> Iterator[str]:
    for name in bodies:
        node = by_name.get(name)
        if node is None:
            yield f"there is a body for {name!r}, which does not exist{_closest(name, by_name)}"
        elif node.kind not in ("function", "control") or node.gate is not None:
            yield f"only function nodes and control nodes without a gate have bodies, but {name!r} has one"


def _routes(nodes: Sequence[Node], by_name: Mapping[str, Node], answer: str) -> Iterator[str]:
    """What depends on who runs where: dead nodes, shared tensors that leave, selects and answers without value."""
    regions = find_regions(nodes)
    for node in nodes:
        controls = [control for control, _ in regions[node.name]]
        if len(set(controls)) < len(controls):
            yield f"{node.name!r} can never run: it needs two edges of the same control node to be open"
        for edge in node.inputs:
            shared = not by_name[edge.source].outputs[edge.output].row_wise
            if shared and not regions[edge.source] <= regions[node.name]:
                yield f"{node.name!r} reads the shared tensor of {edge.source!r}, which may not run: make it row-wise"
        if node.kind == "select":
            sources = [regions[edge.source] for edge in node.inputs]
            gap = find_gap(regions[node.name], sources, by_name, regions)
            # Only of the answer can a runtime report that a combination of independent decisions left it null.
            if gap is not None and (node.name != answer or _is_one_path(gap - regions[node.name], regions)):
                opened = ", ".join(f"{control!r} opens edge {index}" for control, index in sorted(gap))
                yield f"all inputs of the select node {node.name!r} are null if {opened}: give it one that is not"
    if regions[answer] != ROOT:
        yield f"the answer {answer!r} is null for samples that do not reach it: select it together with one that is not"


def _is_one_path(edges: frozenset[tuple[str, int]], regions: Mapping[str, frozenset[tuple[str, int]]]) -> bool:
    """True if the edges are one way down: a single decision implies all the others."""
    return any(edges <= regions[control] | {(control, index)} for control, index in edges)


def _closest(name: str, known: Iterable[str]) -> str:
    match = get_close_matches(name, list(known), n=1)
    return f" (did you mean {match[0]!r}?)" if match else ""
