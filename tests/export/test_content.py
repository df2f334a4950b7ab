"""The key of a module: equal for equal modules, and never for others."""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn

from offramp import attach
from offramp.export._content import Content


def digest(module: nn.Module) -> bytes:
    return Content(module).digest


class Called(nn.Module):
    """Calls what it was given."""

    def __init__(self, call: Any) -> None:
        super().__init__()
        self.call = call

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.call(x)  # type: ignore[no-any-return]  # layers and arrays tell no type


class Holding(nn.Module):
    """Has a setting of any kind."""

    def __init__(self, setting: Any) -> None:
        super().__init__()
        self.setting = setting


@dataclass
class Settings:
    width: int


class Scaled(list):  # type: ignore[type-arg]  # as it is at run time
    """A list with an attribute."""

    factor = 1


def scaled(items: list[int], factor: int) -> Scaled:
    made = Scaled(items)
    made.factor = factor
    return made


def times(factor: float) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda x: x * factor


def traced(module: nn.Module, change: Callable[[fx.Graph], None] = lambda graph: None) -> fx.GraphModule:
    made = fx.symbolic_trace(module)
    change(made.graph)
    made.recompile()
    return made


def adding(graph: fx.Graph) -> None:
    for node in graph.nodes:
        if node.target is torch.mul:
            node.target = torch.add


def by_three(graph: fx.Graph) -> None:
    for node in graph.nodes:
        if node.target is torch.mul:
            node.args = (node.args[0], 3)


def double(x: torch.Tensor) -> torch.Tensor:
    return torch.mul(x, 2)


def with_weights(module: nn.Module) -> nn.Module:
    """The module with weights that only their shapes fix."""
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(torch.linspace(-1, 1, weight.numel()).view(weight.shape))
    return module


ALIKE: dict[str, Callable[[], nn.Module]] = {
    "layers": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True)),
    "attention": lambda: nn.TransformerEncoderLayer(8, 2, 16),
    "lambda": lambda: Called(lambda x: x + 1),
    "closure": lambda: Called(times(2)),
    "partial": lambda: Called(partial(torch.mul, other=2)),
    "object": lambda: Holding(Settings(width=3)),
    "containers": lambda: Holding({"a": [1, (2.0, None)], "b": {3, 4}, "c": slice(1, 2)}),
    "subclass": lambda: Holding(scaled([1, 2], 3)),
    "traced": lambda: traced(Called(double)),
    "traced layers": lambda: traced(nn.Sequential(nn.Linear(2, 3), nn.ReLU())),
}


@pytest.mark.parametrize("make", ALIKE.values(), ids=list(ALIKE))
def test_a_module_that_is_made_again_has_the_same_key(make: Callable[[], nn.Module]) -> None:
    assert digest(with_weights(make())) == digest(with_weights(make()))


@pytest.mark.parametrize("make", ALIKE.values(), ids=list(ALIKE))
def test_a_copy_has_the_same_key(make: Callable[[], nn.Module]) -> None:
    module = make()
    assert digest(module) == digest(copy.deepcopy(module))


OTHER: dict[str, tuple[nn.Module, nn.Module]] = {
    "stride": (nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3, stride=2)),
    "padding": (nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3, padding=1)),
    "padding mode": (nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect")),
    "eps": (nn.BatchNorm2d(2), nn.BatchNorm2d(2, eps=1e-3)),
    "slope": (nn.LeakyReLU(0.1), nn.LeakyReLU(0.2)),
    "kernel of a pool": (nn.MaxPool2d(2), nn.MaxPool2d(3)),
    "type without weights": (nn.ReLU(), nn.GELU()),
    "order of layers": (nn.Sequential(nn.ReLU(), nn.Tanh()), nn.Sequential(nn.Tanh(), nn.ReLU())),
    "nesting": (nn.Sequential(nn.Sequential(nn.ReLU()), nn.ReLU()), nn.Sequential(nn.Sequential(nn.ReLU(), nn.ReLU()))),
    "code of a lambda": (Called(lambda x: x + 1), Called(lambda x: x - 1)),
    "constant of a lambda": (Called(lambda x: x + 1), Called(lambda x: x + 2)),
    "name in a lambda": (Called(lambda x: x.sin()), Called(lambda x: x.cos())),
    "closure of a lambda": (Called(times(2)), Called(times(3))),
    "default of a lambda": (Called(lambda x, by=2: x * by), Called(lambda x, by=3: x * by)),
    "lambda in a lambda": (Called(lambda x: (lambda y: y + 1)(x)), Called(lambda x: (lambda y: y + 2)(x))),
    "function": (Called(torch.sin), Called(torch.cos)),
    "partial": (Called(partial(torch.mul, other=2)), Called(partial(torch.mul, other=3))),
    "attribute of an object": (Holding(Settings(width=3)), Holding(Settings(width=4))),
    "items of a subclass": (Holding(scaled([1, 2], 3)), Holding(scaled([1, 3], 3))),
    "attribute of a subclass": (Holding(scaled([1, 2], 3)), Holding(scaled([1, 2], 4))),
    "1 and True": (Holding(1), Holding(True)),
    "1 and 1.0": (Holding(1), Holding(1.0)),
    "text and bytes": (Holding("a"), Holding(b"a")),
    "one text and two": (Holding(("ab", "")), Holding(("a", "b"))),
    "dtype": (Holding(torch.float32), Holding(torch.float16)),
    "operation of a graph": (traced(Called(double)), traced(Called(double), adding)),
    "constant of a graph": (traced(Called(double)), traced(Called(double), by_three)),
    "dtype of weights": (nn.Linear(2, 2), nn.Linear(2, 2).half()),
    "shape of weights": (nn.Linear(2, 3, bias=False), nn.Linear(3, 2, bias=False)),
    "handle of a library": (Holding(operator.attrgetter("a")), Holding(operator.attrgetter("b"))),
}


@pytest.mark.parametrize("pair", OTHER.values(), ids=list(OTHER))
def test_modules_with_equal_weights_that_differ_in_anything_have_other_keys(pair: tuple[nn.Module, nn.Module]) -> None:
    first, second = map(with_weights, pair)
    assert digest(first) != digest(second)


@pytest.mark.parametrize("kind", ["register_forward_hook", "register_forward_pre_hook"])
def test_a_hook_makes_another_module(kind: str) -> None:
    plain, hooked = nn.ReLU(), nn.ReLU()
    getattr(hooked, kind)(lambda *given: None)
    assert digest(plain) != digest(hooked)


def test_classes_that_were_made_by_the_same_function_are_different() -> None:
    def make(factor: int) -> nn.Module:
        class Times(nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x * factor

        return Times()

    assert digest(make(2)) != digest(make(3))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 11), st.sampled_from(["weight", "bias"]))
def test_one_number_that_changed_in_place_makes_another_key(at: int, name: str) -> None:
    module = with_weights(nn.Linear(4, 3))
    before, weight = digest(module), getattr(module, name).data.view(-1)
    weight[at % len(weight)] += 1e-3
    assert digest(module) != before


def test_a_buffer_counts_as_weights_do() -> None:
    first, second = nn.BatchNorm2d(2), nn.BatchNorm2d(2)
    second.running_mean += 1  # type: ignore[assignment,operator]  # it has statistics
    assert digest(first) != digest(second)


def test_training_mode_and_memory_format_do_not_count() -> None:
    module = nn.Conv2d(4, 4, 3)
    other = copy.deepcopy(module).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # known here
    assert digest(module.eval()) == digest(other)


def test_a_module_that_holds_itself_has_a_key() -> None:
    module = Holding([])
    module.setting.append([module.setting])
    assert digest(module) == digest(copy.deepcopy(module))


def test_what_counts_by_identity_is_held() -> None:
    handle = operator.attrgetter("a")
    assert any(held is handle for held in Content(Holding(handle)).held)


def test_bodies_that_were_captured_twice_have_the_same_keys() -> None:
    network = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    first, second = (attach.exits(network, torch.zeros(2, 8), placement="1", head="pool") for _ in range(2))
    for name in ("stage0", "stage1"):
        assert digest(first.bodies[name]) == digest(second.bodies[name])  # type: ignore[arg-type]  # a module
