"""The trained heads of the public ResNet-56 that lie beside the benchmarks."""

from __future__ import annotations

from pathlib import Path

import _frozen
from safetensors.torch import load_file
from torch import nn

from offramp.graph import Graph
from offramp.zoo import LoadedModel

NAME = "resnet56"
KEPT = Path(__file__).parent / "heads" / f"{NAME}.safetensors"
PLAN = _frozen.PLANS[NAME]


def candidates(loaded: LoadedModel, seed: int) -> Graph:
    """The network with all six untrained heads, as in the benchmark pteenet."""
    places = [*["input"] * len(PLAN.students), *PLAN.late]
    return _frozen.add_exits(loaded, places, [*PLAN.students, *["light"] * len(PLAN.late)], seed)


def load(loaded: LoadedModel, seed: int = 0, file: Path = KEPT) -> Graph:
    """The network with the six trained heads that lie beside the benchmarks."""
    graph = candidates(loaded, seed)
    kept = load_file(file)
    for at in range(len(graph.exits) - 1):
        name = f"exit{at}/head"
        body = graph.bodies[name]
        assert isinstance(body, nn.Module), "a head learns"
        start = f"{name}."
        body.load_state_dict({key.removeprefix(start): kept[key] for key in kept if key.startswith(start)})
    return graph
