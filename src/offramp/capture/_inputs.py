"""What a model is called with: one tensor, a tuple of them, or a dictionary."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from offramp.errors import CaptureError

Example = Tensor | tuple[Tensor, ...] | Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """An example, taken apart.

    Attributes:
        names: One name per tensor: "x", or "x0", "x1", ..., or the keys of the dictionary.
        tensors: The tensors, batch first, all with the same number of rows.
        keyword: True if the model is called by keyword.
    """

    names: tuple[str, ...]
    tensors: tuple[Tensor, ...]
    keyword: bool

    def rows(self, count: int) -> Inputs:
        """The same inputs with another number of rows.

        Args:
            count: Number of rows; the given ones are repeated over and over.

        Returns:
            Inputs with copies of the rows.
        """
        index = torch.arange(count) % len(self.tensors[0])
        tensors = tuple(tensor.detach()[index.to(tensor.device)].clone() for tensor in self.tensors)
        return Inputs(names=self.names, tensors=tensors, keyword=self.keyword)

    def call(self, model: nn.Module) -> object:
        """Call a model with the tensors, by position or by keyword.

        Args:
            model: The model to call.

        Returns:
            What the model answers.
        """
        return model(**dict(zip(self.names, self.tensors, strict=True))) if self.keyword else model(*self.tensors)


def read_example(example: Example) -> Inputs:
    """The names and tensors of an example.

    Args:
        example: A tensor, a tuple of tensors, or a dictionary by argument name; batch first.

    Returns:
        The example, taken apart.

    Raises:
        CaptureError: It holds no tensors, tensors without rows, or unequal numbers of rows.
    """
    names, tensors = _take_apart(example)
    wrong = [name for name, tensor in zip(names, tensors, strict=True) if not isinstance(tensor, Tensor)]
    if not tensors or wrong:
        raise CaptureError(
            "an example must be a tensor, a tuple or a dictionary of tensors, but "
            f"{', '.join(wrong) or 'it'} is not. Bind other arguments to the model first."
        )
    rows = {tuple(tensor.shape[:1]) for tensor in tensors}
    if len(rows) > 1 or rows & {(), (0,)}:
        shapes = {name: tuple(tensor.shape) for name, tensor in zip(names, tensors, strict=True)}
        raise CaptureError(f"example tensors must have the same batch axis first, but have {shapes}. Give 2 rows each.")
    return Inputs(names=tuple(names), tensors=tuple(tensors), keyword=isinstance(example, Mapping))


def _take_apart(example: Example) -> tuple[list[str], list[Tensor]]:
    if isinstance(example, Mapping):
        return [str(key) for key in example], list(example.values())
    if isinstance(example, Tensor):
        return ["x"], [example]
    tensors = list(example) if isinstance(example, Iterable) else [example]
    return (["x"] if len(tensors) == 1 else [f"x{at}" for at in range(len(tensors))]), tensors
