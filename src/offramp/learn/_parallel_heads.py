"""Heads that learn side by side, each on a thread of its own: most of their operations are too small to be divided.

Of 8 heads on pictures of 32 x 32, in batches of 32, an operation takes a tenth of a millisecond: two threads that share
each of them wait for each other most of the time, and for whatever else the machine does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from offramp.nn import Values, as_tuple, gather

from ._trainable_heads import TrainableHeads


class ParallelHeads:
    """Runs heads, and computes their gradients, on as many threads as PyTorch has.

    Results are those of one thread, so they do not depend on how many there are. Heads that read each other, draw at
    random or lie on a card run one after the other.

    Args:
        heads: What learns.
    """

    def __init__(self, heads: TrainableHeads) -> None:
        self._heads = heads
        threads = min(torch.get_num_threads(), len(heads.nodes))
        self._pool = _open_pool(threads) if threads > 1 and _are_independent(heads) else None

    def __call__(self, values: Mapping[str, tuple[Tensor, ...]]) -> Values:
        """What each node gives, by name, with gradients that flow back into its weights.

        Args:
            values: What the backbone gave, by node.
        """
        if self._pool is None:
            given: Values = self._heads(values)
            return given
        calls = [_Call(self._heads.bodies[node.name], gather(values, node)) for node in self._heads.nodes]
        list(self._pool.map(_Call.forward, calls))
        leaves = [leaf for call in calls for leaf in call.leaves]
        joined = iter(_Join.apply(self._pool, calls, *leaves))  # type: ignore[no-untyped-call]  # PyTorch's own
        return {
            node.name: tuple(next(joined) for _ in call.leaves)
            for node, call in zip(self._heads.nodes, calls, strict=True)
        }


class _Call:
    """One call of a head, and the way back through it."""

    def __init__(self, body: nn.Module, inputs: Sequence[Tensor]) -> None:
        self._body, self._inputs = body, inputs
        self._autocast = torch.is_autocast_enabled("cpu"), torch.get_autocast_dtype("cpu")
        self._outputs: tuple[Tensor, ...] = ()
        self.leaves: tuple[Tensor, ...] = ()

    def forward(self) -> None:
        """Compute the outputs, as the thread that asks for them would: what it has switched on holds for it alone."""
        with torch.autocast("cpu", self._autocast[1], enabled=self._autocast[0]):
            self._outputs = as_tuple(self._body(*self._inputs))
        self.leaves = tuple(tensor.detach().requires_grad_() for tensor in self._outputs)

    def backward(self, gradients: Sequence[Tensor]) -> None:
        """Add to the gradients of the body's weights."""
        torch.autograd.backward(self._outputs, list(gradients))


class _Join(torch.autograd.Function):
    """The outputs of several calls; their gradients go back on the threads on which they were computed."""

    @staticmethod
    def forward(ctx: Any, pool: ThreadPoolExecutor, calls: Sequence[_Call], *leaves: Tensor) -> tuple[Tensor, ...]:
        """The same numbers."""
        ctx.pool, ctx.calls = pool, calls  # Any: PyTorch's own
        return tuple(leaf.view_as(leaf) for leaf in leaves)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, ...]:  # Any: as above
        """Nothing for the leaves: everything behind them is done here."""
        rest = iter(gradients)
        parts = [[next(rest) for _ in call.leaves] for call in ctx.calls]
        list(ctx.pool.map(_Call.backward, ctx.calls, parts))
        return (None,) * (2 + len(gradients))


def _open_pool(threads: int) -> ThreadPoolExecutor:
    """Threads that divide no operation."""
    before = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="heads", initializer=torch.set_num_threads, initargs=(1,))
    _meet(pool, threads)
    torch.set_num_threads(before)  # for the threads that come later: each has its own number
    return pool


def _meet(pool: ThreadPoolExecutor, threads: int) -> None:
    """Start all threads: a pool starts another one only if the others are busy."""
    barrier = Barrier(threads)
    list(pool.map(lambda _: barrier.wait(), range(threads)))


def _are_independent(heads: TrainableHeads) -> bool:
    names = {node.name for node in heads.nodes}
    alone = not any(edge.source in names for node in heads.nodes for edge in node.inputs)
    drawn = any(isinstance(module, _DropoutNd) for module in heads.modules())
    return alone and not drawn and all(weight.device.type == "cpu" for weight in heads.parameters())
