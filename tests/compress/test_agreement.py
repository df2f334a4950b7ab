from __future__ import annotations

import numpy as np

from offramp.compress._agreement import OnnxBody, agreements
from quantized import make_small


def test_the_same_bodies_agree_on_everything() -> None:
    small = make_small()
    bodies = {name: OnnxBody(small.traced[name]) for name in ("stage1", "exit0/head")}
    found = agreements(small.graph, small.held.subset(slice(96)), {"same": bodies, "none": {}})
    assert found["same"].tolist() == found["none"].tolist() == [1.0, 1.0, 1.0]


def test_a_head_changes_its_own_exit_alone() -> None:
    small = make_small()
    other = OnnxBody(small.traced["exit1/head"])  # reads a tensor of the same shape
    found = agreements(small.graph, small.held.subset(slice(96)), {"other": {"exit0/head": other}})["other"]
    assert found[0] < 1
    assert found[1:].tolist() == [1.0, 1.0]


def test_a_stage_changes_all_exits_behind_it() -> None:
    small = make_small()

    def nothing(*given: object) -> object:
        (first,) = OnnxBody(small.traced["stage1"])(*given)  # type: ignore[arg-type]  # tensors
        return (first * 0,)

    class Nothing(OnnxBody):
        def __init__(self) -> None:
            pass

        __call__ = staticmethod(nothing)  # type: ignore[assignment]  # as above

    found = agreements(small.graph, small.held.subset(slice(96)), {"gone": {"stage1": Nothing()}})["gone"]
    assert found[0] == 1
    assert np.all(found[1:] < 1)
