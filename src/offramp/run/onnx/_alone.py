"""The network alone out of a conditional file: every sample goes on to the end, so no gate, head or `If` is left.

Whoever has the file can time it against the network that it was made from, without PyTorch and without a second file.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, helper

from offramp.errors import EngineError
from offramp.run._card import CARD_KEY, find_card

_OURS = "offramp/"  # prefix of the nodes that export adds around bodies
_PASSING = {"Gather": 0, "ScatterND": 2}  # of rows: which input they give on if all rows are meant


def network_alone(model: ModelProto, *, exit: str | None = None) -> ModelProto:
    """What runs for a sample that no gate lets go, without the tests whether it may, as a dense file of one exit.

    Bodies of `If`s move to where the `If` stood; gathering rows, and putting them back, is left out, since all go on;
    of the rest, heads and gates among them, stays what the answer needs. Whether this is the network alone is for the
    caller to check: its answers must be those of the file with no sample leaving.

    Args:
        model: A conditional file with its card.
        exit: Name of another exit at which to end; the final one if None.

    Raises:
        EngineError: The file has no card, no such exit, or conditions that do not come from leaving early.
    """
    card = _card(model)
    nodes, constants = list(_flattened(model.graph)), list(_constants(model.graph))
    answer = "logits" if exit is None else _end_of(nodes, exit)
    nodes, answer = _without_passing(nodes, answer)
    nodes = _needed(nodes, answer)
    if any(node.op_type == "If" for node in nodes):
        raise EngineError("the file must hold a chain of early exits, but has other conditions. Time it another way.")
    made = {name for node in nodes for name in node.input}
    inputs = [value for value in model.graph.input if value.name in card["inputs"]]
    axis = helper.make_tensor("alone/axis", TensorProto.INT64, [1], [1])
    nodes.append(helper.make_node("Unsqueeze", [answer, axis.name], ["exit_logits"], name="alone/exit"))
    graph = helper.make_graph(
        nodes, "alone", inputs,
        [helper.make_tensor_value_info("exit_logits", TensorProto.FLOAT, ["batch", 1, int(card["classes"])])],
        [*(one for one in constants if one.name in made), axis],
    )  # fmt: skip
    alone = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    told = {**card, "exits": [exit or card["exits"][-1]], "gates": [], "controls": [], "thresholds": [], "dense": True}
    helper.set_model_props(alone, {CARD_KEY: json.dumps(told)})
    return alone


def _card(model: ModelProto) -> dict[str, Any]:  # Any: JSON
    text = find_card(model)
    if text is None:
        raise EngineError("the file must have `offramp` metadata, but has none. Name one that offramp wrote.")
    card: dict[str, Any] = json.loads(text)
    return card


def _flattened(graph: GraphProto) -> Iterable[NodeProto]:
    """All nodes in order, those of a `then` body in the place of its `If`."""
    for node in graph.node:
        if node.op_type != "If" or not node.name.startswith(_OURS):
            yield node
            continue
        body = next(attribute.g for attribute in node.attribute if attribute.name == "then_branch")
        yield from _flattened(body)
        for inside, outside in zip(body.output, node.output, strict=True):
            yield helper.make_node("Identity", [inside.name], [outside], name=f"{_OURS}alone/{outside}")


def _constants(graph: GraphProto) -> Iterable[TensorProto]:
    """Of a graph and all bodies that `_flattened` takes apart; their names are unique in the file."""
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == AttributeProto.GRAPH and attribute.name == "then_branch":
                yield from _constants(attribute.g)


def _end_of(nodes: Iterable[NodeProto], exit: str) -> str:
    """What the body of an exit's node gives."""
    ends: list[str] = [node.output[0] for node in nodes if node.name.startswith(f"{exit}/")]
    if not ends:
        raise EngineError(f"the file must have an exit {exit}, but has none of that name. Name one of its card.")
    return ends[-1]


def _without_passing(nodes: Iterable[NodeProto], answer: str) -> tuple[list[NodeProto], str]:
    """The nodes without those that only choose rows, and the answer's name then."""
    names: dict[str, str] = {}
    kept = []
    for node in nodes:
        if node.name.startswith((_OURS, "logits/")) and node.op_type in ("Identity", *_PASSING):
            source = node.input[_PASSING.get(node.op_type, 0)]
            names[node.output[0]] = names.get(source, source)
            continue
        kept.append(_renamed(node, names))
    return kept, names.get(answer, answer)


def _renamed(node: NodeProto, names: Mapping[str, str]) -> NodeProto:
    copied = NodeProto()
    copied.CopyFrom(node)
    for at, name in enumerate(copied.input):
        copied.input[at] = names.get(name, name)
    return copied


def _needed(nodes: list[NodeProto], answer: str) -> list[NodeProto]:
    """What the answer depends on, in order."""
    wanted, kept = {answer}, []
    for node in reversed(nodes):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input)
    return kept[::-1]
