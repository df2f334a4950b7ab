"""What a runtime knows without its engine: all of a batch without rows, and of a network without control nodes the way.

Such a batch takes some engines down with the process: networks that reshape by the size of the batch divide by it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ._card import OUTPUTS, Card
from ._runtime import Answer

ONLY_EXIT = "only_exit"  # entry of the card; files that were written before have none


def outputs_to_ask(card: Card) -> tuple[str, ...]:
    """Names of the file's outputs that an engine has to compute, in the order of `Answer`.

    Args:
        card: Of a conditional file.

    Example:
        >>> outputs_to_ask({"only_exit": 0})
        ('logits',)
    """
    return OUTPUTS if card.get(ONLY_EXIT) is None else OUTPUTS[:1]


class OnlyWay:
    """Makes answers of a network without control nodes, where only the logits differ between samples.

    Args:
        card: Of a file that says its only exit.
    """

    def __init__(self, card: Card) -> None:
        self._exit = int(card[ONLY_EXIT])
        self._known = self._make(1)

    def __call__(self, logits: NDArray[np.float32]) -> Answer:
        """The answer with these logits, in arrays of the caller's own."""
        taken, score, route = self._known  # to copy small arrays takes a fifth of what it takes to make them
        if len(taken) != len(logits):
            taken, score, route = self._known = self._make(len(logits))
        return Answer(logits=logits, exit=taken.copy(), score=score.copy(), route=route.copy())

    def _make(self, rows: int) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
        return np.full(rows, self._exit, np.int64), np.ones(rows, np.float32), np.empty((rows, 0), np.int64)


def answer_nothing(card: Card) -> Answer:
    """The answer to a batch without rows.

    Example:
        >>> answer_nothing({"classes": 10, "controls": ["gate"]}).logits.shape
        (0, 10)
    """
    return Answer(
        logits=np.empty((0, card["classes"]), np.float32),
        exit=np.empty(0, np.int64),
        score=np.empty(0, np.float32),
        route=np.empty((0, len(card["controls"])), np.int64),
    )
