"""Moves weights out of an ONNX model into a file of their own, where protobuf cannot hold them all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import TensorProto, numpy_helper

LEAST = 1024  # bytes: engines look at smaller constants, such as shapes, while they read the nodes
ALIGN = 4096  # bytes: engines map the file into memory page by page


def weigh(model: onnx.ModelProto) -> int:
    """Bytes of all weights of a model, those of the bodies of its `If`s included."""
    return sum(len(tensor.raw_data) for tensor in _weights(model.graph))


def move(model: onnx.ModelProto, path: Path, name: str) -> str:
    """Move all weights but the small into a file, in place.

    Args:
        model: Its tensors then say where they are.
        path: To write.
        name: What the model shall call the file, which lies beside its own when it is read.

    Returns:
        The tag at the start of the file: a digest of its weights.
    """
    digest = hashlib.sha256()
    with path.open("wb") as file:
        file.write(bytes(ALIGN))
        for tensor in _weights(model.graph):
            _as_bytes(tensor)
            if len(tensor.raw_data) < LEAST:
                continue
            content = tensor.raw_data
            file.write(bytes(-file.tell() % ALIGN))
            _point(tensor, name, file.tell(), len(content))
            file.write(content)
            digest.update(content)
        file.seek(0)
        file.write(digest.hexdigest().encode())
    return digest.hexdigest()


def _weights(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            for inner in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
                yield from _weights(inner)


def _as_bytes(tensor: TensorProto) -> None:
    """Numbers in fields of their own become bytes, as all the others are."""
    if not tensor.HasField("raw_data"):
        tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))


def _point(tensor: TensorProto, name: str, offset: int, length: int) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", name), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))
