"""What answering at each exit costs, as a share of the backbone."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from offramp.graph import Graph, find_ancestors
from offramp.measure.torch import count_macs, path_costs

Charge = Literal["all", "own"]


def charge_exits(graph: Graph, charge: Charge) -> Tensor:
    """The cost of a sample that answers at each exit, as a share of the backbone's multiply-accumulates.

    Args:
        graph: An early-exit graph.
        charge: "all" charges everything that ran: stages, all heads and gates on the way; the final exit then costs
            more than 1. "own" charges of the heads only the one that answers, as the papers do, and those whose logits
            it reads.

    Returns:
        One number per exit [E], the final one last.
    """
    macs = count_macs(graph)
    costs = path_costs(graph, macs)
    if charge == "all":
        return torch.from_numpy(costs.relative).float()
    paths = [find_ancestors(graph, exit, through_control=False) for exit in graph.exits]
    return torch.tensor([sum(macs[name] for name in path) / costs.baseline for path in paths])
