"""The torch runtime against the reference interpreter."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from graphs import make_chain, random_graphs, with_numpy_bodies
from offramp.errors import OptionError
from offramp.graph import Graph
from offramp.run import Answer, Runtime, run_reference
from offramp.run import torch as run_torch
from offramp.testing import RuntimeContract

GRAPH = make_chain(3)


class TestTorch(RuntimeContract):
    def load(self) -> Runtime:
        return run_torch.load(GRAPH)

    def expect(self, inputs: dict[str, np.ndarray], thresholds: np.ndarray) -> Answer:
        return run_reference(with_numpy_bodies(GRAPH), inputs, thresholds)


class TestBuckets(TestTorch):
    """The same with room for more rows than go on."""

    def load(self) -> Runtime:
        return run_torch.load(GRAPH, buckets=[3, 4, 16])


@pytest.mark.tracing
class TestCompiled(TestTorch):
    """The same, traced and guarded as for the compiler, but run by PyTorch itself, which is quick to prepare."""

    @pytest.fixture(autouse=True)
    def _quick(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
        yield
        torch.compiler.reset()

    def load(self) -> Runtime:
        return run_torch.load(GRAPH, compile=True, buckets=[64])


def batch(rows: int = 4) -> dict[str, np.ndarray]:
    return {"x": np.arange(3 * rows, dtype=np.float32).reshape(rows, 3) % 17 - 6}


@settings(deadline=None, max_examples=60, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(graph=random_graphs(), seed=st.integers(0, 99), buckets=st.none() | st.lists(st.integers(1, 6), min_size=1))
def test_any_graph_answers_like_the_reference_whatever_the_buckets(
    graph: Graph, seed: int, buckets: list[int] | None
) -> None:
    generator = np.random.default_rng(seed)
    inputs = {"x": generator.integers(-8, 9, (5, 3)).astype(np.float32)}
    thresholds = generator.integers(-10, 10, len(graph.gates)).astype(np.float32)
    runtime = run_torch.load(graph, buckets=buckets)
    expected = run_reference(with_numpy_bodies(graph), inputs, thresholds)
    got = runtime(inputs, thresholds)
    for name in ("logits", "exit", "score", "route"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)


def test_dense_gives_every_exit_and_score() -> None:
    answer = run_torch.load_dense(GRAPH)(batch())
    everybody = run_reference(with_numpy_bodies(GRAPH), batch(), np.full(3, 1e9, np.float32))
    assert answer.logits.shape == (4, 4, 3)
    np.testing.assert_array_equal(answer.logits[:, -1], everybody.logits)
    np.testing.assert_array_equal(answer.scores["sum"], answer.logits[:, :3].sum(axis=2))


def test_the_number_of_threads_applies_only_during_a_call() -> None:
    before = torch.get_num_threads()
    run_torch.load(GRAPH, threads=before + 1)(batch())
    assert torch.get_num_threads() == before


def test_loading_leaves_the_bodies_in_their_mode() -> None:
    graph = make_chain(1)
    run_torch.load(graph)(batch())
    assert all(body.training for body in graph.bodies.values())  # type: ignore[attr-defined]  # modules


def test_a_device_that_is_not_there_is_refused() -> None:
    with pytest.raises(OptionError, match="device"):
        run_torch.load(GRAPH, device="nothing:7")


def test_no_threads_are_refused() -> None:
    with pytest.raises(OptionError, match="threads"):
        run_torch.load(GRAPH, threads=0)


class Noted(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch's own
    """Notes the operations that run."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # PyTorch's own
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


def operations(thresholds: np.ndarray, **options: Any) -> list[str]:
    runtime = run_torch.load(GRAPH, **options)
    with Noted() as noted:
        runtime(batch(9), thresholds)
    return noted.names  # type: ignore[no-any-return]  # layers and arrays tell no type


WAITING = ("_local_scalar_dense", "item", "nonzero", "nonzero_numpy", "is_nonzero", "equal", "unique", "masked_select")
COPYING = ("index", "index_select", "index_copy", "index_put", "gather", "scatter")


@pytest.mark.parametrize("buckets", [None, [4, 16]])
def test_the_host_waits_once_per_exit(buckets: list[int] | None) -> None:
    names = operations(np.array([3, 6, 1e9], np.float32), buckets=buckets)
    assert [name for name in names if name in WAITING] == ["nonzero"] * 3


def test_nothing_is_copied_when_everybody_stays_or_everybody_leaves() -> None:
    for limit, waits in ((1e9, 3), (-1e9, 1)):
        names = operations(np.full(3, limit, np.float32))
        assert [name for name in names if name in COPYING] == []
        assert names.count("nonzero") == waits


def test_bodies_get_the_numbers_of_rows_that_were_asked_for() -> None:
    rows: set[int] = set()
    runtime = run_torch.load(GRAPH, buckets=[4, 16])
    for body in runtime._session.executor.bodies.values():
        body.register_forward_pre_hook(lambda _, given: rows.add(len(given[0])))
    for size in range(1, 20):
        runtime(batch(size), np.array([3, 6, 0], np.float32))
    assert rows <= {*range(1, 20), 4, 16}
    rows.clear()
    runtime(batch(40), np.array([3, 6, 0], np.float32))
    assert rows <= {40, 16, 32, 4}


@pytest.mark.slow
@pytest.mark.tracing
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++ on the CPU")
def test_what_the_compiler_makes_answers_like_pytorch() -> None:
    graph = make_chain(1)
    thresholds = np.array([2], np.float32)
    got = run_torch.load(graph, compile=True, buckets=[8])(batch(8), thresholds)
    expected = run_torch.load(graph)(batch(8), thresholds)
    np.testing.assert_array_equal(got.exit, expected.exit)
    np.testing.assert_allclose(got.logits, expected.logits, atol=1e-5)  # it may add in another order


def test_buckets_that_are_no_sizes_are_refused() -> None:
    with pytest.raises(OptionError, match="buckets"):
        run_torch.load(GRAPH, buckets=[0])


@pytest.mark.tracing
def test_every_body_is_compiled_for_every_size(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = []

    def compiler(module: Any, given: Any) -> Any:  # Any: as torch.compile calls it
        compiled.append(len(given))
        return module.forward

    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=compiler))
    monkeypatch.setattr(run_torch, "SHAPES", 2)
    torch.compiler.reset()
    runtime = run_torch.load(GRAPH, compile=True, buckets=[64])
    counts = []
    for rows in (4, 9):  # PyTorch counts the sizes of all bodies together
        runtime(batch(rows))
        counts.append(len(compiled))
    torch.compiler.reset()
    assert counts[0] > 2  # bodies that differ in nothing but weights are compiled once
    assert counts[1] == 2 * counts[0]
