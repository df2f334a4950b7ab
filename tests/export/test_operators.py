from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from unittest import mock

import pytest
import torch
from torch import nn
from torch._export import utils
from torch.onnx._internal.exporter._registration import ONNXRegistry

from exporter import KnownBodies, content_of
from graphs import ROW
from offramp.export import _body
from offramp.export._body import trace_body
from offramp.export._operators import _REGISTRIES, _find, _Lookup, shared_operators
from offramp.graph import DataEdge, Node

NODE = Node(name="net", kind="function", inputs=(DataEdge(source="x"),), outputs=(ROW,))


def trace() -> bytes:
    torch.manual_seed(0)
    return trace_body(NODE, nn.Sequential(nn.Linear(3, 3), nn.Hardswish()), [ROW]).SerializeToString()  # type: ignore[no-any-return]  # layers and arrays tell no type


@pytest.fixture
def no_tables(monkeypatch: pytest.MonkeyPatch, known_bodies: KnownBodies) -> Iterator[None]:
    """As in a process that has exported nothing yet, but loaded what an export needs; each export is a real one."""
    monkeypatch.setattr(torch.onnx, "export", known_bodies.export)
    trace()
    monkeypatch.setattr(_Lookup, "known", [])
    with mock.patch.dict(_REGISTRIES, clear=True):
        yield


@pytest.mark.usefixtures("no_tables")
@pytest.mark.parametrize(
    ("owner", "name"),
    [(ONNXRegistry, "from_torchlib"), (utils, "_materialize_cpp_cia_ops")],
    ids=["registry", "lookup"],
)
def test_two_bodies_share_one_table(owner: object, name: str) -> None:
    with mock.patch.object(owner, name, side_effect=getattr(owner, name)) as made:
        trace()
        trace()
    assert made.call_count == 1


def test_a_body_is_written_as_pytorch_alone_would_write_it(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = trace()
    monkeypatch.setattr(_body, "shared_operators", nullcontext)
    assert trace() == shared


def test_pytorch_is_as_it_was_afterwards() -> None:
    before = (vars(ONNXRegistry)["from_torchlib"], utils._materialize_cpp_cia_ops)
    with shared_operators():
        assert vars(ONNXRegistry)["from_torchlib"] is not before[0]
    assert (vars(ONNXRegistry)["from_torchlib"], utils._materialize_cpp_cia_ops) == before


def test_what_one_export_adds_is_unknown_to_the_next() -> None:
    with shared_operators():
        first = ONNXRegistry.from_torchlib(opset_version=18)
        first.functions["aten::relu"].clear()
        assert ONNXRegistry.from_torchlib(opset_version=18).functions["aten::relu"]


@pytest.mark.usefixtures("no_tables")
def test_operators_that_are_registered_later_are_looked_up() -> None:
    calls: list[int] = []
    look_up = _Lookup(lambda: calls.append(1))
    look_up()
    library = torch.library.Library("offramp_test", "DEF")  # type: ignore[no-untyped-call]  # PyTorch's own
    library.define("twice(Tensor x) -> Tensor")  # type: ignore[no-untyped-call]  # PyTorch's own
    library.impl("twice", lambda x: x * 2, "CompositeImplicitAutograd")  # type: ignore[no-untyped-call]  # PyTorch's
    look_up()
    look_up()
    assert len(calls) == 2


def test_a_version_of_pytorch_without_these_names_exports_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _find("torch.no_such_module") is None
    monkeypatch.delattr(utils, "_materialize_cpp_cia_ops", raising=True)
    with shared_operators():
        assert not hasattr(utils, "_materialize_cpp_cia_ops")


def scaled() -> nn.Module:
    layer = nn.Linear(3, 3)
    nn.init.ones_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


ROWS = (torch.zeros(2, 3),)
OTHERS: dict[str, tuple[nn.Module, tuple[torch.Tensor, ...], dict[str, object]]] = {
    "weights": (nn.Linear(3, 3), ROWS, {}),
    "class": (nn.Bilinear(3, 3, 3), ROWS, {}),
    "mode": (scaled().eval(), ROWS, {}),
    "rows": (scaled(), (torch.zeros(4, 3),), {}),
    "options": (scaled(), ROWS, {"opset_version": 17}),
}


@pytest.mark.parametrize("what", OTHERS)
def test_the_tests_own_exporter_tells_bodies_apart(what: str) -> None:
    known = content_of(scaled(), ROWS, {})
    assert known is not None
    assert content_of(scaled(), ROWS, {}) == known
    assert content_of(*OTHERS[what]) not in (known, None)


def test_the_tests_own_exporter_does_not_know_what_it_cannot_compare() -> None:
    class Local(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    assert content_of(Local(), ROWS, {}) is None
    assert content_of(nn.Linear(2048, 2048), ROWS, {}) is None
