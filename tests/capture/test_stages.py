"""Tests of stages: exported with a dynamic batch they answer the same."""

from __future__ import annotations

import warnings
from typing import Any

import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import networks
from networks import more
from offramp.capture import capture
from offramp.graph import Tensor as Like

pytestmark = pytest.mark.tracing


@torch.no_grad()
@pytest.mark.parametrize("name", ["cifar", "hf_bert", pytest.param("swin_t", marks=pytest.mark.slow)])
def test_no_stage_remembers_the_batch_of_the_example(name: str, vision: Any) -> None:
    model, example = networks.make(name)
    captured = capture(model, example)
    cut = captured.cuts[len(captured.cuts) // 2]
    stages = captured.split([cut])
    inputs = more(example, 3)
    carried = list(inputs.values()) if isinstance(inputs, dict) else [inputs]
    for stage, likes in zip(stages, (tuple(captured.inputs.values()), cut.carried), strict=True):
        session = export(stage, carried, likes)
        for rows in (1, 2, 3):
            given = [tensor[:rows] if like.row_wise else tensor for tensor, like in zip(carried, likes, strict=True)]
            names = [port.name for port in session.get_inputs()]
            found = session.run(None, {name: tensor.numpy() for name, tensor in zip(names, given, strict=True)})
            expected = as_tuple(stage(*given))
            for ours, theirs in zip(found, expected, strict=True):
                torch.testing.assert_close(torch.from_numpy(ours), theirs, rtol=1e-4, atol=1e-4)  # other kernels
        carried = list(as_tuple(stage(*carried)))


def as_tuple(results: Any) -> tuple[Tensor, ...]:
    return results if isinstance(results, tuple) else (results,)


def export(stage: nn.Module, given: list[Tensor], likes: tuple[Like, ...]) -> onnxruntime.InferenceSession:
    batch = torch.export.Dim("batch", min=1)
    shapes = tuple({0: batch} if like.row_wise else None for like in likes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter announces its own future
        program = torch.onnx.export(
            stage, tuple(given), dynamo=True, dynamic_shapes=shapes, opset_version=18, verbose=False
        )
    assert program is not None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(program.model_proto.SerializeToString(), options)
