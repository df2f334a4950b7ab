from __future__ import annotations

from contextlib import suppress
from tempfile import TemporaryDirectory

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.attach import Published
from offramp.compress import Narrow, Quantized
from offramp.errors import ExportError, OfframpError
from offramp.graph import Pass, to_json
from offramp.nn import Executor
from offramp.store.torch import STEPS, load_artifact, save_artifact
from offramp.store.torch._steps import read_steps, replay, write_steps
from offramp.transform import AddFallback, GateBy, KeepExits
from passed import ORIGIN, make_graph, make_quantized

LENET = Published(graph="b_lenet", arguments={"scores": ("entropy", "margin")}, normalize=None)


def test_the_table_names_every_step_as_it_names_itself() -> None:
    assert {name: kind.name for name, kind in STEPS.items()} == {name: name for name in STEPS}


def test_steps_come_back_from_what_was_written() -> None:
    steps = [LENET, GateBy(score="margin"), KeepExits(exits=(0,))]
    assert read_steps(*write_steps(steps), STEPS) == steps


def test_a_graph_remembers_the_steps_that_make_it_again() -> None:
    graph = replay([LENET, GateBy(score="margin"), KeepExits(exits=())], [])
    assert replay(graph.steps, []) == graph
    assert graph.steps == (LENET, GateBy(score="margin"), KeepExits(exits=()))


def test_a_step_that_changes_nothing_is_not_remembered() -> None:
    assert replay([LENET, GateBy(score="entropy"), KeepExits(exits=(0,))], []).steps == (LENET,)


PASSES: list[Pass] = [
    KeepExits(exits=(0,)),
    KeepExits(exits=(1,)),
    GateBy(score="entropy"),
    GateBy(score="margin"),
    AddFallback(),
    Narrow(node="stage2", layer="3", keep=(1, 2)),
    Narrow(node="stage0", layer="0", keep=(0, 1, 3)),
    Quantized(bodies={}),
]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, len(PASSES) - 1), max_size=5))
def test_any_stack_of_passes_comes_back_from_a_folder(chain: list[int]) -> None:
    """In any order; a pass that does not suit what the others made is left out."""
    graph = make_graph()
    for at in chain:
        one = PASSES[at] if PASSES[at] != Quantized(bodies={}) else make_quantized()
        with suppress(OfframpError):
            graph = one(graph)
    example = {graph.inputs[0].name: torch.rand(4, 1, 6, 6, generator=torch.Generator().manual_seed(3))}
    with TemporaryDirectory() as folder:
        save_artifact(graph, folder, example=example, origin=ORIGIN)
        back = load_artifact(folder)
    assert to_json(back) == to_json(graph)
    assert back.steps == graph.steps
    limits = torch.tensor([(gate.gate.stop_all + gate.gate.stop_none) / 2 for gate in graph.gates if gate.gate])
    with torch.no_grad():
        wanted, got = (Executor(one).eval()(example, limits) for one in (graph, back))
    assert torch.equal(got.logits, wanted.logits)
    assert torch.equal(got.exit, wanted.exit)


@pytest.mark.parametrize("steps", [[], [KeepExits(exits=())], [LENET, LENET]])
def test_steps_that_do_not_begin_at_a_network_are_refused(steps: list[Published | KeepExits]) -> None:
    with pytest.raises(ExportError, match="one that attaches to a network, then passes"):
        replay(steps, [])
