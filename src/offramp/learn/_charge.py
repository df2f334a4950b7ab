"""What answering at each exit costs, as a share of the backbone."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from offramp.graph import Graph, find_ancestors
from offramp.measure.torch import count_macs, path_costs

Charge = Literal["all", "own"]


def charge_exits(graph: Graph, charge: Charge) -> Tensor:
    """[E] multiply-accumulates of a sample that answers at each exit, over those of the backbone.

    Args:
        graph: An early-exit graph.
        charge: "all" charges everything that ran: stages, all heads and gates on the way; the final exit then costs
            more than 1. "own" charges of the heads only the one that answers, as the papers do, and in a cascade
            those that it hears.
    """
    macs = count_macs(graph)
    costs = path_costs(graph, macs)
    if charge == "all":
        return torch.from_numpy(costs.relative).float()
    paths = [find_ancestors(graph, exit, through_control=False) for exit in graph.exits]
    return torch.tensor([sum(macs[name] for name in path) / costs.baseline_macs for path in paths])
