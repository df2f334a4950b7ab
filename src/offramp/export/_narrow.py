"""Bodies that read less than they are given: what they ignore does not count, so one trace serves many places.

A score gets the features, its exit's logits and those of all exits before. Most look at the logits alone, and would be
traced once for each exit.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
import torch
from onnx import helper
from torch import nn

from offramp.graph import Tensor

from ._blocks import ELEMENT


class Narrow(nn.Module):
    """A body that is given only what it reads.

    Args:
        body: It ignores all other arguments.
        reads: Positions of what it reads.
        width: Number of arguments that it takes.
    """

    def __init__(self, body: nn.Module, reads: Sequence[int], width: int) -> None:
        super().__init__()
        self.body, self._reads, self._width = body, tuple(reads), width

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        """What the body gives; what it ignores is filled with something else."""
        known = dict(zip(self._reads, given, strict=True))
        made: torch.Tensor = self.body(*(known.get(at, given[0]) for at in range(self._width)))
        return made


def find_reads(body: nn.Module) -> tuple[int, ...]:
    """Positions of the arguments that a body says it reads alone; none if it says nothing.

    Only bodies without weights and buffers say so: all of one class are then equal.
    """
    reads = vars(type(body)).get("reads", ())  # a subclass may read more, so it must say so itself
    return () if any(True for _ in (*body.parameters(), *body.buffers())) else tuple(reads)


def widen(model: onnx.ModelProto, reads: Sequence[int], given: Sequence[Tensor]) -> onnx.ModelProto:
    """The model of a narrow body with an input for all that the body is given.

    Args:
        model: Its inputs are `i0, i1, ...` for what it reads.
        reads: Positions of these among all.
        given: All that the body is given.

    Returns:
        A copy with the inputs `i0, i1, ...` for all of them.
    """
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    names = {f"i{narrow}": f"i{at}" for narrow, at in enumerate(reads)}
    for node in wide.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    del wide.graph.input[:]
    wide.graph.input.extend(
        helper.make_tensor_value_info(
            f"i{at}", ELEMENT[tensor.dtype], ["batch", *tensor.shape] if tensor.row_wise else list(tensor.shape)
        )
        for at, tensor in enumerate(given)
    )
    return wide
