"""The file beside a file: weights that are too many for one, as ONNX external data.

protobuf, in which ONNX files are written, holds less than 2 GiB. What is more lies in `NAME.onnx.data` beside
`NAME.onnx`, which every engine reads from there. It begins with a tag that the card repeats, so that the two halves of
different networks are not taken for one.
"""

from __future__ import annotations

from pathlib import Path

from offramp.errors import EngineError

from ._card import Card

LIMIT = 2**31 - 2**26  # bytes of weights in one file; the rest is for the nodes and the card
TAG = 64  # bytes at the start of a data file: a digest of all weights, in hexadecimal


def fits_in_one_file(size_bytes: int) -> bool:
    """Whether so many bytes of weights leave a file below what protobuf can hold.

    Args:
        size_bytes: The number of bytes of all weights.

    Returns:
        True if they fit.
    """
    return size_bytes <= LIMIT


def data_file(path: Path) -> Path:
    """Where the weights of a file are that are not in it.

    Args:
        path: The ONNX file.

    Returns:
        The path of the file beside it.

    Example:
        >>> data_file(Path("out/model.onnx")).name
        'model.onnx.data'
    """
    return path.with_name(f"{path.name}.data")


def check_data(card: Card, path: Path) -> None:
    """Refuse a file whose weights are not beside it.

    Raises:
        EngineError: The data file is not there, or belongs to another file.
    """
    tag = card.get("data")
    if tag is None:
        return
    beside = data_file(path)
    try:
        with beside.open("rb") as file:
            found = file.read(TAG)
    except OSError as error:
        raise missing_data(path) from error
    if found != tag.encode():
        raise EngineError(f"{beside} must hold the weights of {path.name}, but holds others. Copy both files together.")


def missing_data(path: Path) -> EngineError:
    """What is said where the data file is not there, or cut short."""
    return EngineError(
        f"{path} has its weights in {data_file(path).name}, but they are not beside it, or not all. "
        "Copy both files together."
    )


def asks_for_data(error: Exception) -> bool:
    """Whether an engine failed because it did not find weights outside the file."""
    text = str(error).lower()
    return "external" in text or ".onnx.data" in text
