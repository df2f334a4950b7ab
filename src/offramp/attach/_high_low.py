"""Two trained networks, and a controller that learns which of them a sample needs."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from offramp.capture import Capture, Example, Logits, capture
from offramp.errors import OptionError
from offramp.graph import Graph
from offramp.nn import Controller, Normalize
from offramp.nn.heads import HeadRecipe, build_head

from ._chain import Head, Sees
from ._controllers import check_sees
from ._d2nn import d2nn
from ._exits import with_vocabulary


def high_low(  # noqa: PLR0913  # the one call that users write: each argument is a word of theirs
    small: nn.Module,
    large: nn.Module,
    example: Example,
    *,
    controller: Head = "light:width=16,blocks=1",
    sees: Sees = "features",
    normalize: Normalize | None = None,
    logits: Logits = None,
) -> Graph:
    """A graph of a cheap and a capable network in which a controller chooses, for each sample, whose answer it is.

    Args:
        small: The cheap classifier; both classifiers stay as they are.
        large: The capable classifier, which knows the same classes.
        example: One or more samples as both take them: a tensor, a tuple or a dictionary of tensors, batch first.
        controller: Kind of head, such as "light" or "layers:pool 4 | conv 3x3 8 | relu", or a module from the first
            input to [B, 2]; it reads the input.
        sees: "features": the input alone, and one of the networks runs. "answer": the small network always runs, the
            controller also sees how sure it is, see `nn.Controller`, and chooses whether the large one runs too.
        normalize: Module that becomes the graph's first node, so that the graph takes plain pixels; None for none.
        logits: Name or position of the output that holds the logits in both networks, if they have several.

    Returns:
        The graph, whose controller is trained by `learn.q`.

    Raises:
        CaptureError: A network cannot be captured.
        OptionError: They know different numbers of classes; there is no such controller, output or value of `sees`.

    Example:
        >>> import torch
        >>> large = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 3))
        >>> graph = high_low(nn.Linear(8, 3), large, torch.zeros(2, 8), controller="auto")
        >>> graph.exits, graph["choice"].edges
        (('small', 'large'), ('small', 'large'))

    Reference:
        Liu and Deng, "Dynamic Deep Neural Networks: Optimizing Accuracy-Efficiency Trade-offs by Selective Execution",
        AAAI 2018, the high-low capacity D2NN.
    """
    check_sees(sees)
    captured = {
        name: capture(model, example, whole=True, logits=logits) for name, model in (("small", small), ("large", large))
    }
    classes = [each.logits.shape[-1] for each in captured.values()]
    if classes[0] != classes[1]:
        raise OptionError(f"both networks must know the same classes, but know {classes[0]} and {classes[1]}.")
    modules = {name: each.split(())[0] for name, each in captured.items()}
    choosing = _choosing(controller, captured["small"])
    reads = ", ".join(name.replace(".", "_") for name in captured["small"].inputs)
    first = reads.partition(",")[0]
    edges, seen = ("small, large", first) if sees == "features" else ("dummy, large", f"{first}, small")
    modules["choice"] = choosing if sees == "features" else Controller(choosing, classes[0])
    table = f"""
        choice: {seen} -> {edges}
        small: {reads}
        large: {reads}
        answer: large or small
    """
    return _with_roles(d2nn(table, example, modules=modules, normalize=normalize))


def _choosing(controller: Head, captured: Capture) -> nn.Module:
    if isinstance(controller, nn.Module):
        return controller
    recipe = with_vocabulary(controller, captured.entry, captured)
    assert isinstance(recipe, HeadRecipe | str)
    recipe = HeadRecipe.parse(recipe) if isinstance(recipe, str) else recipe
    first = next(iter(captured.inputs.values()))
    return build_head(recipe, first.shape, 2, dtype=first.dtype)


def _with_roles(graph: Graph) -> Graph:
    """The large network is the one that costs are compared with, the small one an exit of its own."""
    roles = {"large": "stage", "small": "head"}
    nodes = tuple(replace(node, role=roles.get(node.name, node.role)) for node in graph.nodes)
    return replace(graph, nodes=nodes)
