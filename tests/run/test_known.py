"""What is answered without the engine: batches without rows, and the way where there is only one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from graphs import make_chain, with_numpy_bodies
from offramp import attach
from offramp.errors import DataError, ThresholdError
from offramp.export import onnx as export_onnx
from offramp.graph import Graph
from offramp.run import Answer, DenseAnswer, run_reference
from offramp.run import onnx as run_onnx
from offramp.run import openvino as run_openvino
from offramp.run import torch as run_torch
from offramp.run._known import OnlyWay, answer_nothing, outputs_to_ask
from offramp.transform import static_path


class Rows(nn.Module):
    """Divides by the number of rows: engines fail on none, or die."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(x.shape[0], -1)


@cache
def network(exits: int) -> Graph:
    torch.manual_seed(0)
    net = nn.Sequential(Rows(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3))
    options: dict[str, Any] = {"placement": ["2", "4"][:exits], "head": ["light"] * exits} if exits else {}
    return attach.exits(net.eval(), torch.zeros(2, 3, 4), count=0, **options)


@dataclass(frozen=True)
class Files:
    model: Path
    dense: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Files]:
    folder = tmp_path_factory.mktemp("known")

    @cache
    def write(exits: int) -> Files:
        graph = network(exits)
        return Files(
            model=export_onnx.save(graph, folder / f"model{exits}.onnx"),
            dense=export_onnx.save(graph, folder / f"dense{exits}.onnx", dense=True),
        )

    return write


CONDITIONAL: dict[str, Callable[[int, Files], Any]] = {
    "onnx": lambda _, files: run_onnx.load(files.model),
    "onnx whole": lambda _, files: run_onnx.load(files.model, staged=False),
    "openvino": lambda _, files: run_openvino.load(files.model),
    "torch": lambda exits, _: run_torch.load(network(exits)),
    "reference": lambda exits, _: lambda x, t=None: run_reference(with_numpy_bodies(network(exits)), x, t),
}
DENSE: dict[str, Callable[[int, Files], Any]] = {
    "onnx": lambda _, files: run_onnx.load_dense(files.dense),
    "openvino": lambda _, files: run_openvino.load_dense(files.dense),
    "torch": lambda exits, _: run_torch.load_dense(network(exits)),
}


def describe(answer: Answer | DenseAnswer) -> dict[str, tuple[Any, ...]]:
    parts: dict[str, Any] = {name: getattr(answer, name) for name in ("logits",)}
    if isinstance(answer, Answer):
        parts |= {name: getattr(answer, name) for name in ("exit", "score", "route")}
    else:
        parts |= answer.scores
    return {name: (array.shape, array.dtype.name) for name, array in parts.items()}


def rows(count: int) -> np.ndarray:
    return np.random.default_rng(count).normal(size=(count, 3, 4)).astype(np.float32)


@pytest.mark.parametrize("kind", list(CONDITIONAL))
@pytest.mark.parametrize("exits", [0, 2])
def test_no_rows_have_an_empty_answer_whatever_the_network_does(
    files: Callable[[int], Files], exits: int, kind: str
) -> None:
    runtime = CONDITIONAL[kind](exits, files(exits))
    name = network(exits).inputs[0].name
    got = describe(runtime({name: rows(0)}, np.zeros(exits, np.float32)))
    one = describe(runtime({name: rows(1)}, np.zeros(exits, np.float32)))
    assert got == {part: ((0, *shape[1:]), dtype) for part, (shape, dtype) in one.items()}
    assert got["route"] == ((0, exits), "int64")


@pytest.mark.parametrize("kind", list(DENSE))
@pytest.mark.parametrize("exits", [0, 2])
def test_no_rows_have_an_empty_answer_at_every_exit(files: Callable[[int], Files], exits: int, kind: str) -> None:
    runtime = DENSE[kind](exits, files(exits))
    name = network(exits).inputs[0].name
    got, one = describe(runtime({name: rows(0)})), describe(runtime({name: rows(1)}))
    assert got == {part: ((0, *shape[1:]), dtype) for part, (shape, dtype) in one.items()}
    assert got["logits"] == ((0, exits + 1, 3), "float32")


def test_a_plain_network_answers_no_rows_with_no_logits(files: Callable[[int], Files]) -> None:
    runtime = run_openvino.load_static(files(0).model)
    got = runtime({"x": rows(0)})
    assert (got.shape, got.dtype) == ((0, 3), np.float32)  # type: ignore[comparison-overlap]  # as it is at run time


@pytest.mark.parametrize("kind", [kind for kind in CONDITIONAL if kind != "reference"])
def test_no_rows_of_the_wrong_shape_are_refused(files: Callable[[int], Files], kind: str) -> None:
    with pytest.raises(DataError, match=r"must be float32 \['B', 3, 4\], but got float32 \[0, 4, 3\]"):
        CONDITIONAL[kind](2, files(2))({"x": np.zeros((0, 4, 3), np.float32)})


@pytest.mark.parametrize("kind", list(CONDITIONAL))
def test_thresholds_that_do_not_fit_are_refused_without_rows_too(files: Callable[[int], Files], kind: str) -> None:
    with pytest.raises(ThresholdError, match="expected 2"):
        CONDITIONAL[kind](2, files(2))({network(2).inputs[0].name: rows(0)}, np.zeros(1, np.float32))


# Networks without control nodes ---------------------------------------------------------------------------------------

CONTROLLED = "h: x | fc 8 | fc 8\nanswer: h | fc 3"  # in the notation of D2NNs, but nothing is chosen


def several_exits_no_gates() -> Graph:
    return static_path(make_chain(2), "stage2")


@cache
def only_way(kind: str) -> Graph:
    torch.manual_seed(1)
    return {
        "no exits": lambda: network(0),
        "d2nn notation": lambda: attach.d2nn(CONTROLLED, (4,)),
        "exits without gates": several_exits_no_gates,
    }[kind]()


@pytest.mark.parametrize("engine", ["onnx", "onnx whole", "openvino", "torch"])
@pytest.mark.parametrize("count", [0, 1, 3, 64])
@pytest.mark.parametrize("kind", ["no exits", "d2nn notation", "exits without gates"])
def test_where_there_is_one_way_the_answer_is_that_of_the_reference(
    kind: str, count: int, engine: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    graph = only_way(kind)
    path = written(kind, tmp_path_factory)
    runtime = {  # type: ignore[no-untyped-call]  # PyTorch's own
        "onnx": lambda: run_onnx.load(path),
        "onnx whole": lambda: run_onnx.load(path, staged=False),
        "openvino": lambda: run_openvino.load(path),
        "torch": lambda: run_torch.load(graph),
    }[engine]()
    node = graph.inputs[0]
    x = np.random.default_rng(0).integers(-8, 9, (count, *node.outputs[0].shape)).astype(np.float32)
    got, wanted = runtime({node.name: x}), run_reference(with_numpy_bodies(graph), {node.name: x})  # type: ignore[operator]  # as it is at run time
    assert describe(got) == describe(wanted)
    np.testing.assert_allclose(got.logits, wanted.logits, atol=1e-5, rtol=0)
    for name in ("exit", "score", "route"):
        np.testing.assert_array_equal(getattr(got, name), getattr(wanted, name))


WRITTEN: dict[str, Path] = {}


def written(kind: str, factory: pytest.TempPathFactory) -> Path:
    """Once per kind: tracing takes seconds."""
    if kind not in WRITTEN or not WRITTEN[kind].is_file():
        WRITTEN[kind] = export_onnx.save(only_way(kind), factory.mktemp("only") / "model.onnx")
    return WRITTEN[kind]


def test_a_file_that_does_not_say_its_only_exit_is_asked_for_everything() -> None:
    assert outputs_to_ask({}) == ("logits", "exit", "score", "route")
    assert outputs_to_ask({"only_exit": 0}) == ("logits",)


def test_the_only_way_is_told_for_every_row() -> None:
    way = OnlyWay({"only_exit": 2})
    for rows in (1, 3, 0, 3):
        answer = way(np.zeros((rows, 5), np.float32))
        assert answer.exit.tolist() == [2] * rows
        assert answer.score.tolist() == [1] * rows
        assert answer.route.shape == (rows, 0)


def test_who_writes_into_an_answer_changes_no_other() -> None:
    way = OnlyWay({"only_exit": 0})
    first = way(np.zeros((2, 5), np.float32))
    first.exit[:], first.score[:] = 7, 7
    assert way(np.zeros((2, 5), np.float32)).exit.tolist() == [0, 0]
    assert way(np.zeros((2, 5), np.float32)).score.tolist() == [1, 1]


def test_nothing_has_the_width_of_the_card() -> None:
    answer = answer_nothing({"classes": 5, "controls": ["a", "b"]})
    assert (answer.logits.shape, answer.route.shape) == ((0, 5), (0, 2))
