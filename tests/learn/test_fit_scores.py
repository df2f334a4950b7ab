"""Fitting of the scores that learn."""

from __future__ import annotations

import torch

from early_exits import make_graph, make_samples
from offramp.learn import DistillSettings
from offramp.learn._fit_scores import fit_scores
from offramp.learn._frozen_backbone import FrozenBackbone
from offramp.learn._trainable_heads import TrainableHeads


def test_scores_that_are_formulas_need_no_fitting() -> None:
    graph = make_graph("entropy")
    frozen = FrozenBackbone(graph, "float32")
    assert (
        fit_scores(graph, TrainableHeads(graph), frozen=frozen, samples=make_samples(), settings=DistillSettings())
        == {}
    )


def test_a_fitted_confidence_matches_how_often_its_head_agrees() -> None:
    graph, samples = make_graph("confidence"), make_samples(200)
    heads, frozen = TrainableHeads(graph).eval(), FrozenBackbone(graph, "float32")
    score = fit_scores(graph, heads, frozen=frozen, samples=samples, settings=DistillSettings(batch=64))["exit0/score"]
    values = frozen({"x": torch.from_numpy(samples.inputs["x"])})
    logits = heads(values)["exit0/head"][0]
    agrees = (logits.argmax(1) == values["stage1"][0].argmax(1)).float().mean()
    # The regression has an intercept; the small decay on it moves the mean a little.
    torch.testing.assert_close(score(values["stage0"][0], logits).mean(), agrees, atol=0.02, rtol=0)


def test_class_means_are_those_of_the_full_networks_answers() -> None:
    graph, samples = make_graph("class_mean"), make_samples(200)
    heads, frozen = TrainableHeads(graph).eval(), FrozenBackbone(graph, "float32")
    score = fit_scores(graph, heads, frozen=frozen, samples=samples, settings=DistillSettings(batch=64))["exit0/score"]
    values = frozen({"x": torch.from_numpy(samples.inputs["x"])})
    pooled, classes = values["stage0"][0].mean((2, 3)), values["stage1"][0].argmax(1)
    assert score.seen.tolist() == [bool((classes == one).any()) for one in range(3)]  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module
    for one in classes.unique():  # type: ignore[no-untyped-call]  # PyTorch's own
        wanted = pooled[classes == one].mean(0)
        torch.testing.assert_close((score.distances.means + score.distances.center)[one], wanted, atol=1e-5, rtol=1e-5)  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module
