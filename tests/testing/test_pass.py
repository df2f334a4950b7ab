"""The contract of passes catches broken ones, and ours keep it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import nn

from offramp.attach import d2nn
from offramp.errors import GraphError
from offramp.graph import Graph, Pass
from offramp.testing import PassContract
from passed import make_graph

LAST = "stage2"


class Shift(nn.Module):
    def __init__(self, body: nn.Module, by: float) -> None:
        super().__init__()
        self.body, self.by = body, nn.Parameter(torch.tensor(by))

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.body(*given)
        return logits + self.by


@dataclass(frozen=True, kw_only=True)
class Good(Pass):
    name: ClassVar[str] = "good"
    by: float = 1.0

    def requires(self, graph: Graph) -> None:
        if LAST not in graph.bodies:
            raise GraphError(f"a shift needs a body {LAST!r}. Give another graph.")

    def apply(self, graph: Graph) -> Graph:
        body = graph.bodies[LAST]
        assert isinstance(body, nn.Module)
        return graph.with_bodies({LAST: Shift(body, self.by).eval()}) if self.by else graph


class Random(Good):
    def apply(self, graph: Graph) -> Graph:
        body = graph.bodies[LAST]
        assert isinstance(body, nn.Module)
        return graph.with_bodies({LAST: Shift(body, random.random())})


class Careless(Good):
    def apply(self, graph: Graph) -> Graph:
        body = graph.bodies[LAST]
        assert isinstance(body, nn.Module)
        with torch.no_grad():
            next(body.parameters()).add_(1)
        return graph.with_bodies({})


class Forgetful(Good):
    @classmethod
    def from_json(cls, data: object, arrays: object) -> Forgetful:  # broken on purpose
        return cls(by=2.0)


class Strengthless(Good):
    def apply(self, graph: Graph) -> Graph:
        return graph.with_bodies({})


class Silent(Good):
    def __call__(self, graph: Graph) -> Graph:
        return self.apply(graph)


class Accepting(Good):
    def requires(self, graph: Graph) -> None:
        return


class Unwritable(Good):
    def apply(self, graph: Graph) -> Graph:
        class Wrong(Shift):
            def forward(self, *given: torch.Tensor) -> torch.Tensor:
                return super().forward(*given) + (0 if torch.compiler.is_exporting() else 1)

        body = graph.bodies[LAST]
        assert isinstance(body, nn.Module)
        return graph.with_bodies({LAST: Wrong(body, self.by).eval()})


class TestGood(PassContract):
    kind: ClassVar[type[Good]] = Good

    def make(self) -> Pass:
        return self.kind()

    def nothing(self) -> Pass:
        return self.kind(by=0.0)

    def graph(self) -> Graph:
        return make_graph()

    def unsuited(self) -> Graph:
        return d2nn("out: x | fc 3", (4,))


BROKEN = {
    "its_json_form_comes_back": Forgetful,
    "it_makes_the_same_graph_each_time": Random,
    "it_leaves_the_graph_that_it_is_given_as_it_was": Careless,
    "strength_zero_is_the_identity": Strengthless,
    "the_graph_remembers_it": Silent,
    "a_graph_that_it_does_not_suit_is_refused_in_a_sentence": Accepting,
}


def contract_of(broken: type[Good]) -> PassContract:
    class Contract(TestGood):
        kind = broken

        def graph(self) -> Graph:
            bodies = {LAST: nn.Sequential(nn.Flatten(), nn.Linear(144, 3))}
            return make_graph().with_bodies(bodies)

    return Contract()


@pytest.mark.parametrize("law", BROKEN)
def test_a_pass_that_breaks_a_law_is_caught(law: str) -> None:
    torch.manual_seed(0)
    contract = contract_of(BROKEN[law])
    if law == "it_leaves_the_graph_that_it_is_given_as_it_was":
        known = contract.graph()
        contract.graph = lambda: known  # type: ignore[method-assign]
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        getattr(contract, f"test_{law}")()


def test_a_pass_whose_file_answers_otherwise_is_caught() -> None:
    torch.manual_seed(0)
    with pytest.raises(AssertionError):
        contract_of(Unwritable).test_its_file_answers_as_the_graph_does("onnxruntime")


@pytest.mark.parametrize(
    "law", ["strength_zero_is_the_identity", "a_graph_that_it_does_not_suit_is_refused_in_a_sentence"]
)
def test_a_law_that_a_pass_does_not_claim_is_left_out(law: str) -> None:
    class Modest(TestGood):
        nothing = PassContract.nothing  # type: ignore[assignment]
        unsuited = PassContract.unsuited  # type: ignore[assignment]

    with pytest.raises(pytest.skip.Exception):
        getattr(Modest(), f"test_{law}")()
