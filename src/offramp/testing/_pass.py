"""What every pass must do, as tests to inherit."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from offramp.export.onnx import save
from offramp.graph import Graph, History, Pass, to_json
from offramp.run import Answer, onnx, openvino, run_reference

Array = NDArray[Any]  # any type that an input may have
_ROWS = 6


class PassContract:
    """Tests of one pass: inherit, name the class so that pytest collects it, and override `make` and `graph`.

    Attributes:
        tolerance: By how much an engine's logits may differ from the reference interpreter's, of the largest one. A
            pass that rounds to 8 bits needs one step.

    Example:
        >>> import torch
        >>> from offramp.attach import b_lenet
        >>> from offramp.transform import KeepExits
        >>> class TestKeepExits(PassContract):
        ...     def make(self):
        ...         return KeepExits(exits=())
        ...
        ...     def graph(self):
        ...         _ = torch.manual_seed(0)
        ...         return b_lenet()
        >>> TestKeepExits().test_its_json_form_comes_back()
    """

    tolerance = 1e-4

    def make(self) -> Pass:
        """The pass, with options that change the graph."""
        raise NotImplementedError

    def graph(self) -> Graph:
        """A graph that the pass suits; the same in each call, weights included."""
        raise NotImplementedError

    def nothing(self) -> Pass | None:
        """The pass at strength zero, which changes nothing; None if it has none."""
        return None

    def unsuited(self) -> Graph | None:
        """A graph that the pass must refuse; None if it suits all."""
        return None

    def test_its_json_form_comes_back(self) -> None:
        """As a pass that is equal and makes the same graph; what is large travels beside the text."""
        one = self.make()
        data, arrays = one.to_json()
        back = type(one).from_json(json.loads(json.dumps(data, allow_nan=False)), arrays)
        assert data["pass"] == one.name
        assert back == one
        _assert_same(back(self.graph()), one(self.graph()))

    def test_it_makes_the_same_graph_each_time(self) -> None:
        """Whatever was random or decided by data is part of the pass."""
        one = self.make()
        _assert_same(one(self.graph()), one(self.graph()))

    def test_it_leaves_the_graph_that_it_is_given_as_it_was(self) -> None:
        """Structure, bodies and weights: bodies that change are copies."""
        graph = self.graph()
        told, bodies = to_json(graph), copy.deepcopy(dict(graph.bodies))
        self.make()(graph)
        assert to_json(graph) == told
        _assert_same(graph, graph.with_bodies(bodies))

    def test_strength_zero_is_the_identity(self) -> None:
        """The graph itself comes back."""
        one = self.nothing()
        if one is None:
            pytest.skip("this pass has no strength")
        graph = self.graph()
        assert one(graph) is graph

    def test_the_graph_remembers_it(self) -> None:
        """Where the steps so far are known; where they are not, nobody claims to know them."""
        one, graph = self.make(), self.graph()
        before = History(steps=graph.steps or (one,), nodes=graph.nodes)
        known, unknown = (Graph(nodes=graph.nodes, answer=graph.answer, bodies=graph.bodies, history=history)
                          for history in (before, History()))  # fmt: skip
        assert one(known).steps == (*before.steps, one)
        assert one(unknown).steps == ()

    def test_a_graph_that_it_does_not_suit_is_refused_in_a_sentence(self) -> None:
        """By `requires`, which says no more than the pass itself."""
        graph, one = self.unsuited(), self.make()
        if graph is None:
            pytest.skip("this pass suits all graphs")
        with pytest.raises(Exception, match=r"\w+ .*\.$") as told:
            one.requires(graph)
        with pytest.raises(type(told.value)):
            one(graph)

    @pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
    def test_its_file_answers_as_the_graph_does(self, engine: str) -> None:
        """Export, then run, is run: against the reference interpreter, nobody, all, or some leaving early."""
        graph = self.make()(self.graph())
        inputs = _inputs(graph)
        with tempfile.TemporaryDirectory() as folder:
            path = save(graph, Path(folder) / "model.onnx")
            runtime = openvino.load(path) if engine == "openvino" else onnx.load(path)
            for limits in _thresholds(graph, inputs):
                _assert_close(runtime(inputs, limits), _reference(graph, inputs, limits), self.tolerance)


def with_arrays(graph: Graph) -> Graph:
    """The graph for the reference interpreter, whose bodies take and give NumPy arrays."""
    return graph.with_bodies({name: _on_arrays(body) for name, body in graph.bodies.items()})


def _on_arrays(body: Callable[..., Any]) -> Callable[..., Any]:  # Any: a body is opaque
    def call(*given: Array) -> Any:
        with torch.no_grad():
            result = (body.eval() if isinstance(body, nn.Module) else body)(*map(torch.as_tensor, given))
        return result.numpy() if isinstance(result, torch.Tensor) else tuple(one.numpy() for one in result)

    return call


def _reference(graph: Graph, inputs: dict[str, Array], limits: Array) -> Answer:
    return run_reference(with_arrays(graph), inputs, limits)


def _inputs(graph: Graph) -> dict[str, Array]:
    random = np.random.default_rng(0)
    shapes = {node.name: node.outputs[0] for node in graph.inputs}
    return {
        name: random.random((_ROWS, *tensor.shape), np.float32)
        if "float" in tensor.dtype
        else np.ones((_ROWS, *tensor.shape), tensor.dtype)
        for name, tensor in shapes.items()
    }


def _thresholds(graph: Graph, inputs: dict[str, Array]) -> list[Array]:
    """At which nobody stops, at which all do, and in the middle of the widest gap between two samples' scores."""
    gates = [gate.gate for gate in graph.gates if gate.gate is not None]
    none, everybody = (np.array([getattr(gate, end) for gate in gates], np.float32)
                       for end in ("stop_none", "stop_all"))  # fmt: skip
    some = none.copy()
    for at in range(len(gates)):
        alone = np.where(np.arange(len(gates)) == at, everybody, none).astype(np.float32)
        scores = np.sort(_reference(graph, inputs, alone).score)
        widest = int(np.diff(scores).argmax())
        some[at] = (scores[widest] + scores[widest + 1]) / 2
    return [none, everybody, some]


def _assert_same(first: Graph, second: Graph) -> None:
    """Same structure, and bodies of the same kinds and weights."""
    assert to_json(first) == to_json(second)
    assert first.bodies.keys() == second.bodies.keys()
    for name, body in first.bodies.items():
        assert (
            type(body).__qualname__ == type(second.bodies[name]).__qualname__
        )  # a copied trace has a class of its own
        if isinstance(body, nn.Module):
            other = second.bodies[name]
            assert isinstance(other, nn.Module)
            own, others = ([*one.named_parameters(), *one.named_buffers()] for one in (body, other))
            assert [key for key, _ in own] == [key for key, _ in others]
            assert all(torch.equal(mine, theirs) for (_, mine), (_, theirs) in zip(own, others, strict=True))


def _assert_close(got: Answer, wanted: Answer, tolerance: float) -> None:
    np.testing.assert_array_equal(got.exit, wanted.exit)
    np.testing.assert_array_equal(got.route, wanted.route)
    largest = max(1.0, float(np.abs(wanted.logits).max()))
    np.testing.assert_allclose(got.logits, wanted.logits, atol=tolerance * largest, rtol=0)
