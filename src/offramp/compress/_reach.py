"""What reaches the bodies of a network: their inputs on real samples, gates ignored.

Shape letters: S samples.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np
import torch

from offramp.graph import Graph
from offramp.nn import Executor, Values, gather
from offramp.run import Samples, bind

from ._ends import Item

BATCH = 32
MOST_BYTES = 128 * 2**20  # of what is kept for one body


@torch.no_grad()
def float_values(graph: Graph, samples: Samples) -> Iterator[Values]:
    """Values of all nodes in float, batch by batch."""
    executor = Executor(graph).eval()
    names = [node.name for node in graph.inputs]
    for start in range(0, len(samples), BATCH):
        arrays = bind(samples.take(slice(start, min(start + BATCH, len(samples)))), names)
        yield executor.dense({name: torch.from_numpy(np.ascontiguousarray(one)) for name, one in arrays.items()})


def find_items(graph: Graph, samples: Samples, nodes: Collection[str]) -> dict[str, list[Item]]:
    """By body, its inputs `i0, i1, ...` for one sample after the other; of large ones, fewer samples."""
    items: dict[str, list[Item]] = {name: [] for name in nodes}
    held = dict.fromkeys(nodes, 0)
    for values in float_values(graph, samples):
        for name in nodes:
            edges = graph[name].inputs
            given = [tensor.numpy() for tensor in gather(values, graph[name])]
            by_row = [graph[edge.source].outputs[edge.output].row_wise for edge in edges]
            rows = next(len(array) for array, row_wise in zip(given, by_row, strict=True) if row_wise)
            for row in range(rows):
                item = {
                    f"i{at}": array[row : row + 1].copy() if row_wise else array
                    for at, (array, row_wise) in enumerate(zip(given, by_row, strict=True))
                }
                held[name] += sum(array.nbytes for array in item.values())
                if held[name] <= MOST_BYTES or not items[name]:
                    items[name].append(item)
    return items
