"""What a runtime is asked and what it answers.

Shape letters: B batch, K classes, N early exits, E = N + 1 exits with the final one, G control nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a conditional network says of a batch.

    Attributes:
        logits: Of the exit that answered, [B, K].
        exit: Which exit answered, in graph order, [B]; the final exit is the last.
        score: Of the gate that stopped the sample, [B]; 1 if none did.
        route: The edge that each control node opened, [B, G]; the number of its edges if it did not run.
    """

    logits: NDArray[np.float32]
    exit: NDArray[np.int64]
    score: NDArray[np.float32]
    route: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseAnswer:
    """What all exits would say of a batch, gates ignored.

    Attributes:
        logits: Of every exit in graph order, [B, E, K].
        scores: By score name, what each early exit's gate would compare, [B, N].
    """

    logits: NDArray[np.float32]
    scores: Mapping[str, NDArray[np.float32]]


class Runtime(Protocol):
    """A conditional network that runs somewhere: an engine, a precision, a number of threads."""

    @property
    def engine(self) -> str:
        """Name of the engine, such as "openvino"."""

    @property
    def precision(self) -> str:
        """Number format that the engine computes in, such as "f32"."""

    @property
    def threads(self) -> int:
        """CPU threads that one call may use."""

    @property
    def card(self) -> Mapping[str, Any]:  # Any: JSON
        """The parsed `offramp` metadata of the file."""

    def __call__(
        self, inputs: Mapping[str, NDArray[Any]], thresholds: NDArray[np.float32] | None = None
    ) -> Answer:  # Any: pixels are float32, tokens int64
        """Answer a batch; without `thresholds` those that the file has chosen apply."""


class DenseRuntime(Protocol):
    """A network that runs every exit for every sample: where evidence comes from."""

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> DenseAnswer:  # Any: as above
        """Give what all exits say of a batch."""
