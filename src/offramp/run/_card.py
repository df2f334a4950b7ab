"""What a file says about itself: the `offramp` metadata entry, read without any engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from offramp.errors import DataError, EngineError

from ._reference import check_thresholds

if TYPE_CHECKING:
    from onnx import ModelProto

CARD_KEY = "offramp"
Card = Mapping[str, Any]  # Any: JSON
OUTPUTS = ("logits", "exit", "score", "route")


def check_file(path: str | Path) -> Path:
    """The path, if there is a file.

    Raises:
        DataError: There is none.
    """
    found = Path(path)
    if not found.is_file():
        raise DataError(f"expected a model file, but {found} is not there: write one with export.onnx.save.")
    return found


def find_card(model: ModelProto) -> str | None:
    """The text of a model's card, or None if it has none."""
    return next((entry.value for entry in model.metadata_props if entry.key == CARD_KEY), None)


def parse_card(text: str | None, path: Path, *, dense: bool) -> Card:
    """The parsed metadata of a file.

    Args:
        text: JSON, or None if the file has no such entry.
        path: Names the file in errors.
        dense: Whether a dense file was asked for.

    Raises:
        EngineError: There is no card, it cannot be read, or the file is of the other kind.
    """
    if text is None:
        raise EngineError(
            f"expected a file of offramp, but {path} has no `offramp` metadata: write it with export.onnx.save."
        )
    try:
        card = json.loads(text)
    except json.JSONDecodeError as error:
        raise EngineError(
            f"expected JSON in the `offramp` metadata, but that of {path} is broken ({error}): export anew."
        ) from error
    missing = [key for key in ("classes", "exits", "inputs", "gates", "controls") if key not in card]
    if missing:
        raise EngineError(f"expected a complete card, but that of {path} lacks {missing}: export it anew.")
    if bool(card.get("dense")) != dense:
        right = "load_dense" if card.get("dense") else "load"
        raise EngineError(
            f"{path} holds the {'dense' if card.get('dense') else 'conditional'} network: read it with {right}."
        )
    return dict(card)


class Limits:
    """The thresholds that apply to a call: the given ones, else those that the file has chosen, else none leave early.

    Args:
        card: Of the file.

    Raises:
        ThresholdError: The file's own thresholds do not fit its gates.
    """

    def __init__(self, card: Card) -> None:
        self._gates = len(card["gates"])
        chosen = card.get("thresholds")
        if chosen is None:
            chosen = [gate["stop_none"] for gate in card["gates"]]
        self._chosen = check_thresholds(np.asarray(chosen, np.float32), self._gates)

    def __call__(self, thresholds: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """Float32, one per gate; ThresholdError if they do not fit."""
        if thresholds is None:
            return self._chosen
        return check_thresholds(thresholds, self._gates)


def check_exits(taken: NDArray[np.int64]) -> None:
    """Refuse an answer in which no input of select was there for some row.

    Raises:
        EngineError: Some exit is -1.
    """
    if (taken.item() if taken.size == 1 else taken.min(initial=0)) < 0:
        row = int((taken < 0).argmax())
        raise EngineError(
            f"expected an exit for every sample, but row {row} reached none: add an exit that always runs."
        )
