"""Networks in other numbers than float32."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from offramp import attach
from offramp.capture import capture
from offramp.errors import CaptureError, OfframpWarning
from offramp.nn import Executor
from offramp.zoo import load_model

pytestmark = pytest.mark.tracing
X = torch.randn(6, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def plain() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5),
    )  # fmt: skip


class Inside(nn.Module):
    """Computes in another type than it reads and answers in."""

    def __init__(self, kind: torch.dtype, how: str = "to") -> None:
        super().__init__()
        self.net, self.kind, self.how = plain().to(kind), kind, how

    def forward(self, x: Tensor) -> Any:
        if self.how == "method":
            return self.net(x.half()).float()
        if self.how == "like its weights":
            return self.net(x.to(self.net[0].weight.dtype)).float()  # type: ignore[arg-type]  # known here
        if self.how == "answers so":
            return self.net(x.to(self.kind))
        return self.net(x.to(dtype=self.kind)).to(torch.float32)


class Autocast(nn.Module):
    """Chooses bfloat16 by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.net = plain()

    def forward(self, x: Tensor) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return self.net(x).float()


class Scaled(nn.Module):
    """Multiplies by a constant in float64, as NumPy's are."""

    def __init__(self) -> None:
        super().__init__()
        self.net = plain()
        self.register_buffer("scale", torch.linspace(1, 2, 8, dtype=torch.float64), persistent=False)

    def forward(self, x: Tensor) -> Any:
        return self.net((x * self.scale).float())  # type: ignore[operator]  # known here


NETWORKS = {
    "half inside": (lambda: Inside(torch.float16), "float16"),
    "half by method": (lambda: Inside(torch.float16, "method"), "float16"),
    "like its weights": (lambda: Inside(torch.bfloat16, "like its weights"), "bfloat16"),
    "double": (lambda: Inside(torch.float64, "answers so"), "float64"),
    "bfloat16 answers": (lambda: Inside(torch.bfloat16, "answers so"), "bfloat16"),
    "weights in bfloat16": (lambda: plain().bfloat16(), "bfloat16"),
    "weights in float64": (lambda: plain().double(), "float64"),
    "autocast": (Autocast, "bfloat16"),
    "a constant in float64": (Scaled, "float64"),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_in_other_floats_works_in_float32_with_a_word_about_it(name: str) -> None:
    make, kind = NETWORKS[name]
    net = make().eval()  # type: ignore[no-untyped-call]  # PyTorch's own
    state = {key: value.clone() for key, value in net.state_dict().items()}
    with pytest.warns(OfframpWarning, match=rf"computes in {kind}; offramp works in float32") as told:
        graph = attach.exits(net, X[:2], count=1)
    assert len(told) == 1
    assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())
    with torch.no_grad():
        given = X if "weights" not in name else X.to(next(net.parameters()).dtype)
        expected = net(given).float()
        got = Executor(graph).eval().dense({"x": X})[graph.exits[-1].name][0]
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, expected, rtol=0, atol=0.03 * float(expected.abs().max()))
    assert all(weight.dtype == torch.float32 for body in graph.bodies.values() for weight in body.parameters())  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_an_example_in_other_floats_gives_a_graph_that_takes_float32(kind: torch.dtype) -> None:
    with pytest.warns(OfframpWarning, match="works in float32"):
        captured = capture(plain().to(kind), X[:2].to(kind))
    assert captured.inputs["x"].dtype == captured.logits.dtype == "float32"


def test_an_ordinary_network_raises_no_warning() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        capture(plain(), X[:2])
    assert not said


class Complex(nn.Module):
    """Weights that are complex."""

    def __init__(self) -> None:
        super().__init__()
        self.turn, self.last = nn.Parameter(torch.randn(8, dtype=torch.complex64)), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Any:
        return self.last((x * self.turn).abs())


def test_complex_weights_are_refused_by_name() -> None:
    with pytest.raises(CaptureError, match="turn is complex"):
        capture(Complex(), torch.randn(2, 8))


class Packed(nn.Module):
    """Weights of 8 bits, as libraries for language models pack them."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 8, dtype=torch.int8), requires_grad=False)

    def forward(self, x: Tensor) -> Any:
        return x @ self.weight.float().T


def test_weights_of_8_bits_are_refused_by_name() -> None:
    with pytest.raises(CaptureError, match=r"weight is quantized.*engine.precision=int8"):
        capture(Packed(), torch.randn(2, 8))


@pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor:UserWarning")
def test_a_network_that_is_quantized_already_is_refused() -> None:
    net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    quantized = torch.ao.quantization.quantize_dynamic(net, {nn.Linear}, torch.qint8)  # type: ignore[no-untyped-call]  # PyTorch's own
    with pytest.raises(CaptureError, match="but 0 is quantized"):
        capture(quantized, torch.randn(2, 8))


def test_a_file_of_weights_in_bfloat16_fills_a_network_in_float32(tmp_path: Path) -> None:
    state = {name: value.bfloat16() for name, value in load_model("zoo:mlp", seed=3).module.state_dict().items()}
    save_file(state, tmp_path / "w.safetensors")
    loaded = load_model("zoo:mlp", weights=tmp_path / "w.safetensors")
    weight = loaded.module.state_dict()["1.weight"]
    assert weight.dtype == torch.float32
    assert torch.equal(weight, state["1.weight"].float())


def test_a_model_that_does_not_run_on_float32_is_loaded_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offramp.zoo._mlp.mlp", lambda: plain().bfloat16())
    with pytest.warns(OfframpWarning, match="_mlp:mlp computes in bfloat16"):
        loaded = load_model("offramp.zoo._mlp:mlp", shape=(3, 8, 8))
    assert loaded.module(X).dtype == torch.float32


def test_a_model_that_casts_by_itself_is_loaded_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offramp.zoo._mlp.mlp", lambda: Inside(torch.float16))
    loaded = load_model("offramp.zoo._mlp:mlp", shape=(3, 8, 8))
    assert {weight.dtype for weight in loaded.module.parameters()} == {torch.float16}
