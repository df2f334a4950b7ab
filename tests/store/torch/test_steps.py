from __future__ import annotations

import pytest

from offramp.attach import Published
from offramp.errors import ExportError
from offramp.store.torch import STEPS
from offramp.store.torch._steps import read_steps, replay, write_steps
from offramp.transform import GateBy, KeepExits

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


@pytest.mark.parametrize("steps", [[], [KeepExits(exits=())], [LENET, LENET]])
def test_steps_that_do_not_begin_at_a_network_are_refused(steps: list[Published | KeepExits]) -> None:
    with pytest.raises(ExportError, match="one that attaches to a network, then passes"):
        replay(steps, [])
