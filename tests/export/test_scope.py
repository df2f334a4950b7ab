from __future__ import annotations

import numpy as np
import onnxruntime
from onnx import TensorProto, helper

from offramp.export._scope import Scope


def test_no_two_names_are_the_same_in_a_scope_and_the_scopes_inside_it() -> None:
    outer = Scope("outer")
    inner = outer.inner("outer")
    names = [scope.fresh("x") for scope in (outer, inner, outer, inner)]
    assert len(set(names)) == 4


def test_equal_constants_are_kept_once() -> None:
    scope = Scope("main")
    assert scope.shape(1, 2) == scope.shape(1, 2)
    assert len(scope.initializers) == 1


def test_constants_that_differ_only_in_type_or_shape_are_kept_apart() -> None:
    scope = Scope("main")
    zeros = [np.zeros((), np.int64), np.zeros((), np.float64), np.zeros(1, np.int64), np.zeros((1, 1), np.int64)]
    assert len({scope.constant(zero) for zero in zeros}) == 4


def test_an_inner_scope_keeps_constants_of_its_own() -> None:
    outer = Scope("main")
    inner = outer.inner("then")
    assert outer.shape(1) != inner.shape(1)
    assert (len(outer.initializers), len(inner.initializers)) == (1, 1)


def test_what_is_added_is_a_graph_that_runs() -> None:
    scope = Scope("main")
    total = scope.add("Add", ["x", scope.constant(np.array([10], np.float32))])
    scope.add("Concat", [total, "x"], output="y", axis=0)
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in "xy")
    model = helper.make_model(scope.graph([x], [y]), opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    assert session.run(["y"], {"x": np.array([1], np.float32)})[0].tolist() == [11, 1]
