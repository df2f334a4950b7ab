"""An engine that computes something else is found, with the layer, by how much, and what helps."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from offramp import attach
from offramp.errors import EngineError, OptionError
from offramp.export import _departure, find_departure, onnx
from offramp.export._departure import Departure
from offramp.nn import Normalize


class Net(nn.Module):
    """Two convolutions with something between them."""

    def __init__(self, between):
        super().__init__()
        torch.manual_seed(0)
        self.c, self.d, self.o = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 4)
        self.between = between

    def forward(self, x):
        return self.o(torch.relu(self.d(self.between(torch.relu(self.c(x))))).mean((2, 3)))


SAMPLES = {"x": np.random.default_rng(0).random((4, 3, 16, 16)).astype(np.float32)}
SAME = {
    "plain": lambda h: h,
    "gelu": F.gelu,
    "gelu by tanh": lambda h: F.gelu(h, approximate="tanh"),
    "bicubic": lambda h: F.interpolate(h, (9, 9), mode="bicubic"),
    "nearest": lambda h: F.interpolate(h, (9, 9), mode="nearest-exact"),
    "halves rounded": lambda h: torch.round(torch.floor(h * 8) + 0.5) / 8,
    "negative remainders": lambda h: torch.remainder(h - 0.3, -0.7),
    "pooling over the edge": lambda h: F.avg_pool2d(h, 3, 2, 1, ceil_mode=True, count_include_pad=False),
    "sums": lambda h: h.cumsum(1),
    "largest of equal ones": lambda h: h.round().topk(3, 1).values.repeat(1, 3, 1, 1)[:, :8],
    "tiny variances": lambda h: F.layer_norm(h * 1e-4, h.shape[1:], eps=1e-12),
}
OTHER = {  # in OpenVINO: the operation, and what answers as PyTorch does
    "shrunk with antialias": (
        lambda h: F.interpolate(h, (7, 7), mode="bilinear", antialias=True), "_upsample_bilinear2d_aa", "onnxruntime",
    ),
    "enlarged with antialias": (
        lambda h: F.interpolate(h, (23, 23), mode="bicubic", antialias=True)[..., :2, :2],  # the edge
        "_upsample_bicubic2d_aa", "onnxruntime",
    ),
    "large whole numbers": (
        lambda h: ((h * 4).round().long() * 3_000_000_007 % 1000).float() / 1000, "_to_copy", "onnxruntime",
    ),
    "another divisor": (lambda h: F.avg_pool2d(h, 3, 2, divisor_override=5), "avg_pool2d", None),
}  # fmt: skip


def attached(between, exits=0):
    return attach.exits(Net(between), torch.rand(2, 3, 16, 16), count=exits)


@pytest.mark.parametrize("between", SAME.values(), ids=SAME)
def test_engines_that_compute_as_pytorch_does_have_no_departure(between):
    graph, traces = attached(between), {}
    assert find_departure(graph, SAMPLES, traces=traces) is None
    assert find_departure(graph, SAMPLES, engine="onnxruntime", traces=traces) is None


@pytest.mark.parametrize("exits", [0, 1])
@pytest.mark.parametrize(("between", "operation", "helps"), OTHER.values(), ids=OTHER)
def test_the_operation_that_differs_is_named_with_its_place_and_what_helps(between, operation, helps, exits):
    found = find_departure(attached(between, exits), SAMPLES)
    assert found is not None
    assert found.layer is not None
    assert found.layer.startswith(f"{operation} after 'c'")
    assert found.error > 1e-3
    assert found.inner > 1e-3
    assert found.helps == helps
    assert len(str(found).split()) <= 40


def test_what_the_exporter_leaves_out_is_found_in_both_engines():
    found = find_departure(attached(OTHER["another divisor"][0]), SAMPLES, engine="onnxruntime")
    assert found is not None
    assert found.remedy == "Write that layer with other operators."


def test_the_users_own_module_is_what_counts():
    graph, net = attached(SAME["plain"]), Net(SAME["plain"])
    with torch.no_grad():
        expected = net(torch.from_numpy(SAMPLES["x"])).numpy()
    assert find_departure(graph, SAMPLES, expected) is None
    found = find_departure(graph, SAMPLES, expected[::-1])
    assert found is not None
    assert found.layer is None  # no operation differs, the answers do


def test_normalization_belongs_to_the_network():
    graph = attach.exits(
        net := Net(SAME["plain"]), torch.rand(2, 3, 16, 16), count=0, normalize=Normalize([0.5] * 3, [0.2] * 3)
    )
    with torch.no_grad():
        expected = net((torch.from_numpy(SAMPLES["x"]) - 0.5) / 0.2).numpy()
    assert find_departure(graph, SAMPLES, expected) is None


def test_nan_where_pytorch_has_none_is_a_departure():
    wanted = np.array([[1.0, 2.0]], np.float32)
    assert _departure._part(np.array([[np.nan, 2.0]], np.float32), wanted) == float("inf")
    assert _departure._part(wanted, wanted) == 0
    both = np.array([[np.nan, 2.0]], np.float32)
    assert _departure._part(both, both) == 0
    assert _departure._part(wanted[:, :1], wanted) == float("inf")


def test_a_coarse_precision_that_loses_much_is_told_apart_from_a_layer_that_is_wrong():
    graph, answers = attached(SAME["plain"]), []

    def ask(engine, precision, path, given):
        answers.append(precision)
        exact = _departure._logits(graph, given)
        return exact if precision == "f32" else exact * 2

    with mock.patch.object(_departure, "_ask", ask):
        found = find_departure(graph, SAMPLES, precision="bf16")
    assert answers == ["bf16", "f32"]
    assert found == Departure(engine="openvino", precision="bf16", error=1.0, changed=0, samples=4)
    assert found.remedy == "Compute in f32."


def test_8_bits_are_looked_at_in_float():
    assert find_departure(attached(SAME["plain"]), SAMPLES, precision="int8") is None


def test_what_was_exported_is_handed_on():
    graph, traces = attached(SAME["plain"], exits=1), {}
    find_departure(graph, SAMPLES, traces=traces)
    with mock.patch.object(onnx, "trace_body", side_effect=AssertionError("traced again")):
        assert find_departure(graph, SAMPLES, traces=traces) is None


def test_an_engine_that_refuses_says_so():
    graph = attached(lambda h: F.pad(h, (1, 2, 1, 2), mode="circular"))
    with pytest.raises(EngineError, match="OpenVINO cannot run"):
        find_departure(graph, SAMPLES)


def test_an_unknown_engine_is_refused():
    with pytest.raises(OptionError, match="engine must be openvino or onnxruntime, but is 'tensorrt'"):
        find_departure(attached(SAME["plain"]), SAMPLES, engine="tensorrt")  # type: ignore[arg-type]  # on purpose


def test_a_sample_with_nan_is_left_out_because_its_answer_means_nothing():
    spoiled = {"x": SAMPLES["x"].copy()}
    spoiled["x"][1, 0, 3, 3] = np.nan
    assert find_departure(attached(SAME["plain"]), spoiled) is None
    found = find_departure(attached(OTHER["shrunk with antialias"][0]), spoiled)
    assert found is not None
    assert found.samples == 3
