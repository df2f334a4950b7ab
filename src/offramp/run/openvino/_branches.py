"""The `If`s of an OpenVINO model, and what enters them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Model = Any  # openvino.Model; OpenVINO has no types that mypy can read


def branches(model: Model) -> Iterator[Any]:
    """All `If`s of a model or body, but those inside others."""
    return (node for node in model.get_ordered_ops() if node.get_type_name() == "If")


def entries(branch: Any, then: Model) -> Iterator[tuple[Any, Any]]:
    """Each input of an `If` that only its `then` body reads, with the parameter that it becomes there."""
    shared = {description.input_index for description in branch.get_input_descriptions(1)}
    for description in branch.get_input_descriptions(0):
        if description.input_index not in shared:
            yield branch.input(description.input_index), then.get_parameters()[description.body_parameter_index]


def gathers_rows(node: Any) -> bool:
    """True for a node that gathers rows of what it reads."""
    if node.get_type_name() != "Gather":
        return False
    axis = node.input_value(2).get_node()
    return axis.get_type_name() == "Constant" and int(axis.get_data().reshape(())) == 0


def takes_rows(port: Any) -> bool:
    """True for a reader of which rows are gathered."""
    return port.get_index() == 0 and gathers_rows(port.get_node())
