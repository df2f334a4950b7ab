"""What lies in the folder of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import onnx


def contents(folder: Path) -> dict[str, bytes]:
    """All files, byte by byte."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def read(folder: Path, name: str = "result.json") -> dict[str, Any]:
    """One of the JSON files."""
    found: dict[str, Any] = json.loads((folder / name).read_text())
    return found


def card_of(folder: Path) -> dict[str, Any]:
    """What the model file says of itself."""
    (entry,) = [one for one in onnx.load(folder / "model.onnx").metadata_props if one.key == "offramp"]
    found: dict[str, Any] = json.loads(entry.value)
    return found
