"""How a file is cut into stages; what they answer is in test_onnx.py."""

from __future__ import annotations

from graphs import make_chain
from offramp import attach
from offramp.export import onnx as export_onnx
from offramp.run.onnx._lift import Branch, Segment, Steps, lift


def depth(steps: Steps) -> int:
    return max([1 + depth(step.then) for step in steps if isinstance(step, Branch)], default=0)


def stages(steps: Steps) -> list[Segment]:
    found = [step for step in steps if isinstance(step, Segment)]
    for step in steps:
        if isinstance(step, Branch):
            found += stages(step.then) + stages(step.otherwise)
    return found


def test_branches_nest_as_regions_do() -> None:
    steps = lift(export_onnx.to_model(make_chain(2)))
    assert depth(steps) == 2


def test_no_stage_holds_an_if_and_every_weight_lies_where_it_is_used() -> None:
    found = stages(lift(export_onnx.to_model(make_chain(2))))
    assert all(node.op_type != "If" for stage in found for node in stage.model.graph.node)
    for stage in found:
        used = {name for node in stage.model.graph.node for name in node.input}
        assert {constant.name for constant in stage.model.graph.initializer} <= used | set(stage.gives)


def test_a_graph_without_gates_is_one_stage() -> None:
    (only,) = lift(export_onnx.to_model(make_chain(0)))
    assert isinstance(only, Segment)
    assert only.reads == ("x",)


def test_no_stage_gives_another_what_older_versions_of_the_engine_lose() -> None:
    graph = attach.d2nn("q: x -> a, b\na: x | fc 8 | fc 3\nb: x | fc 3\nanswer: a or b", (4,))
    found = stages(lift(export_onnx.to_model(graph)))
    ranges = [name for stage in found for node in stage.model.graph.node if node.op_type == "Range"
              for name in node.output]  # fmt: skip
    assert len(ranges) == 2  # one per branch
    assert not {name for stage in found for name in stage.gives} & set(ranges)
