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
        example: What it takes: a tensor, a tuple or a dictionary of tensors, batch first.
        count: How many exits, if `placement` is a rule.
        placement: As for `exits`, each place once.
        head: Of each exit, as for `exits`.
        controller: Of each exit: a kind of head too, or a module from what is carried there to [B, 2].
        sees: "answer": the head always runs, and the controller sees how sure it is; see `nn.Controller`. "features":
            the controller sees what the head would read, and the head runs only where it answers, as in the paper.
        normalize: Becomes the graph's first node.
        logits: As for `exits`.

    Raises:
        CaptureError: As for `exits`.
        OptionError: No such rule, head, controller or `sees`; not one of them for each exit.

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
    """Refuse what a controller cannot see."""
    if sees not in ("answer", "features"):
        raise OptionError(f"a controller sees 'answer' or 'features', but sees is {sees!r}. Choose one of them.")
