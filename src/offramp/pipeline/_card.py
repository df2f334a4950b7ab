"""The card of a file, its `offramp` metadata: read without an engine, and written anew beside the same network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offramp.errors import EngineError
from offramp.store._folder import replace_bytes

if TYPE_CHECKING:
    import onnx

KEY = "offramp"


def read_card(path: Path) -> dict[str, Any]:  # Any: JSON
    """The card; empty if the file has none.

    Raises:
        EngineError: The file cannot be read.
    """
    return _parse(_load(path), path)


def write_card(path: Path, changes: Mapping[str, Any]) -> None:  # Any: JSON
    """Replace entries of the card; the network stays as it is, and the file is replaced whole or not at all.

    Raises:
        EngineError: The file cannot be read.
        OutputError: It cannot be written.
    """
    model = _load(path)
    card = {**_parse(model, path), **changes}
    others = [(entry.key, entry.value) for entry in model.metadata_props if entry.key != KEY]
    del model.metadata_props[:]
    for key, value in (*others, (KEY, json.dumps(card, allow_nan=False))):
        model.metadata_props.add(key=key, value=value)
    replace_bytes(path, model.SerializeToString())


def _load(path: Path) -> onnx.ModelProto:
    import onnx

    try:
        return onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's own errors share no parent
        raise _unreadable(path) from error


def _parse(model: onnx.ModelProto, path: Path) -> dict[str, Any]:  # Any: JSON
    text = next((entry.value for entry in model.metadata_props if entry.key == KEY), "{}")
    try:
        card: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise _unreadable(path) from error
    return card


def _unreadable(path: Path) -> EngineError:
    return EngineError(f"{path} must be a file of offramp, but cannot be read. Run `offramp optimize` again.")
