"""Other bodies for a graph, whose tensors may have other shapes.

A graph holds shapes but never calls a body, so it cannot find them by itself: that is done here, where PyTorch is.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from offramp.errors import GraphError
from offramp.graph import Body, DataEdge, Graph, Node, Tensor

_ROWS = 2  # of a batch that is run to see shapes; of one row, some normalizations make nothing
Outputs = dict[str, tuple[Tensor, ...]]


def replace_bodies(graph: Graph, bodies: Mapping[str, Body]) -> Graph:
    r"""The same nodes and edges with other bodies; the shapes of their tensors are found anew along the edges.

    Only what changed runs, and what follows from it.

    Args:
        graph: Whose bodies are modules.
        bodies: By name of their node; names that are not given keep theirs.

    Returns:
        The graph with these bodies, and with the shapes that follow from them.

    Raises:
        GraphError: A body cannot read what comes in now, or gives another number of tensors.

    Example:
        >>> from offramp.attach import d2nn
        >>> graph = d2nn("wide: x | fc 8\nout: wide | fc 3", (4,))
        >>> narrow = {"wide": nn.Linear(4, 2), "out": nn.Linear(2, 3)}
        >>> replace_bodies(graph, narrow)["wide"].outputs[0].shape
        (2,)
    """
    changed: Outputs = {}
    for node in graph.nodes:
        if node.kind == "select":
            found: tuple[Tensor, ...] = (_read(graph, node.inputs[0], changed),)
        elif node.kind == "function" and (node.name in bodies or any(edge.source in changed for edge in node.inputs)):
            found = _run(graph, node, bodies.get(node.name, graph.bodies.get(node.name)), changed)
        else:
            continue
        if found != node.outputs:
            changed[node.name] = found
    return graph.replace(bodies=bodies, outputs=changed)


def _read(graph: Graph, edge: DataEdge, changed: Outputs) -> Tensor:
    """What an edge carries now."""
    return changed.get(edge.source, graph[edge.source].outputs)[edge.output]


@torch.no_grad()
def _run(graph: Graph, node: Node, body: Body | None, changed: Outputs) -> tuple[Tensor, ...]:
    """What a node gives for blanks of the shapes that it reads now."""
    tensors = [_read(graph, edge, changed) for edge in node.inputs]
    assert isinstance(body, nn.Module), "bodies of a graph that is changed are modules"
    was = body.training
    try:
        result = body.eval()(*map(_blank, tensors))
    except Exception as error:  # a body may raise anything on what does not suit it
        shapes = [list(tensor.shape) for tensor in tensors]
        raise GraphError(
            f"the body of {node.name!r} must read {shapes}, but raised {type(error).__name__}: {error}. Change both."
        ) from error
    finally:
        body.train(was)
    given = (result,) if isinstance(result, torch.Tensor) else tuple(result)
    if len(given) != len(node.outputs):
        raise GraphError(
            f"the body of {node.name!r} must give {len(node.outputs)} tensors, but gives {len(given)}. Change it."
        )
    return tuple(_describe(one, before) for one, before in zip(given, node.outputs, strict=True))


def _blank(tensor: Tensor) -> torch.Tensor:
    shape = (_ROWS, *tensor.shape) if tensor.row_wise else tensor.shape
    return torch.ones(shape, dtype=getattr(torch, tensor.dtype))


def _describe(value: torch.Tensor, before: Tensor) -> Tensor:
    shape = tuple(value.shape[1:] if before.row_wise else value.shape)
    return Tensor(shape=shape, dtype=str(value.dtype).removeprefix("torch."), row_wise=before.row_wise)
