"""Stages and exits as a graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from early_exits import make_reusing
from graphs import with_numpy_bodies
from offramp import attach, transform, zoo
from offramp.attach._chain import Stage, build_chain
from offramp.errors import OptionError
from offramp.export import onnx
from offramp.graph import Graph, Tensor, to_json
from offramp.learn import DistillSettings, distill_heads
from offramp.measure.torch import path_costs
from offramp.nn import Executor, Normalize
from offramp.run import ArraySamples, openvino, run_reference
from offramp.run import onnx as run_onnx
from offramp.run import torch as run_torch
from offramp.store.torch import load_artifact, save_artifact


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(216, 3)
    ).eval()


def at_input(head: object = "student:width=4", **options: object) -> Graph:
    wanted = {"placement": ["input", "2"], "head": [head, "pool"], **options}
    graph = attach.exits(net(), torch.rand(2, 1, 8, 8), **wanted)  # type: ignore[arg-type]
    for body in graph.bodies.values():
        body.eval()  # type: ignore[attr-defined]  # a module
    return graph


def twice() -> Graph:
    places, heads = ["input", "input", "2", "2"], ["student:width=2", "student:width=4", "pool", "conv1"]
    graph = attach.exits(net(), torch.rand(2, 1, 8, 8), placement=places, head=heads)
    for body in graph.bodies.values():
        body.eval()  # type: ignore[attr-defined]  # a module
    return graph


def test_an_exit_at_the_input_reads_the_input() -> None:
    graph = at_input()
    assert [edge.source for edge in graph["exit0/head"].inputs] == ["x"]
    assert [edge.source for edge in graph["stage1"].inputs] == ["x"]
    assert graph["exit0/gate"].edges == ("exit0/stop", "stage1")
    assert [exit.name for exit in graph.exits] == ["exit0/head", "exit1/head", "stage2"]


def test_an_exit_at_the_input_reads_normalized_pictures() -> None:
    graph = at_input(normalize=Normalize((0.5,), (0.25,)))
    assert [edge.source for edge in graph["exit0/head"].inputs] == ["normalize"]


def test_who_leaves_at_the_input_is_charged_nothing_but_its_head() -> None:
    graph = at_input()
    costs = path_costs(graph)
    alone = path_costs(attach.exits(net(), torch.rand(2, 1, 8, 8), count=0))
    assert costs.per_exit[0] < costs.per_exit[1] < costs.per_exit[2]
    assert costs.baseline == alone.baseline
    assert costs.per_exit[0] + costs.baseline < costs.per_exit[2] + 100  # later paths pay for all heads, gates little


@settings(deadline=None, max_examples=20)
@given(thresholds=st.lists(st.floats(0.3, 1.01), min_size=4, max_size=4), rows=st.sampled_from([1, 3, 7]))
def test_files_answer_like_the_network_whoever_leaves_at_the_input(
    thresholds: list[float], rows: int, files: tuple[Graph, object, object]
) -> None:
    graph, *runtimes = files
    x = np.random.default_rng(rows).random((rows, 1, 8, 8), dtype=np.float32)
    limits = np.asarray(thresholds[: len(graph.gates)], dtype=np.float32)
    with torch.no_grad():
        expected = Executor(graph).eval()({"x": torch.from_numpy(x)}, torch.from_numpy(limits))
    oracle = run_reference(with_numpy_bodies(graph), {"x": x}, limits)
    np.testing.assert_array_equal(oracle.route, expected.route.numpy())
    np.testing.assert_allclose(oracle.logits, expected.logits.numpy(), atol=1e-4)
    for runtime in runtimes:
        answer = runtime({"x": x}, limits)  # type: ignore[operator]  # a runtime
        np.testing.assert_array_equal(answer.route, expected.route.numpy())
        np.testing.assert_allclose(answer.logits, expected.logits.numpy(), atol=1e-4)


@pytest.fixture(scope="module", params=["one each", "two each", "all reuse", "some reuse"])
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Graph, object, object]:
    made: dict[str, Callable[[], Graph]] = {
        "one each": at_input,
        "two each": twice,
        "all reuse": lambda: make_reusing(learned=True),
        "some reuse": lambda: transform.keep_exits(make_reusing(learned=True), [0, 2]),
    }
    graph = made[request.param]()
    path = onnx.save(graph, tmp_path_factory.mktemp("chain") / "model.onnx")
    return graph, run_onnx.load(path), openvino.load(path)


def test_each_exit_may_have_a_head_of_its_own_and_the_artifact_knows(tmp_path: Path) -> None:
    from offramp.store.torch import Origin

    example = torch.rand(2, 1, 28, 28)
    loaded = zoo.load_model("zoo:lenet5")
    graph = attach.exits(loaded.module, example, placement=["input", "pool1"], head=["student:width=4", "pool"])
    origin = Origin(reference="zoo:lenet5", arguments={}, shape=(1, 28, 28))
    save_artifact(graph, tmp_path, example={"x": example}, origin=origin)
    again = load_artifact(tmp_path)
    assert [again[f"exit{at}/head"].recipe["kind"] for at in (0, 1)] == ["student", "pool"]  # type: ignore[index]


def test_two_exits_may_share_a_place_and_the_artifact_knows(tmp_path: Path) -> None:
    from offramp.store.torch import Origin

    example = torch.rand(2, 1, 28, 28)
    loaded = zoo.load_model("zoo:lenet5")
    places, heads = ["input", "input", "pool1"], ["student:width=2", "student:width=4", "pool"]
    graph = attach.exits(loaded.module, example, placement=places, head=heads)
    assert graph["exit0/gate"].edges == ("exit0/stop", "exit1/head")
    assert graph["exit1/gate"].edges == ("exit1/stop", "stage2")
    save_artifact(
        graph, tmp_path, example={"x": example}, origin=Origin(reference="zoo:lenet5", arguments={}, shape=(1, 28, 28))
    )
    assert load_artifact(tmp_path).exits == graph.exits


@pytest.mark.parametrize(("reuse_logits", "ensemble_heads"), [(True, False), (False, True), (True, True)])
@pytest.mark.parametrize("head", ["pool", "pool:confidence=1"])
def test_the_artifact_knows_which_exits_read_earlier_heads(
    head: str, reuse_logits: bool, ensemble_heads: bool, tmp_path: Path
) -> None:
    from offramp.store.torch import Origin

    example = torch.rand(2, 1, 28, 28)
    loaded = zoo.load_model("zoo:lenet5")
    graph = attach.exits(
        loaded.module, example, count=2, head=head, reuse_logits=reuse_logits, ensemble_heads=ensemble_heads
    )
    for name in ("exit1/head", "exit1/ensemble"):
        for parameter in graph.bodies[name].parameters() if name in graph.bodies else ():  # type: ignore[attr-defined]
            nn.init.normal_(parameter)
    origin = Origin(reference="zoo:lenet5", arguments={}, shape=(1, 28, 28))
    save_artifact(graph, tmp_path, example={"x": example}, origin=origin)
    again = load_artifact(tmp_path)
    assert to_json(again) == to_json(graph)
    with torch.no_grad():
        expected, given_ = (Executor(one).eval().dense({"x": example}) for one in (graph, again))
    assert all(torch.equal(given_[exit.name][0], expected[exit.name][0]) for exit in graph.exits)


def test_confident_heads_that_reuse_logits_answer_in_the_file_as_in_torch(tmp_path: Path) -> None:
    example = torch.rand(32, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    loaded = zoo.load_model("zoo:lenet5")
    torch.manual_seed(0)
    graph = attach.exits(
        loaded.module, example[:2], count=2, head="pool:confidence=1", scores=("head_confidence",), reuse_logits=True
    )
    nn.init.normal_(graph.bodies["exit1/head"].weight)  # type: ignore[attr-defined]  # a Cascade
    pictures = {"x": example.numpy()}
    dense = run_torch.load_dense(graph)(pictures)
    ordered = np.sort(dense.scores["head_confidence"], axis=0)
    limits = ordered[[20, 12], [0, 1]] + np.diff(ordered, axis=0)[[20, 12], [0, 1]] / 2
    expected = run_torch.load(graph)(pictures, limits)  # type: ignore[arg-type]  # it is there
    given = run_onnx.load(onnx.save(graph, tmp_path / "model.onnx"))(pictures, limits)  # type: ignore[arg-type]  # it is there
    assert set(expected.exit) == {0, 1, 2}
    np.testing.assert_array_equal(given.exit, expected.exit)
    np.testing.assert_allclose(given.logits, expected.logits, atol=1e-4)  # sums in another order


def test_a_module_may_be_a_head_but_then_nothing_can_rebuild_it(tmp_path: Path) -> None:
    from offramp.errors import ExportError
    from offramp.store.torch import Origin

    own = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    graph = at_input(own)
    assert graph.bodies["exit0/head"] is own
    origin = Origin(reference="zoo:lenet5", arguments={}, shape=(1, 8, 8))
    save_artifact(graph, tmp_path, example={"x": torch.rand(2, 1, 8, 8)}, origin=origin)
    with pytest.raises(ExportError, match="without a reference"):
        load_artifact(tmp_path)


@pytest.mark.parametrize("count", [1, 3])
def test_as_many_heads_as_exits_are_asked_for(count: int) -> None:
    with pytest.raises(OptionError, match=f"there are {count} heads for 2 exits"):
        attach.exits(net(), torch.rand(2, 1, 8, 8), placement=["input", "2"], head=["pool"] * count)


def test_stages_of_ones_own_become_a_graph() -> None:
    whole = net()
    features, logits = Tensor(shape=(4, 8, 8)), Tensor(shape=(3,))
    stages = [
        Stage(body=whole[:2], outputs=(features,), recipe={}),
        Stage(body=whole[2:], outputs=(logits,), recipe={}),
    ]
    graph = build_chain({"x": Tensor(shape=(1, 8, 8))}, stages, ["pool"])
    x = torch.rand(5, 1, 8, 8)
    with torch.no_grad():
        nobody = Executor(graph).eval()({"x": x}, torch.tensor([2.0]))
        torch.testing.assert_close(nobody.logits, whole(x))


class Texts(nn.Module):
    """Looks tokens up and passes them through two layers; the last takes the mean of those that the mask keeps."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words = nn.Embedding(11, 8)
        self.first = nn.Sequential(nn.Linear(8, 8), nn.GELU())
        self.second = nn.Sequential(nn.Linear(8, 8), nn.GELU())
        self.last = nn.Linear(8, 3)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        kept = attention_mask.unsqueeze(2).float()
        tokens = self.second(self.first(self.words(input_ids)))
        answer: torch.Tensor = self.last((tokens * kept).sum(1) / kept.sum(1))
        return answer


def texts(rows: int) -> dict[str, torch.Tensor]:
    """Texts of different lengths, what is behind their ends at random."""
    generator = torch.Generator().manual_seed(rows)
    ids = torch.randint(0, 11, (rows, 6), generator=generator)
    lengths = torch.randint(1, 7, (rows, 1), generator=generator)
    return {"input_ids": ids, "attention_mask": (torch.arange(6) < lengths).long()}


def of_texts(network: nn.Module | None = None, **options: object) -> Graph:
    wanted = {"placement": ["input", "first"], "head": ["student:width=4", "token"], **options}
    graph = attach.exits((network or Texts()).eval(), texts(2), **wanted)  # type: ignore[arg-type]  # read from a dictionary
    for body in graph.bodies.values():
        body.eval()  # type: ignore[attr-defined]  # a module
    return graph


def test_exits_of_texts_read_the_mask_and_the_one_at_the_input_knows_the_vocabulary() -> None:
    graph = of_texts()
    assert [edge.source for edge in graph["exit0/head"].inputs] == ["input_ids", "attention_mask"]
    assert [edge.source for edge in graph["exit1/head"].inputs] == ["stage1", "attention_mask"]
    assert graph["exit0/head"].recipe == {"kind": "student", "options": {"vocabulary": 11, "width": 4}}


def test_padding_changes_no_answer_of_any_exit() -> None:
    graph, given = of_texts(head=["auto", "pool"]), texts(5)
    other = torch.where(given["attention_mask"] == 1, given["input_ids"], 10 - given["input_ids"])
    with torch.no_grad():
        first = Executor(graph).eval().dense(given)
        second = Executor(graph).eval().dense({**given, "input_ids": other})
    for name in [exit.name for exit in graph.exits]:
        torch.testing.assert_close(first[name][0], second[name][0])


def test_scores_at_token_numbers_look_at_the_logits_alone() -> None:
    graph = of_texts(scores=("confidence", "class_mean"))
    assert [edge.source for edge in graph["exit0/score"].inputs] == ["exit0/head", "exit0/head"]
    assert [edge.source for edge in graph["exit1/score"].inputs][:3] == ["stage1", "exit1/head", "exit0/head"]


AVERAGING = ("confidence", "class_mean")


def of_known_texts(*scores: str) -> Graph:
    """With scores that have learned, from a network that does not answer the same to all."""
    network = Texts()
    with torch.no_grad():
        network.words.weight.mul_(4)
        network.last.bias.zero_()
    graph = of_texts(network, scores=scores)
    samples = ArraySamples(
        inputs={name: tensor.numpy() for name, tensor in texts(64).items()}, ids=np.arange(64).astype(str)
    )
    return distill_heads(graph, samples, DistillSettings(epochs=1, batch=16))


def test_scores_that_average_tokens_read_the_mask_behind_all_else() -> None:
    graph = of_texts(scores=("max_probability", *AVERAGING))
    heads = ["exit1/head", "exit0/head"]
    assert [edge.source for edge in graph["exit1/score"].inputs] == ["stage1", *heads]
    for name in AVERAGING:
        read = ["stage1", *heads, "attention_mask"]
        assert [edge.source for edge in graph[f"exit1/score/{name}"].inputs] == read
        assert [edge.source for edge in transform.gate_by(graph, name)["exit1/score"].inputs] == read
    fewer = transform.keep_exits(graph, [1])["exit1/score/confidence"]
    assert [edge.source for edge in fewer.inputs] == ["stage1", "exit1/head", "attention_mask"]


def test_padding_changes_no_score_of_any_exit() -> None:
    graph, given = of_known_texts("max_probability", *AVERAGING), texts(5)
    other = torch.where(given["attention_mask"] == 1, given["input_ids"], 10 - given["input_ids"])
    first, second = (
        run_torch.load_dense(graph)({name: tensor.numpy() for name, tensor in each.items()})
        for each in (given, {**given, "input_ids": other})
    )
    for name, score in first.scores.items():
        np.testing.assert_allclose(score, second.scores[name], atol=1e-5, err_msg=name)  # sums of other zeros


@pytest.mark.parametrize("score", AVERAGING)
def test_files_compare_scores_that_average_tokens(score: str, tmp_path: Path) -> None:
    graph = of_known_texts(score)
    given = {name: tensor.numpy() for name, tensor in texts(16).items()}
    ordered = np.sort(run_torch.load_dense(graph)(given).scores[score], axis=0)
    limits = ((ordered[5] + ordered[6]) / 2).astype(np.float32)
    expected = run_torch.load(graph)(given, limits)
    answer = run_onnx.load(onnx.save(graph, tmp_path / "model.onnx"))(given, limits)
    assert len(set(expected.exit)) > 1
    np.testing.assert_array_equal(answer.exit, expected.exit)
    np.testing.assert_allclose(answer.score, expected.score, atol=1e-3)  # log-odds near 1 have few digits


def test_a_module_of_the_users_reads_features_without_a_mask() -> None:
    graph = of_texts(head=[nn.Sequential(nn.Embedding(11, 3), nn.Flatten(), nn.Linear(18, 3)), "pool"])
    assert [edge.source for edge in graph["exit0/head"].inputs] == ["input_ids"]


def test_a_vocabulary_that_is_given_is_kept() -> None:
    graph = of_texts(head=["student:vocabulary=50", "token"])
    assert graph["exit0/head"].recipe == {"kind": "student", "options": {"vocabulary": 50}}


@pytest.mark.parametrize("threshold", [0.0, 0.36, 2.0])
def test_files_answer_texts_like_the_network(threshold: float, text_files: tuple[Graph, list[object]]) -> None:
    graph, runtimes = text_files
    limits = np.full(2, threshold, dtype=np.float32)
    for rows in (1, 5):
        given = texts(rows)
        with torch.no_grad():
            expected = Executor(graph).eval()(given, torch.from_numpy(limits))
        for runtime in runtimes:
            answer = runtime({name: tensor.numpy() for name, tensor in given.items()}, limits)  # type: ignore[operator]
            np.testing.assert_array_equal(answer.route, expected.route.numpy())
            np.testing.assert_allclose(answer.logits, expected.logits.numpy(), atol=1e-5)


@pytest.fixture(scope="module")
def text_files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Graph, list[object]]:
    graph = of_texts()
    path = onnx.save(graph, tmp_path_factory.mktemp("texts") / "model.onnx")
    return graph, [run_onnx.load(path), openvino.load(path)]


def test_scores_are_needed_and_each_is_given_once() -> None:
    with pytest.raises(OptionError, match="at least one name, each once"):
        at_input(scores=())
    with pytest.raises(OptionError, match="at least one name, each once"):
        at_input(scores=("entropy", "entropy"))
