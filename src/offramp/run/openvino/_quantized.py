"""Rewrites quantized networks for OpenVINO's CPU plugin: what a body quantizes first enters its `If` as bytes.

Else the `If` is given floats: what runs before makes them from its bytes and brings them into plain layout, and the
body makes bytes of them again. Bytes are part of the convolution that gives them, a quarter to copy and to gather, and
at batch 1 they cross with their channels last, as quantized convolutions have them. Numbers: docs/design/0005.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from openvino import Type, opset13

from ._branches import Model, branches, entries, takes_rows

_BYTES = (Type.u8, Type.i8)
_LAST, _FIRST = (0, 2, 3, 1), (0, 3, 1, 2)  # where channels go


def enter_as_bytes(model: Model, rows: int) -> None:
    """Change a model in place for a batch of `rows`; what it computes stays the same.

    From the inside out: what passes through a body on its way to another is not read as floats there either.
    """
    for branch in branches(model):
        then = branch.get_then_body()
        enter_as_bytes(then, rows)
        enter_as_bytes(branch.get_else_body(), rows)
        for port, parameter in entries(branch, then):
            _move(port, parameter, channels_last=rows == 1)  # of a free batch a transposition would be a copy


def _move(port: Any, parameter: Any, *, channels_last: bool) -> None:
    """Quantize in front of an `If` what its body quantizes, if it does so everywhere and in one way."""
    conversions = _conversions(parameter)
    if not conversions or any(_ranges(one) != _ranges(conversions[0]) for one in conversions):
        return
    source = _converted(port.get_source_output(), conversions[0])
    channels_last = channels_last and len(source.get_partial_shape()) == 4
    port.replace_source_output(_transposed(source, _LAST) if channels_last else source)
    parameter.set_element_type(source.get_element_type())
    parameter.set_partial_shape(port.get_partial_shape())
    parameter.validate_and_infer_types()
    for conversion in conversions:
        given = conversion.input_value(0).get_node().input_value(0)
        given.get_node().validate_and_infer_types()  # a gather, if it is not the parameter
        conversion.output(0).replace(_transposed(given, _FIRST) if channels_last else given)


def _conversions(parameter: Any) -> list[Any]:
    """The conversions to bytes that are all that a body does with what comes in, or with rows of it; else none."""
    found = []
    for port in parameter.output(0).get_target_inputs():
        for reader in port.get_node().output(0).get_target_inputs() if takes_rows(port) else [port]:
            conversion = _conversion(reader)
            if conversion is None:
                return []
            found.append(conversion)
    return found


def _conversion(reader: Any) -> Any:
    """The conversion to bytes of what a reader quantizes, or None if it does something else."""
    fake = reader.get_node()
    if fake.get_type_name() != "FakeQuantize" or reader.get_index() != 0:
        return None
    behind = [port.get_node() for port in fake.output(0).get_target_inputs()]
    constant = all(node.get_type_name() == "Constant" for node in _range_constants(fake))
    to_bytes = len(behind) == 1 and behind[0].get_type_name() == "Convert" and behind[0].get_element_type() in _BYTES
    return behind[0] if constant and to_bytes else None


def _ranges(conversion: Any) -> tuple[Any, ...]:
    """What a quantization does: from which ranges to how many levels, in which bytes."""
    fake = conversion.input_value(0).get_node()
    arrays = [np.asarray(one.get_data()) for one in _range_constants(fake)]
    exact = tuple((array.shape, array.tobytes()) for array in arrays)
    return (*exact, fake.get_attributes()["levels"], conversion.get_element_type().get_type_name())


def _range_constants(fake: Any) -> list[Any]:
    return [port.get_node() for port in _range_ports(fake)]


def _range_ports(fake: Any) -> list[Any]:
    return [port.get_source_output() for port in fake.inputs()[1:]]


def _converted(source: Any, conversion: Any) -> Any:
    """The same quantization of what stands in front of the `If`: one that is there already, or a copy."""
    before = _bytes_of(source)
    if before is not None and _ranges(before) == _ranges(conversion):
        return before.output(0)
    for port in source.get_target_inputs():
        known = _conversion(port)
        if known is not None and _ranges(known) == _ranges(conversion):
            return known.output(0)
    fake = conversion.input_value(0).get_node()
    ranges = [opset13.constant(np.asarray(one.get_data())) for one in _range_constants(fake)]
    copied = opset13.fake_quantize(source, *ranges, fake.get_attributes()["levels"])
    return opset13.convert(copied, conversion.get_element_type()).output(0)


def _bytes_of(source: Any) -> Any:
    """The conversion to bytes that a value was made from, if it is nothing else; or None."""
    node = source.get_node()
    while node.get_type_name() in ("Multiply", "Subtract") or (
        node.get_type_name() == "Convert" and node.get_element_type() not in _BYTES
    ):
        node = node.input_value(0).get_node()
    fake = node.input_value(0).get_node() if node.get_type_name() == "Convert" else None
    made = fake is not None and fake.get_type_name() == "FakeQuantize"
    return node if made and all(port.get_node().get_type_name() == "Constant" for port in _range_ports(fake)) else None


def _transposed(output: Any, order: tuple[int, ...]) -> Any:
    return opset13.transpose(output, opset13.constant(np.array(order, np.int64))).output(0)
