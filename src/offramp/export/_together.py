"""Several bodies exported in one go and taken apart again: what the exporter prepares for each call is paid once.

That is half a second a call with PyTorch 2.13, which reads the source of every operator that ONNX knows, and more than
most bodies take.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TypeVar

import onnx
import torch
from torch import nn

from offramp.graph import Tensor

_WEIGHT = re.compile(r"(bodies\.\d+|module)\.")
_NUMBER = re.compile(r"_\d+$")
Named = TypeVar("Named", onnx.TensorProto, onnx.ValueInfoProto)


class Together(nn.Module):
    """Bodies side by side: reads what all of them read, and gives what all of them give, in their order.

    Args:
        bodies: They share nothing.
        widths: How many inputs each reads.
    """

    def __init__(self, bodies: Sequence[nn.Module], widths: Sequence[int]) -> None:
        super().__init__()
        self.bodies = nn.ModuleList(bodies)
        self._ends = list(accumulate(widths))

    def forward(self, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The outputs of the first body, then those of the second, and so on."""
        made: list[torch.Tensor] = []
        for body, start, end in zip(self.bodies, [0, *self._ends], self._ends, strict=False):
            result = body(*given[start:end])
            made += [result] if isinstance(result, torch.Tensor) else list(result)
        return tuple(made)


def take_apart(
    model: onnx.ModelProto, given: Sequence[Sequence[Tensor]], made: Sequence[int]
) -> Iterator[onnx.ModelProto]:
    """The model of each body out of one of all of them.

    Args:
        model: Of a `Together`, or of a single body, without functions.
        given: What each body reads.
        made: How many outputs each body has.

    Returns:
        As many models, with inputs `i0, i1, ...` and outputs `o0, o1, ...` each; weights are called as the body calls
        them, behind `module.`.
    """
    first_in, first_out = 0, 0
    makers = {name: node for node in model.graph.node for name in node.output if name}
    for read, count in zip(given, made, strict=True):
        ports = {entry.name: f"i{at}" for at, entry in enumerate(model.graph.input[first_in : first_in + len(read)])}
        ends = {entry.name: f"o{at}" for at, entry in enumerate(model.graph.output[first_out : first_out + count])}
        yield _Part(model, makers, ports, ends).build()
        first_in, first_out = first_in + len(read), first_out + count


@dataclass
class _Part:
    """One body of several.

    Attributes:
        model: Of all of them.
        makers: The node that makes each value.
        ports: Names of the inputs, in the whole and in the part.
        ends: So those of the outputs.
        names: So those of everything else that was met.
    """

    model: onnx.ModelProto
    makers: Mapping[str, onnx.NodeProto]
    ports: Mapping[str, str]
    ends: Mapping[str, str]
    names: dict[str, str] = field(default_factory=dict)

    def build(self) -> onnx.ModelProto:
        """Its model."""
        whole = self.model.graph
        needed = self._needed()
        nodes = [node for node in whole.node if any(name in needed for name in node.output)]
        weights = [tensor for tensor in whole.initializer if tensor.name in needed]
        self.names = self._rename([tensor.name for tensor in weights], nodes)
        graph = onnx.GraphProto(
            name=whole.name,
            node=[_renamed(node, self.names) for node in nodes],
            initializer=self._named(weights),
            input=self._named(entry for entry in whole.input if entry.name in self.ports),
            output=self._named(entry for entry in whole.output if entry.name in self.ends),
            value_info=self._named(entry for entry in whole.value_info if entry.name in self.names),
        )
        return onnx.ModelProto(
            graph=graph, ir_version=self.model.ir_version, opset_import=self.model.opset_import,
            producer_name=self.model.producer_name, producer_version=self.model.producer_version,
        )  # fmt: skip

    def _named(self, entries: Iterable[Named]) -> list[Named]:
        """Copies with their names in the part."""
        copies = []
        for entry in entries:
            copies.append(type(entry)())
            copies[-1].CopyFrom(entry)
            copies[-1].name = self.names[entry.name]
        return copies

    def _needed(self) -> set[str]:
        """Names of all values that its outputs depend on, inner graphs included.

        Raises:
            ValueError: One of them comes from the input of another body.
        """
        foreign = {entry.name for entry in self.model.graph.input} - set(self.ports)
        needed, pending = set[str](), list(self.ends)
        while pending:
            name = pending.pop()
            if name in needed:
                continue
            if name in foreign:
                raise ValueError(f"a body reads {name}, which is given to another one")
            needed.add(name)
            if name in self.makers:
                pending += _reads(self.makers[name])
        return needed

    def _rename(self, weights: Sequence[str], nodes: Sequence[onnx.NodeProto]) -> dict[str, str]:
        """Names that do not depend on what else was exported: numbered anew, weights without the number of the body."""
        names = {**self.ports, **self.ends}
        used = set(names.values())
        for name in [*weights, *(name for node in nodes for name in _makes(node))]:
            if name not in names:
                inner = _WEIGHT.match(name)
                stem = f"module.{name[inner.end() :]}" if inner else _NUMBER.sub("", name)
                names[name] = _fresh(stem, used)
        return names


def _fresh(stem: str, used: set[str]) -> str:
    """A name that is not used yet."""
    name, number = stem, 0
    while name in used:
        number += 1
        name = f"{stem}_{number}"
    used.add(name)
    return name


def _renamed(node: onnx.NodeProto, names: Mapping[str, str]) -> onnx.NodeProto:
    """A copy with other names, in its inner graphs too; it is called after what it makes."""
    copied = onnx.NodeProto()
    copied.CopyFrom(node)
    del copied.metadata_props[:]
    for values in (copied.input, copied.output):
        values[:] = [names.get(name, name) for name in values]
    copied.name = f"{node.op_type}_{copied.output[0]}"
    for attribute in copied.attribute:
        for inner in _inner_graphs(attribute):
            steps = [_renamed(step, names) for step in inner.node]
            del inner.node[:]
            inner.node.extend(steps)
            for value in inner.output:
                value.name = names.get(value.name, value.name)
    return copied


def _inner_graphs(attribute: onnx.AttributeProto) -> list[onnx.GraphProto]:
    return [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]


def _makes(node: onnx.NodeProto) -> list[str]:
    """Names of what a node makes, and of what is made in its inner graphs."""
    inner = [step for attribute in node.attribute for graph in _inner_graphs(attribute) for step in graph.node]
    return [name for name in node.output if name] + [name for step in inner for name in _makes(step)]


def _reads(node: onnx.NodeProto) -> list[str]:
    """Names that a node reads, by its inner graphs too."""
    names = [name for name in node.input if name]
    for graph in (graph for attribute in node.attribute for graph in _inner_graphs(attribute)):
        names += [name for step in graph.node for name in _reads(step)] + [value.name for value in graph.output]
    return names
