"""A trained network whose exits learn when to answer."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from offramp.capture import Example, Logits, capture
from offramp.errors import OptionError
from offramp.graph import Graph
from offramp.nn import Normalize

from ._chain import Choice, Head, Sees, build_chain
from ._exits import Placement, choose_cuts, spread_heads, stages_between, with_vocabulary


def controllers(  # noqa: PLR0913  # as `exits`
    model: nn.Module,
    example: Example,
    *,
    count: int = 4,
    placement: Placement = "linear",
    head: Head | Sequence[Head] = "light",
    controller: Head | Sequence[Head] = "pool",
    sees: Sees = "answer",
    normalize: Normalize | None = None,
    logits: Logits = None,
) -> Graph:
    """A graph that answers like the model, with untrained exits whose controllers learn to answer there or to go on.

    As `exits`, but the gate of an exit is a control node with one learned value per edge (stop, go) in the place
    of a score and its threshold.

    Args:
        model: Any classifier; it stays as it is.
        example: One or more samples as the model takes them: a tensor, a tuple or a dictionary of tensors, batch first.
        count: Number of exits, at least 1, if `placement` is a rule.
        placement: "linear", "fine", "pareto" or "golden" (by multiply-accumulates), or the cut points themselves, by
            name or index, each place once.
        head: Kind of head, such as "light" or "pool", or a module from what is carried there to logits; or one of these
            for each exit, in order.
        controller: Network of each controller: a kind of head too, or a module from what is carried there to [B, 2]; or
            one of these for each exit.
        sees: "answer": the head always runs, and the controller sees how sure it is; see `nn.Controller`. "features":
            the controller sees what the head would read, and the head runs only where it answers, as in the paper.
        normalize: Module that becomes the graph's first node, so that the graph takes plain pixels; None for none.
        logits: Name or position of the model's output that holds the logits, if there are several.

    Returns:
        The graph, whose controllers are trained by `learn.q`.

    Raises:
        CaptureError: The model cannot be captured, has no such cut point, or not as many as there are exits.
        OptionError: There is no such rule, head, controller, output or value of `sees`; not one of them for each exit.

    Example:
        >>> import torch
        >>> net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> graph = controllers(net, torch.zeros(2, 8), placement="1", sees="features")
        >>> graph.exits, graph.controls[0].edges
        (('exit0/head', 'stage1'), ('exit0/head', 'stage1'))

    Reference:
        Liu and Deng, "Dynamic Deep Neural Networks: Optimizing Accuracy-Efficiency Trade-offs by Selective Execution",
        AAAI 2018, the cascade on ResNet-110 for CIFAR-10.
    """
    check_sees(sees)
    captured = capture(model, example, logits=logits)
    cuts = choose_cuts(captured, placement, count=count)
    heads, networks = (
        [with_vocabulary(each, cut, captured) for each, cut in zip(spread_heads(given, len(cuts)), cuts, strict=True)]
        for given in (head, controller)
    )
    choices = [Choice(network=network, sees=sees) for network in networks]
    stages = list(stages_between(captured, cuts))
    return build_chain(captured.inputs, stages, heads, normalize=normalize, choices=choices)


def check_sees(sees: str) -> None:
    """Refuse what a controller cannot see.

    Args:
        sees: What was asked for.

    Raises:
        OptionError: It is neither "answer" nor "features".
    """
    if sees not in ("answer", "features"):
        raise OptionError(f"a controller sees 'answer' or 'features', but sees is {sees!r}. Choose one of them.")
