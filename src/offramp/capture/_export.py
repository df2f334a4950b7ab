"""Capture by `torch.export`: takes almost any model, in evaluation mode, as primitive operations."""

from __future__ import annotations

import inspect
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import torch
from torch import fx, nn
from torch.utils import _pytree as pytree

from ._answer import Path, pick
from ._inputs import Inputs
from ._trace import Trace, module_from_graph, without_dead_code


def trace_by_export(model: nn.Module, inputs: Inputs, answer: Path = ()) -> Trace:
    """Export a model that may be kept, with a dynamic batch.

    Args:
        model: Network in evaluation mode; it may be changed.
        inputs: Two rows or more, because sizes 0 and 1 would be taken as fixed.
        answer: Path from its answer to the logits.

    Returns:
        The network as one graph of primitive operations.

    Raises:
        Exception: Whatever `torch.export` raises; the caller names the model and the remedy.
    """
    batch = torch.export.Dim("batch")
    shapes: Any = tuple({0: batch} for _ in inputs.names)
    keywords = dict(zip(inputs.names, inputs.tensors, strict=True)) if inputs.keyword else {}
    with _quiet(), torch.no_grad():
        exported = torch.export.export(
            model,
            () if inputs.keyword else inputs.tensors,
            keywords,
            dynamic_shapes=dict(zip(inputs.names, shapes, strict=True)) if inputs.keyword else _by_name(model, shapes),
            strict=False,
        )
        # Without a table nothing is taken apart, but in-place operations give new tensors.
        exported = exported.run_decompositions({})
        module = exported.module(check_guards=False)
    given = next(node for node in module.graph.nodes if node.op == "output").args[0]
    logits = pick(pytree.tree_unflatten(list(pytree.tree_leaves(given)), exported.call_spec.out_spec), answer)
    clean = module_from_graph(module, _cleaned(module.graph, inputs, logits), type(model).__name__)
    return Trace(module=without_dead_code(clean), eval_only=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence warnings and what `torch.export` logs and prints about a model that it refuses: the error is enough."""
    logger = logging.getLogger("torch.fx.experimental.symbolic_shapes")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _by_name(model: nn.Module, shapes: tuple[Any, ...]) -> Any:
    """Dynamic shapes of positional arguments; a forward(*inputs) takes them as one entry."""
    first = next(iter(inspect.signature(model.forward).parameters.values()), None)
    return (shapes,) if first is not None and first.kind is first.VAR_POSITIONAL else shapes


def _cleaned(graph: fx.Graph, inputs: Inputs, logits: fx.Node) -> fx.Graph:
    """Our own copy: inputs first and by our names, no assertions, one output."""
    clean = fx.Graph()
    copied: dict[fx.Node, fx.Node] = {}
    given = [node for node in graph.nodes if node.op == "placeholder"]
    for name, node in zip(inputs.names, given, strict=True):
        copied[node] = clean.placeholder(name)
    for node in graph.nodes:
        if node.op not in ("placeholder", "output") and not _is_assertion(node):
            copied[node] = clean.node_copy(node, copied.__getitem__)
            if node.target is torch.ops.aten.view.default:
                # What may be viewed depends on the attention kernel, which differs between machines and modes.
                copied[node].target = torch.ops.aten.reshape.default
    clean.output(copied[logits])
    return clean


def _is_assertion(node: fx.Node) -> bool:
    name = str(node.target)
    return "_assert" in name or "sym_constrain_range" in name or name == "_guards_fn"
