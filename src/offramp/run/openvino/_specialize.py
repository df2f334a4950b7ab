"""Rewrites a model for OpenVINO's CPU plugin before it is compiled; what it computes stays the same.

Two things cost a conditional network most there (ResNet-56, 5 exits, 1 thread, no sample leaves: 3.7 instead of 2.6 ms
at batch 1). The rows that go on are counted at run time, so that everything behind the first gate has a free batch; at
batch 1 the sample that goes on is the one row that there is, and all sizes are known. And maps cross the border of an
`If` in plain layout, which the plugin makes from its own by a loop that is slow for 16 to 64 channels of large maps
(4.2 ms for 4 MB, the convolution before it 2.7); folded into more and smaller channels they take its fast path
(0.9 ms).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from openvino import Type, opset13

from ._branches import Model, branches, entries, gathers_rows, takes_rows
from ._quantized import enter_as_bytes
from ._rounded import end_in_rounded

_SLOW_CHANNELS = range(16, 65)  # where the plugin takes its loop
_SLOW_PIXELS = 512  # fewer are cheap either way
_COUNTING = 4  # nodes from an `If`'s condition back to the mask: greater, sum, convert, mask
_OURS = "offramp/"  # prefix of the nodes that export adds around bodies


def specialize(model: Model, rows: int, *, rounded: bool = False) -> None:
    """Change a model in place for a batch of `rows`.

    Args:
        model: Of fixed batch size.
        rows: That size.
        rounded: Whether OpenVINO shall compute in less than float32.
    """
    enter_as_bytes(model, rows)
    if rounded and rows > 1:  # of one row the sums take no time, and the convolution does
        end_in_rounded(model)
    _rewrite(model, rows)
    model.validate_nodes_and_infer_types()
    if rows == 1:
        _take_rows_as_they_are(model)
        model.validate_nodes_and_infer_types()


def _rewrite(model: Model, rows: int) -> None:
    for branch in branches(model):
        then = branch.get_then_body()
        if rows == 1:
            _keep_the_only_row(then)
            _ask_the_only_row(branch)
        else:
            _fold_maps(branch, then)
        _rewrite(then, rows)
        _rewrite(branch.get_else_body(), rows)


def _keep_the_only_row(body: Model) -> None:
    """The body runs, so at batch 1 the row that its mask lets in is row 0."""
    for node in body.get_ordered_ops():
        if node.get_type_name() != "NonZero" or not node.get_friendly_name().startswith(_OURS):
            continue
        mask = node.input_value(0)
        if mask.get_element_type() == Type.boolean and len(mask.get_partial_shape()) == 1:
            node.output(0).replace(opset13.constant(np.zeros((1, 1), np.int64)).output(0))


def _ask_the_only_row(branch: Any) -> None:
    """Whether any row goes on is whether the only one does; no need to count."""
    mask, counted = None, branch.input_value(0)
    for _ in range(_COUNTING):
        if counted.get_element_type() == Type.boolean and len(counted.get_partial_shape()) == 1:
            mask = counted
            break
        counted = counted.get_node().input_value(0) if counted.get_node().get_input_size() else counted
    if mask is not None and _is_one_row(mask):
        shape = opset13.constant(np.zeros(0, np.int64))
        branch.input(0).replace_source_output(opset13.reshape(mask, shape, False).output(0))


def _take_rows_as_they_are(model: Model) -> None:
    """Where there is one row, to gather rows or to scatter them changes nothing: there is only row 0 to name."""
    for node in model.get_ordered_ops():
        if node.get_type_name() == "If":
            _take_rows_as_they_are(node.get_then_body())
            _take_rows_as_they_are(node.get_else_body())
        elif not node.get_friendly_name().startswith(_OURS):
            continue
        elif gathers_rows(node) and _is_one_row(node.input_value(0)) and _is_one_row(node.input_value(1)):
            node.output(0).replace(node.input_value(0))
        elif node.get_type_name() == "ScatterNDUpdate" and _is_one_row(node.input_value(0)):
            node.output(0).replace(node.input_value(2))


def _is_one_row(output: Any) -> bool:
    shape = output.get_partial_shape()
    return len(shape) > 0 and shape[0].is_static and shape[0].get_length() == 1


def _fold_maps(branch: Any, then: Model) -> None:
    """Let maps enter a body with their pixels folded into channels; the gathered rows are unfolded inside."""
    for port, parameter in entries(branch, then):
        source, readers = port.get_source_output(), parameter.output(0).get_target_inputs()
        block = _block(source.get_partial_shape()) if source.get_element_type().is_real() else 1
        if block == 1 or not all(map(takes_rows, readers)):
            continue
        folded = opset13.space_to_depth(source, "blocks_first", block).output(0)
        port.replace_source_output(folded)
        parameter.set_partial_shape(folded.get_partial_shape())
        parameter.validate_and_infer_types()
        for gather in [reader.get_node() for reader in readers]:
            readers = gather.output(0).get_target_inputs()
            gather.validate_and_infer_types()
            unfolded = opset13.depth_to_space(gather, "blocks_first", block).output(0)
            for reader in readers:
                reader.replace_source_output(unfolded)


def _block(shape: Any) -> int:
    """Side of the squares of pixels to fold; 1 to leave a map as it is."""
    if shape.rank.is_dynamic or len(shape) != 4 or any(size.is_dynamic for size in list(shape)[1:]):
        return 1
    channels, height, width = (size.get_length() for size in list(shape)[1:])
    if channels not in _SLOW_CHANNELS or height * width < _SLOW_PIXELS:
        return 1
    return next((block for block in (8, 4, 2) if height % block == width % block == 0 and channels * block**2 > 64), 1)
