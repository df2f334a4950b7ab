"""Training of exits after the backbone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import nn

from early_exits import Killed, KilledSamples, function, make_graph, make_reusing, make_samples, read, weights
from examples import some
from offramp import learn
from offramp.errors import LearnError, OptionError
from offramp.graph import Graph, Node, Tensor
from offramp.learn._distill_heads import _compare, _exits
from offramp.learn._frozen_backbone import FrozenBackbone
from offramp.learn._losses import distillation_loss
from offramp.learn._trainable_heads import TrainableHeads
from offramp.nn import Executor
from offramp.run import ArraySamples

QUICK = learn.DistillSettings(epochs=2, batch=16, augment="crop_flip", checkpoint_interval_s=0.0)  # 8 steps


def agreement(graph: Graph, samples: ArraySamples) -> float:
    with torch.no_grad():
        given = Executor(graph).eval().dense({"x": torch.from_numpy(samples.inputs["x"])})
    return float((given["exit0/head"][0].argmax(1) == given["stage1"][0].argmax(1)).float().mean())


def assert_same_heads(first: Graph, second: Graph) -> None:
    for (name, value), other in zip(
        weights(first, "exit0/head").items(), weights(second, "exit0/head").values(), strict=True
    ):
        assert torch.equal(value, other), name


def test_heads_come_to_agree_with_the_full_network() -> None:
    samples = make_samples(256)
    settings = learn.DistillSettings(epochs=15, batch=32, augment="none", learning_rate=2e-2)
    before = make_graph()
    after = learn.distill_heads(before, samples, settings)
    assert agreement(after, samples) > agreement(before, samples) + 0.2


def test_the_graph_given_stays_as_it_was() -> None:
    graph = make_graph("confidence")
    before = {name: weights(graph, name) for name in graph.bodies}
    modes = {name: body.training for name, body in graph.bodies.items()}  # type: ignore[attr-defined]  # a module
    learn.distill_heads(graph, make_samples(), QUICK)
    for name, known in before.items():
        for key, value in weights(graph, name).items():
            assert torch.equal(value.nan_to_num(7.0), known[key].nan_to_num(7.0)), (name, key)
    assert {name: body.training for name, body in graph.bodies.items()} == modes  # type: ignore[attr-defined]  # a module


def test_the_backbone_is_the_same_object_afterwards() -> None:
    graph = make_graph()
    trained = learn.distill_heads(graph, make_samples(), QUICK)
    assert trained.bodies["stage0"] is graph.bodies["stage0"]
    assert trained.bodies["exit0/head"] is not graph.bodies["exit0/head"]
    assert not trained.bodies["exit0/head"].training  # type: ignore[attr-defined]  # a module


def test_scores_that_learn_are_fitted() -> None:
    trained = learn.distill_heads(make_graph("confidence"), make_samples(), QUICK)
    assert bool(trained.bodies["exit0/score"].bias.isfinite())  # type: ignore[attr-defined]  # a module


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    first, again = (learn.distill_heads(make_graph(), make_samples(), QUICK) for _ in range(2))
    assert_same_heads(first, again)
    other = learn.distill_heads(make_graph(), make_samples(), learn.DistillSettings(epochs=2, batch=16, seed=1))
    assert not torch.equal(weights(first, "exit0/head")["0.weight"], weights(other, "exit0/head")["0.weight"])


def test_the_global_generator_is_left_as_it_was() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    graph = make_graph()
    torch.manual_seed(5)
    learn.distill_heads(graph, make_samples(), QUICK)
    assert torch.equal(torch.rand(1), expected)


@settings(deadline=None, max_examples=some(8), suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(at=1, dropout=True)
@given(at=st.integers(0, 8), dropout=st.booleans())
def test_a_training_killed_anywhere_resumes_to_exactly_the_same_weights(at: int, dropout: bool, tmp_path: Path) -> None:
    def graph() -> Graph:
        torch.manual_seed(2)
        layers = [nn.Flatten(), nn.Dropout(0.5), nn.Linear(256, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)]
        return make_graph("confidence", head=nn.Sequential(*layers) if dropout else None)

    path = tmp_path / "post.safetensors"
    path.unlink(missing_ok=True)
    whole = learn.distill_heads(graph(), make_samples(), QUICK)
    with pytest.raises(Killed):
        learn.distill_heads(graph(), KilledSamples(make_samples(), at=at), QUICK, checkpoint=path)
    resumed = learn.distill_heads(graph(), make_samples(), QUICK, checkpoint=path, resume=True)
    assert_same_heads(whole, resumed)
    assert torch.equal(whole.bodies["exit0/score"].weight, resumed.bodies["exit0/score"].weight)  # type: ignore[attr-defined]  # a module


def test_a_finished_training_is_not_done_again(tmp_path: Path) -> None:
    path = tmp_path / "post.safetensors"
    first = learn.distill_heads(make_graph(), make_samples(), QUICK, checkpoint=path)
    again = learn.distill_heads(make_graph(), KilledSamples(make_samples(), at=0), QUICK, checkpoint=path, resume=True)
    assert_same_heads(first, again)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "post.safetensors"
    learn.distill_heads(make_graph(), make_samples(), QUICK, checkpoint=path)
    other = learn.DistillSettings(epochs=3, batch=16, augment="crop_flip")
    with pytest.raises(LearnError, match="epochs differ"):
        learn.distill_heads(make_graph(), make_samples(), other, checkpoint=path, resume=True)


def test_a_checkpoint_of_another_backbone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "post.safetensors"
    learn.distill_heads(make_graph(), make_samples(), QUICK, checkpoint=path)
    graph = make_graph()
    with torch.no_grad():
        graph.bodies["stage1"][4].bias.add_(1)  # type: ignore[index]  # a module
    with pytest.raises(LearnError, match="backbone differ"):
        learn.distill_heads(graph, make_samples(), QUICK, checkpoint=path, resume=True)


def test_resuming_without_a_file_named_is_refused() -> None:
    with pytest.raises(OptionError, match="resume needs the file"):
        learn.distill_heads(make_graph(), make_samples(), QUICK, resume=True)


def test_a_graph_without_heads_is_refused() -> None:
    nodes = (Node(name="x", kind="input", outputs=(Tensor(shape=(4,)),)), function("last", "stage", ("x",), (3,)))
    with pytest.raises(LearnError, match="without a head"):
        learn.distill_heads(Graph(nodes=nodes, answer="last", bodies={"last": nn.Linear(4, 3)}), make_samples(), QUICK)


def test_fewer_samples_than_a_batch_are_refused() -> None:
    with pytest.raises(LearnError, match="one batch of 16 samples, but got 7"):
        learn.distill_heads(make_graph(), make_samples(7), QUICK)


def test_a_loss_that_is_not_finite_ends_the_training_and_says_where() -> None:
    head = nn.Sequential(nn.Flatten(), nn.Linear(256, 3))
    nn.init.constant_(head[1].bias, torch.nan)  # type: ignore[arg-type]  # known here
    with pytest.raises(LearnError, match=r"exit0/head does not at epoch 1, step 1.*learning_rate below"):
        learn.distill_heads(make_graph(head=head), make_samples(), QUICK)


def test_samples_that_break_the_full_network_are_named_as_the_cause() -> None:
    pictures = np.full((16, 1, 8, 8), np.nan, dtype=np.float32)
    samples = ArraySamples(inputs={"x": pictures}, ids=np.array([str(row) for row in range(16)]))
    with pytest.raises(LearnError, match="Check the samples"):
        learn.distill_heads(make_graph(), samples, QUICK)


def test_a_backbone_behind_a_head_is_refused() -> None:
    nodes = (
        Node(name="x", kind="input", outputs=(Tensor(shape=(4,)),)),
        function("head", "head", ("x",), (3,)),
        function("last", "stage", ("head",), (3,)),
    )
    graph = Graph(nodes=nodes, answer="last", bodies={"head": nn.Linear(4, 3), "last": nn.Linear(3, 3)})
    with pytest.raises(LearnError, match="must not depend on gates or heads, but needs head"):
        learn.distill_heads(graph, make_samples(), QUICK)


def test_a_head_may_read_the_head_before_it() -> None:
    nodes = (
        Node(name="x", kind="input", outputs=(Tensor(shape=(1, 8, 8)),)),
        function("first", "head", ("x",), (3,)),
        function("second", "head", ("first",), (3,)),
        function("last", "stage", ("x",), (3,)),
        Node(name="answer", kind="select", inputs=read("last"), outputs=(Tensor(shape=(3,)),)),
    )
    flat = [nn.Sequential(nn.Flatten(), nn.Linear(64, 3)) for _ in range(2)]
    bodies = {"first": flat[0], "second": nn.Linear(3, 3), "last": flat[1]}
    trained = learn.distill_heads(Graph(nodes=nodes, answer="answer", bodies=bodies), make_samples(), QUICK)
    assert not torch.equal(trained.bodies["second"].weight, bodies["second"].weight)  # type: ignore[arg-type,attr-defined]  # a module


def test_bfloat16_teaches_almost_the_same() -> None:
    settings = learn.DistillSettings(epochs=2, batch=16, augment="none", precision="bfloat16")
    trained = learn.distill_heads(make_graph(), make_samples(), settings)
    assert {value.dtype for value in trained.bodies["exit0/head"].parameters()} == {torch.float32}  # type: ignore[attr-defined]  # a module


def test_a_bar_shows_how_far_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    learn.distill_heads(make_graph(), make_samples(), QUICK, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "epoch 2/2" in shown.err


OPTIONS = replace(QUICK, epochs=3, targets="hard", sample_weighting=1.0)


def differ(first: Graph, second: Graph) -> set[str]:
    """Names of the nodes whose weights are not bitwise the same."""
    return {
        name
        for name in first.bodies
        for value, other in zip(weights(first, name).values(), weights(second, name).values(), strict=True)
        if not torch.equal(value, other)
    }


def test_hard_targets_teach_too_and_something_else() -> None:
    samples = make_samples(256)
    settings = learn.DistillSettings(epochs=15, batch=32, augment="none", learning_rate=2e-2, targets="hard")
    before = make_graph()
    after = learn.distill_heads(before, samples, settings)
    assert agreement(after, samples) > agreement(before, samples) + 0.2
    assert differ(after, learn.distill_heads(before, samples, replace(settings, targets="soft"))) == {"exit0/head"}


def test_the_loss_without_options_is_exactly_the_distillation() -> None:
    graph = make_reusing(ensemble_heads=False)
    heads, frozen = TrainableHeads(graph), FrozenBackbone(graph, "float32")
    batch = {"x": torch.from_numpy(make_samples(16).inputs["x"])}
    values = frozen(batch)
    answers, teacher = heads(values), values["stage3"][0]
    losses = _compare(learn.DistillSettings(), _exits(graph), answers, teacher, 7)
    for name, (logits,) in answers.items():
        assert torch.equal(losses[name], distillation_loss(logits, teacher, 2.0).mean()), name


def test_weighting_counts_at_later_exits_and_changes_nothing_at_the_first() -> None:
    graph, samples = make_reusing(reuse_logits=False, ensemble_heads=False), make_samples()
    plain = learn.distill_heads(graph, samples, QUICK)
    weighed = learn.distill_heads(graph, samples, replace(QUICK, sample_weighting=1.0))
    assert differ(plain, weighed) == {"exit1/head", "exit2/head"}


def test_weighting_begins_after_a_quarter_of_the_epochs() -> None:
    graph = make_reusing(ensemble_heads=False)
    batch = {"x": torch.from_numpy(make_samples(16).inputs["x"])}
    values = FrozenBackbone(graph, "float32")(batch)
    answers, teacher = TrainableHeads(graph)(values), values["stage3"][0]
    for epoch, same in ((0, True), (1, True), (2, False), (7, False)):
        plain, weighed = (
            _compare(learn.DistillSettings(epochs=8, sample_weighting=amount), _exits(graph), answers, teacher, epoch)
            for amount in (0.0, 1.0)
        )
        assert torch.equal(plain["exit2/head"], weighed["exit2/head"]) == same, epoch


def test_an_ensemble_learns_to_weigh_heads_that_learn_as_without_it() -> None:
    alone = learn.distill_heads(make_reusing(ensemble_heads=False), make_samples(), QUICK)
    together = learn.distill_heads(make_reusing(), make_samples(), QUICK)
    for name in ("exit0/head", "exit1/head", "exit2/head"):
        known = weights(alone, name)
        assert all(torch.equal(value, known[key]) for key, value in weights(together, name).items()), name
    assert differ(make_reusing(), together) >= {"exit1/ensemble", "exit2/ensemble"}


def test_a_head_learns_to_reuse_the_logits_before_it() -> None:
    trained = learn.distill_heads(make_reusing(ensemble_heads=False), make_samples(), QUICK)
    assert float(trained.bodies["exit1/head"].weight.detach().abs().max()) > 0  # type: ignore[attr-defined]  # a module
    assert differ(make_reusing(), learn.distill_heads(make_reusing(), make_samples(), QUICK)) == {
        *(f"exit{at}/head" for at in range(3)),
        *(f"exit{at}/ensemble" for at in (1, 2)),
    }


@pytest.mark.parametrize("at", [0, 5, 11])
def test_with_all_options_a_killed_training_resumes_to_exactly_the_same_weights(at: int, tmp_path: Path) -> None:
    path = tmp_path / "post.safetensors"
    whole = learn.distill_heads(make_reusing("confidence"), make_samples(), OPTIONS)
    with pytest.raises(Killed):
        learn.distill_heads(make_reusing("confidence"), KilledSamples(make_samples(), at=at), OPTIONS, checkpoint=path)
    resumed = learn.distill_heads(make_reusing("confidence"), make_samples(), OPTIONS, checkpoint=path, resume=True)
    assert differ(whole, resumed) == set()


@pytest.mark.parametrize("other", [{"targets": "soft"}, {"sample_weighting": 0.5}])
def test_a_checkpoint_of_other_options_is_refused(other: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "post.safetensors"
    learn.distill_heads(make_reusing(), make_samples(), OPTIONS, checkpoint=path)
    with pytest.raises(LearnError, match=f"{next(iter(other))} differ"):
        learn.distill_heads(make_reusing(), make_samples(), replace(OPTIONS, **other), checkpoint=path, resume=True)  # type: ignore[arg-type]
