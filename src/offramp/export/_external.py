"""Weights apart from the nodes: while a model is put together, and in a file of their own if one cannot hold them all.

A body's weights are named in the model that it becomes part of, and stay where they were traced: else each step of
putting models together copies them, and 2 GB become 10.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx
from onnx import TensorProto, numpy_helper

LEAST = 1024  # bytes: engines look at smaller constants, such as shapes, while they read the nodes
ALIGN = 4096  # bytes: engines map the file into memory page by page
Sources = Mapping[str, TensorProto]  # by name in the model, which holds the tensor without its numbers


def name_only(tensor: TensorProto, name: str) -> TensorProto:
    """A tensor of the same shape and type, without numbers."""
    return TensorProto(name=name, dims=tensor.dims, data_type=tensor.data_type)


def fill(model: onnx.ModelProto, sources: Sources) -> None:
    """Give all weights their numbers, in place."""
    for tensor in _weights(model.graph):
        if tensor.name in sources:
            tensor.raw_data = _bytes(sources[tensor.name])


def weigh(model: onnx.ModelProto, sources: Sources | None = None) -> int:
    """Bytes of all weights of a model, those of the bodies of its `If`s included."""
    known = sources or {}
    return sum(len(_bytes(known.get(tensor.name, tensor))) for tensor in _weights(model.graph))


def move(model: onnx.ModelProto, path: Path, name: str, sources: Sources | None = None) -> str:
    """Put all weights but the small into a file.

    Args:
        model: Changed in place: its tensors then say where their numbers are.
        path: To write.
        name: What the model shall call the file, which lies beside its own when it is read.
        sources: Of weights that the model only names.

    Returns:
        The tag at the start of the file: a digest of its weights.
    """
    digest, known = hashlib.sha256(), sources or {}
    with path.open("wb") as file:
        file.write(bytes(ALIGN))
        for tensor in _weights(model.graph):
            content = _bytes(known.get(tensor.name, tensor))
            tensor.CopyFrom(name_only(tensor, tensor.name))
            if len(content) < LEAST:
                tensor.raw_data = content
                continue
            file.write(bytes(-file.tell() % ALIGN))
            tensor.data_location = TensorProto.EXTERNAL
            for key, value in (("location", name), ("offset", file.tell()), ("length", len(content))):
                tensor.external_data.add(key=key, value=str(value))
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


def _bytes(tensor: TensorProto) -> bytes:
    """The numbers of a tensor; where they lie in fields of their own, as all others do."""
    if not tensor.HasField("raw_data"):
        tensor = numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name)
    content: bytes = tensor.raw_data
    return content
