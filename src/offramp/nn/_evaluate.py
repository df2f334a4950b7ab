"""The one loop over a graph's nodes: what they give for every row of a batch, gates ignored.

Shape letters: B rows of the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

from offramp.errors import GraphError
from offramp.graph import Body, Graph, Node

Values = dict[str, tuple[Tensor, ...]]


def evaluate(
    graph: Graph,
    inputs: Mapping[str, Tensor],
    *,
    nodes: Iterable[str] | None = None,
    values: Mapping[str, tuple[Tensor, ...]] | None = None,
    bodies: Mapping[str, Body] | None = None,
) -> Values:
    """Run nodes of a graph on all rows of a batch, whatever its gates say.

    Where only some rows would come by, all do: nothing is null, so no default is read, and a select node gives the
    first of its inputs. Gradients, training mode and precision are the caller's: it sets them around the call.

    Args:
        graph: Any conditional graph.
        inputs: Tensors [B, ...] by name of their input node, with the shape that the node says behind B. Those that
            nothing needs may be left out.
        nodes: Names of the nodes whose values are wanted; what they read is run first, unless it is known. None runs
            every function and select node. A control node with a body runs only if it is named, and gives the scores
            [B, edges].
        values: What some nodes are known to give, by name, one tensor per output; these are not run.
        bodies: What is called in the place of the graph's own bodies, by name of the node.

    Returns:
        By name all that is known afterwards: inputs, `values` and each node that ran. Each is a tuple with one tensor
        per output of the node: [B, ...] if it is row-wise, and without B if all samples share it.

    Raises:
        GraphError: A node that must run has no body, or no value of an input is known.

    Example:
        >>> import torch
        >>> from offramp.graph import DataEdge, Node
        >>> from offramp.graph import Tensor as Spec
        >>> x = Node(name="x", kind="input", outputs=(Spec(shape=(2,)),))
        >>> net = Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=(Spec(shape=(2,)),))
        >>> graph = Graph(nodes=(x, net), answer="net", bodies={"net": torch.nn.Identity()})
        >>> evaluate(graph, {"x": torch.ones(1, 2)}, bodies={"net": lambda x: 3 * x})["net"]
        (tensor([[3., 3.]]),)
    """
    known: Values = {**{name: (tensor,) for name, tensor in inputs.items()}, **(values or {})}
    called = {**graph.bodies, **(bodies or {})}
    for node in _find_needed(graph, nodes, known):
        if node.kind == "select":
            known[node.name] = (known[node.inputs[0].source][node.inputs[0].output],)
        elif node.name in called:
            known[node.name] = as_tuple(called[node.name](*gather(known, node)))
        else:
            raise GraphError(f"{node.name!r} must have a body or a known value, but has neither. Use with_bodies.")
    return known


def gather(values: Mapping[str, tuple[Tensor, ...]], node: Node) -> list[Tensor]:
    """What a node reads, in the order of its body's arguments.

    Args:
        values: What nodes give, as `evaluate` returns it.
        node: Any node whose sources are among them.

    Returns:
        One tensor per data edge of the node.
    """
    return [values[edge.source][edge.output] for edge in node.inputs]


def as_tuple(result: Tensor | Iterable[Tensor]) -> tuple[Tensor, ...]:
    """The outputs of a body as a tuple, also where there is only one.

    Args:
        result: What a body returned.

    Returns:
        One tensor per output.
    """
    return (result,) if isinstance(result, Tensor) else tuple(result)


def _find_needed(graph: Graph, nodes: Iterable[str] | None, known: Mapping[str, object]) -> list[Node]:
    """What must run to know these nodes, in graph order."""
    if nodes is None:
        return [node for node in graph.nodes if node.kind in ("function", "select") and node.name not in known]
    wanted, needed = set(nodes), list[Node]()
    for node in reversed(graph.nodes):
        if node.name in wanted and node.name not in known:
            read = node.inputs[:1] if node.kind == "select" else node.inputs
            wanted |= {edge.source for edge in read}
            needed.append(node)
    return needed[::-1]
