"""What a graph costs: multiply-accumulates, parameters and bytes of its PyTorch bodies."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from offramp.errors import GraphError
from offramp.graph import Graph, Node, find_ancestors

from ._breakdown import Breakdown
from ._costs import Costs
from ._operations import Counter
from ._operations import warn_uncounted as warn_uncounted


@contextmanager
def counting() -> Iterator[Counter]:
    """A counter of the multiply-accumulates that run inside.

    Attention is forced onto its plain form meanwhile: the counter does not see the fused kernels.

    Yields:
        The counter, whose number grows while modules run.
    """
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            torch.no_grad(),
            sdpa_kernel(SDPBackend.MATH),
            Counter() as counter,
        ):
            yield counter
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def count(module: nn.Module, *args: Any, **kwargs: Any) -> int:  # Any: whatever the module takes
    """Multiply-accumulates of one call of a module, in evaluation mode.

    Convolutions, linear layers and products of matrices and vectors count; what is done number by number, pooling,
    resampling and normalization are free, as in the papers of this field. An operation that is neither, such as the
    inverse of a matrix, counts as nothing and is named in an `OfframpWarning`. What runs is what counts: give one row
    for the cost per sample.

    Args:
        module: The module to call.
        args: What the module takes by position.
        kwargs: What the module takes by name.

    Returns:
        The number of multiply-accumulates.

    Example:
        >>> count(nn.Linear(10, 3), torch.zeros(1, 10))
        30
    """
    with _evaluating(module), counting() as counter:
        module(*args, **kwargs)
    warn_uncounted(counter.uncounted)
    return counter.macs


def count_macs(graph: Graph) -> dict[str, int]:
    """Multiply-accumulates per sample of every node; those without a body cost nothing.

    Args:
        graph: A graph whose bodies are PyTorch modules.

    Returns:
        The multiply-accumulates by name of the node.

    Raises:
        GraphError: A body is missing or is no module.
    """
    return {node.name: _count_node(graph, node) for node in graph.nodes}


def path_costs(graph: Graph, macs: Mapping[str, int] | None = None) -> Costs:
    """What a sample that answers at each exit has run, heads and gates included, and what the stages alone cost.

    Scores that no gate reads are left out: they exist for the evidence, the exported file does not run them.

    Args:
        graph: A graph whose every control node has a way to each later exit; of others, `measure.route_macs` tells.
        macs: What `count_macs` gives for the graph, if it is at hand.

    Returns:
        The costs by exit, in multiply-accumulates.

    Raises:
        GraphError: The exits do not lie one behind the other, or there are no stages.
    """
    macs = count_macs(graph) if macs is None else macs
    costs = [sum(macs[name] for name in _run_for(graph, exit)) for exit in graph.exits]
    baseline = sum(macs[node.name] for node in graph.nodes if node.role in ("stage", "normalize"))
    if costs != sorted(costs) or not baseline:
        raise GraphError(
            f"exits must lie one behind the other in the stages of a network, but cost {costs} with stages of "
            f"{baseline} MACs. Use measure.route_macs."
        )
    return Costs(per_exit=np.asarray(costs, np.float64), baseline=float(baseline), unit="macs")


def breakdown(graph: Graph, macs: Mapping[str, int] | None = None, *, gate_overhead: float = 0.0) -> Breakdown:
    """What each stage and each exit of a chain costs, so that any choice among the exits can be priced.

    Args:
        graph: A chain of exits, as `attach.exits` makes it.
        macs: What `count_macs` gives for the graph, if it is at hand.
        gate_overhead: The cost of each exit besides its head, as a share of the network alone.

    Returns:
        The cost of each part, in multiply-accumulates.
    """
    macs = count_macs(graph) if macs is None else macs
    baseline = path_costs(graph, macs).baseline
    ran = [set[str](), *(_run_for(graph, exit) for exit in graph.exits)]
    fresh = [[graph[name] for name in now - before] for before, now in pairwise(ran)]
    exits = [sum(macs[node.name] for node in nodes if node.role in ("head", "score")) for nodes in fresh]
    stages = [sum(macs[node.name] for node in nodes) - own for nodes, own in zip(fresh, exits, strict=True)]
    return Breakdown(
        stages=np.array(stages, np.float64),
        heads=np.array(exits[:-1], np.float64),
        gate_overheads=np.full(len(exits) - 1, gate_overhead * baseline),
        baseline=baseline,
        unit="macs",
    )


def parameters(graph: Graph) -> int:
    """Number of parameters of all bodies, shared ones once.

    Args:
        graph: A graph whose bodies are PyTorch modules.

    Returns:
        The number of parameters.
    """
    return sum(weight.numel() for weight in _tensors(graph, buffers=False))


def size_bytes(graph: Graph) -> int:
    """Bytes of the parameters and buffers of all bodies, shared ones once.

    Args:
        graph: A graph whose bodies are PyTorch modules.

    Returns:
        The number of bytes.
    """
    return sum(tensor.numel() * tensor.element_size() for tensor in _tensors(graph, buffers=True))


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode inside, each submodule's own mode afterwards."""
    modes = {inner: inner.training for inner in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for inner, mode in modes.items():
            inner.training = mode


def _count_node(graph: Graph, node: Node) -> int:
    if node.kind not in ("function", "control") or node.gate is not None:
        return 0
    body = graph.bodies.get(node.name)
    if not isinstance(body, nn.Module):
        raise GraphError(f"MACs need a torch body per node, but {node.name!r} has {body!r}. Give it an nn.Module.")
    device = next((tensor.device for tensor in (*body.parameters(), *body.buffers())), torch.device("cpu"))
    return count(_answering(body), *(_blank(graph, edge.source, edge.output, device) for edge in node.inputs))


def _answering(body: nn.Module) -> nn.Module:
    """The body, or a copy with zeros for NaN: a score that is not fitted yet refuses to answer."""
    if not any(tensor.is_floating_point() and bool(tensor.isnan().any()) for tensor in body.buffers()):
        return body
    body = copy.deepcopy(body)
    for tensor in body.buffers():
        tensor.nan_to_num_()
    return body


def _blank(graph: Graph, source: str, output: int, device: torch.device) -> torch.Tensor:
    """One row of zeros of what a node gives."""
    given = graph[source].outputs[output] if graph[source].outputs else graph[graph.exits[-1]].outputs[0]
    shape = (1, *given.shape) if given.row_wise else given.shape
    return torch.zeros(shape, dtype=getattr(torch, given.dtype), device=device)


def _run_for(graph: Graph, exit: str) -> set[str]:
    """Names of the nodes that run for a sample that answers at this exit."""
    wanted = find_ancestors(graph, graph.answer)
    towards = find_ancestors(graph, exit)
    closed: set[str] = set()
    ran: set[str] = set()
    opened_by = {child: node for node in graph.controls for child in node.edges}
    for node in graph.nodes:
        parent = opened_by.get(node.name)
        shut = parent is not None and (parent.name not in ran or _choice(parent, towards) != node.name)
        null = node.kind != "select" and any(edge.source in closed and edge.default is None for edge in node.inputs)
        if shut or null:
            closed.add(node.name)
        elif node.name in wanted or node.kind == "control":
            ran.add(node.name)
    return ran


def _choice(control: Node, towards: set[str]) -> str:
    """The edge that leads to the exit; if none does, the first, which for a gate is to stop."""
    return next((child for child in control.edges if child in towards), control.edges[0])


def _tensors(graph: Graph, *, buffers: bool) -> list[torch.Tensor]:
    modules = [body for body in graph.bodies.values() if isinstance(body, nn.Module)]
    found: dict[int, torch.Tensor] = {id(weight): weight for module in modules for weight in module.parameters()}
    if buffers:
        found |= {id(tensor): tensor for module in modules for tensor in module.buffers()}
    return list(found.values())
