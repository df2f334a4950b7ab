"""A body as ONNX nodes: exported by itself with a dynamic batch, then inlined under the prefix of its node."""

from __future__ import annotations

import copy
import io
import logging
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress

import onnx
import torch
from onnx import inliner
from torch import nn

from offramp.errors import ExportError
from offramp.graph import Node, Tensor
from offramp.run import fits_in_one_file

from ._external import name_only, weigh
from ._fold import fold_constants
from ._operators import shared_operators
from ._pools import round_down
from ._scope import Scope
from ._together import Together, take_apart

OPSET = 18
EXAMPLE_ROWS = 3  # any number but 0 and 1, which torch.export treats as constants


def trace_body(node: Node, body: nn.Module, given: Sequence[Tensor]) -> onnx.ModelProto:
    """A body as an ONNX model whose inputs are `i0, i1, ...` and whose outputs are `o0, o1, ...`.

    Args:
        node: Whose body it is; names the offender in errors.
        body: Exported in eval mode; a copy is used.
        given: What it reads.

    Raises:
        ExportError: The body has an operator that ONNX lacks, or fixes the size of the batch.
    """
    model: onnx.ModelProto = export_body(node, body, given).model_proto
    if fits_in_one_file(weigh(model)):
        model = inliner.inline_local_functions(model) if model.functions else model
        (part,) = take_apart(model, [given], [_count_outputs(node)])  # for the same names as in one of several
        return round_down(fold_constants(part))
    if model.functions:  # the inliner reads no more than protobuf can write
        raise ExportError(
            f"the body of {node.name!r} has functions of ONNX and more weights than one file holds: cut the network "
            "into smaller parts."
        )
    return model


def trace_bodies(
    nodes: Sequence[Node], bodies: Sequence[nn.Module], given: Sequence[Sequence[Tensor]]
) -> list[onnx.ModelProto]:
    """Several bodies as `trace_body` gives them, in a fraction of the time that it takes for one after the other.

    Args:
        nodes: Whose bodies these are; they name the offender in errors.
        bodies: Exported in eval mode; copies are used.
        given: What each of them reads.

    Returns:
        A model for each.

    Raises:
        ExportError: As for `trace_body`.
    """
    if len(bodies) > 1 and fits_in_one_file(sum(map(_weigh, bodies))):
        copies = Together([_copied(body).eval().cpu() for body in bodies], [len(read) for read in given])
        with suppress(Exception):  # of many types; one after the other, the body that cannot be written is named
            model = _export(copies, given, sum(map(_count_outputs, nodes)))
            whole: onnx.ModelProto = model.model_proto
            whole = inliner.inline_local_functions(whole) if whole.functions else whole
            parts = take_apart(whole, given, [_count_outputs(node) for node in nodes])
            return [round_down(fold_constants(part)) for part in parts]
    return [trace_body(node, body, read) for node, body, read in zip(nodes, bodies, given, strict=True)]


def export_body(node: Node, body: nn.Module, given: Sequence[Tensor]) -> torch.onnx.ONNXProgram:
    """What the exporter makes of a body: the ONNX model, and the PyTorch program whose names its values have.

    Arguments and errors as for `trace_body`.
    """
    try:
        return _export(_Positional(_copied(body).eval().cpu()), [given], _count_outputs(node))
    except Exception as error:  # the exporter raises many types; all become one sentence
        raise ExportError(
            f"the body of {node.name!r} cannot be written as ONNX ({type(error).__name__}: {_first_line(error)}): "
            "replace the operator, or cut the network elsewhere."
        ) from error


def _export(module: nn.Module, given: Sequence[Sequence[Tensor]], outputs: int) -> torch.onnx.ONNXProgram:
    """What the exporter makes of a module with positional inputs.

    Each body's inputs have a batch of their own: else the exporter asks the input of one body for the batch of another.
    """
    batches = [torch.export.Dim(f"batch{at}" if at else "batch") for at in range(len(given))]
    read = [(tensor, batch) for tensors, batch in zip(given, batches, strict=True) for tensor in tensors]
    with warnings.catch_warnings(), _quiet(), shared_operators(), torch.no_grad():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            tuple(_example(tensor) for tensor, _ in read),
            dynamo=True, opset_version=OPSET, verbose=False, optimize=True,
            input_names=[f"i{at}" for at in range(len(read))], output_names=[f"o{at}" for at in range(outputs)],
            dynamic_shapes=(tuple({0: batch} if tensor.row_wise else None for tensor, batch in read),),
        )  # fmt: skip
    assert program is not None, "torch.onnx.export with dynamo gives a program"
    return program


def _count_outputs(node: Node) -> int:
    return 1 if node.edges else len(node.outputs)


def _weigh(body: nn.Module) -> int:
    return sum(weight.nbytes for weight in (*body.parameters(), *body.buffers()))


def _copied(body: nn.Module) -> nn.Module:
    """A copy, whose weights are the body's own if they are so many that twice as many may not fit into memory."""
    weights = [*body.parameters(), *body.buffers()]
    alone = fits_in_one_file(_weigh(body)) or any(weight.is_cuda for weight in weights)
    return copy.deepcopy(body, {} if alone else {id(weight): weight for weight in weights})


def inline_body(scope: Scope, name: str, model: onnx.ModelProto, inputs: Sequence[str]) -> list[str]:
    """Add a body's nodes, and names of its weights, to a scope under the prefix `name`; gives those of its outputs."""
    graph = model.graph
    renamed = {value.name: given for value, given in zip(graph.input, inputs, strict=True)}
    for initializer in graph.initializer:
        inner = renamed[initializer.name] = f"{name}/{initializer.name.removeprefix('module.')}"
        scope.initializers.append(name_only(initializer, inner))
        scope.sources[inner] = initializer
    for node in graph.node:
        scope.nodes.append(_renamed(node, name, renamed))
    return [renamed[value.name] for value in graph.output]


def _renamed(node: onnx.NodeProto, prefix: str, renamed: dict[str, str]) -> onnx.NodeProto:
    """A copy of a node with new names; names that its subgraphs read from outside are renamed too."""
    copied = onnx.NodeProto()
    copied.CopyFrom(node)
    copied.name = f"{prefix}/{node.name}"
    del copied.metadata_props[:]
    copied.doc_string = ""
    for at, source in enumerate(copied.input):
        copied.input[at] = renamed.get(source, source)
    for at, target in enumerate(copied.output):
        if target:
            renamed[target] = copied.output[at] = f"{prefix}/{target}"
    for attribute in copied.attribute:
        for graph in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
            inner = dict(renamed)
            nodes = [_renamed(entry, prefix, inner) for entry in graph.node]
            del graph.node[:]
            graph.node.extend(nodes)
            for value in graph.output:
                value.name = inner.get(value.name, value.name)
    return copied


class _Positional(nn.Module):
    """Takes any number of inputs; one dynamic shape entry for `*given` then serves every body."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *given: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        result = self.module(*given)
        return result if isinstance(result, torch.Tensor) else tuple(result)


def _example(tensor: Tensor) -> torch.Tensor:
    shape = (EXAMPLE_ROWS, *tensor.shape) if tensor.row_wise else tensor.shape
    dtype: torch.dtype = getattr(torch, tensor.dtype)
    return torch.rand(shape, dtype=dtype) if dtype.is_floating_point else torch.ones(shape, dtype=dtype)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else "no reason given"


class _quiet:  # noqa: N801  # a context manager, used like a function
    """Keep the exporter's progress lines and log messages off the terminal."""

    def __enter__(self) -> None:
        self._streams = (redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()))
        for stream in self._streams:
            stream.__enter__()
        self._disabled = logging.root.manager.disable
        logging.disable(logging.WARNING)

    def __exit__(self, *details: object) -> None:
        logging.disable(self._disabled)
        for stream in reversed(self._streams):
            stream.__exit__(None, None, None)
