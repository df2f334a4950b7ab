"""Training of all exits together."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import nn

from early_exits import CLASSES, Killed, KilledSamples, make_graph, make_reusing, make_samples, weights
from examples import some
from offramp import learn
from offramp.errors import DataError, LearnError, OptionError
from offramp.graph import Graph
from offramp.nn import Executor
from offramp.run import ArraySamples

QUICK = learn.JointSettings(epochs=2, batch=16, augment="crop_flip", checkpoint_interval_s=0.0)  # 8 steps
STEPS = 8


def make_labelled(count: int = 64) -> ArraySamples:
    """Each picture has a bright third, which is its class."""
    labels = np.arange(count) % CLASSES
    samples = make_samples(count)
    for row, label in enumerate(labels):
        samples.inputs["x"][row, 0, :, 2 * label : 2 * label + 2] += 1
    return replace(samples, labels=labels)


def accuracy(graph: Graph, samples: ArraySamples) -> list[float]:
    with torch.no_grad():
        given = Executor(graph).eval().dense({"x": torch.from_numpy(samples.inputs["x"])})
    return [float((given[exit.name][0].argmax(1).numpy() == samples.labels).mean()) for exit in graph.exits]


def assert_same(first: Graph, second: Graph) -> None:
    for name in ("stage0", "exit0/head", "stage1"):
        known = weights(second, name)
        for key, value in weights(first, name).items():
            assert torch.equal(value, known[key]), (name, key)


def moved(before: Graph, after: Graph, name: str) -> bool:
    known = weights(before, name)
    return any(not torch.equal(value, known[key]) for key, value in weights(after, name).items())


@pytest.mark.parametrize("options", [
    {}, {"regime": "joint"}, {"regime": "frozen"}, {"distill": 0.5}, {"emphasis": 0.5}, {"schedule": "step"},
    {"backbone_epochs": 4}, {"optimizer": "sgd", "learning_rate": 0.05}, {"precision": "bfloat16"},
])  # fmt: skip
def test_every_exit_that_learns_learns(options: dict[str, object]) -> None:
    samples, graph = make_labelled(96), make_graph()
    wanted = {"epochs": 12, "batch": 16, "learning_rate": 1e-2, "augment": "none", **options}
    after = accuracy(learn.joint(graph, samples, learn.JointSettings(**wanted)), samples)  # type: ignore[arg-type]
    before = accuracy(graph, samples)
    assert after[0] > (before[0] + 0.2 if options.get("regime") == "frozen" else 0.9)
    assert after[1] > 0.9 or options.get("regime") == "frozen"


def test_frozen_leaves_the_backbone_alone_and_the_others_do_not() -> None:
    graph = make_graph()
    frozen = learn.joint(graph, make_labelled(), replace(QUICK, regime="frozen"))
    mixed = learn.joint(graph, make_labelled(), QUICK)
    for stage in ("stage0", "stage1"):
        assert not moved(graph, frozen, stage)
        assert moved(graph, mixed, stage)
    assert moved(graph, frozen, "exit0/head")


def test_backbone_epochs_leave_the_heads_alone() -> None:
    graph = make_graph()
    settings_ = replace(QUICK, backbone_epochs=2, epochs=1, weights=(0.0, 1.0), weight_decay=0.0)
    trained = learn.joint(graph, make_labelled(), settings_)
    for key, value in graph.bodies["exit0/head"].named_parameters():  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module
        assert torch.equal(value, dict(trained.bodies["exit0/head"].named_parameters())[key])  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module
    assert moved(graph, trained, "stage0")


def test_the_backbone_learns_at_its_own_rate() -> None:
    graph = make_graph()
    sgd = replace(QUICK, optimizer="sgd", momentum=0.0, epochs=1, batch=64, schedule="constant")
    whole, tenth = (learn.joint(graph, make_labelled(), replace(sgd, backbone_rate=rate)) for rate in (1.0, 0.1))

    def step(after: Graph, name: str) -> torch.Tensor:
        return list(after.bodies[name].parameters())[-1] - list(graph.bodies[name].parameters())[-1]  # type: ignore[attr-defined,no-any-return]  # layers and arrays tell no type

    torch.testing.assert_close(step(tenth, "stage1"), 0.1 * step(whole, "stage1"))
    torch.testing.assert_close(step(tenth, "exit0/head"), step(whole, "exit0/head"))


def test_the_graph_given_stays_as_it_was_and_the_new_one_is_in_eval_mode() -> None:
    graph = make_graph("confidence")
    before = {name: weights(graph, name) for name in graph.bodies}
    modes = {name: body.training for name, body in graph.bodies.items()}  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module
    trained = learn.joint(graph, make_labelled(), QUICK)
    for name, known in before.items():
        for key, value in weights(graph, name).items():
            assert torch.equal(value.nan_to_num(7.0), known[key].nan_to_num(7.0)), (name, key)
    assert {name: body.training for name, body in graph.bodies.items()} == modes  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module
    assert not any(module.training for exit in trained.exits for module in trained.bodies[exit.name].modules())  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module


def test_scores_that_learn_are_fitted() -> None:
    trained = learn.joint(make_graph("confidence"), make_labelled(), QUICK)
    assert bool(trained.bodies["exit0/score"].bias.isfinite())  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module


@settings(deadline=None, max_examples=some(10), suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(step=1, optimizer="adam", alone=False)
@given(step=st.integers(0, STEPS - 1), optimizer=st.sampled_from(["adam", "sgd"]), alone=st.booleans())
def test_killed_at_any_step_and_resumed_the_weights_are_equal(
    tmp_path: Path, step: int, optimizer: str, alone: bool
) -> None:
    chosen = replace(QUICK, optimizer=optimizer, epochs=1 if alone else 2, backbone_epochs=int(alone), emphasis=0.3)  # type: ignore[arg-type]  # one of its words
    whole = learn.joint(make_graph(), make_labelled(), chosen)
    file = tmp_path / "joint.ckpt"
    file.unlink(missing_ok=True)
    with pytest.raises(Killed):
        learn.joint(make_graph(), KilledSamples(make_labelled(), at=step), chosen, checkpoint=file)
    again = learn.joint(make_graph(), make_labelled(), chosen, checkpoint=file, resume=True)
    assert_same(again, whole)


def test_a_checkpoint_of_other_weights_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "joint.ckpt"
    learn.joint(make_graph(), make_labelled(), QUICK, checkpoint=file)
    other = make_graph()
    nn.init.zeros_(other.bodies["stage1"][4].bias)  # type: ignore[index]  # a body is opaque to the graph; here it is a module
    with pytest.raises(LearnError, match="another training: backbone differ"):
        learn.joint(other, make_labelled(), QUICK, checkpoint=file, resume=True)


def test_two_processes_learn_what_one_learns(tmp_path: Path) -> None:
    pytest.importorskip(
        "lightning_fabric", reason="several devices need Lightning Fabric: pip install offramp[devices]"
    )
    # no normalization layers: their statistics are those of each process's own rows
    stages = {"stage0": nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU()),
              "stage1": nn.Sequential(nn.Flatten(), nn.Linear(256, CLASSES))}  # fmt: skip
    graph = make_graph(head=nn.Sequential(nn.Flatten(), nn.Linear(256, CLASSES))).with_bodies(stages)
    chosen = replace(QUICK, augment="none", optimizer="sgd", epochs=1, backbone_epochs=1, learning_rate=0.05)
    one = learn.joint(graph, make_labelled(), chosen)
    file = tmp_path / "joint.ckpt"
    both = replace(chosen, devices=2, accelerator="cpu")
    two = learn.joint(graph, make_labelled(), both, checkpoint=file)
    for name in ("stage0", "exit0/head", "stage1"):
        for key, value in weights(one, name).items():
            torch.testing.assert_close(weights(two, name)[key], value, atol=1e-5, rtol=1e-4)
    again = learn.joint(graph, make_labelled(), both, checkpoint=file, resume=True)
    assert_same(again, two)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"weights": (1.0,)}, OptionError, "one per exit, the final one included, so 2, but are 1"),
        ({"weights": (1.0, 0.5, 0.3)}, OptionError, "so 2, but are 3"),
        ({"devices": 3}, OptionError, "3 devices share each batch equally, but batch is 16"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        learn.joint(make_graph(), make_labelled(), replace(QUICK, **options))  # type: ignore[arg-type]


def test_samples_without_labels_are_refused() -> None:
    with pytest.raises(DataError, match=r"the samples have none. Add them, or use learn\.distill_heads"):
        learn.joint(make_graph(), make_samples(), QUICK)


def test_labels_that_no_class_has_are_refused() -> None:
    samples = make_labelled()
    assert samples.labels is not None
    with pytest.raises(DataError, match="must be 0 to 2, the classes of the network, but are 1 to 3"):
        learn.joint(make_graph(), replace(samples, labels=samples.labels + 1), QUICK)


def test_resume_without_a_file_is_refused() -> None:
    with pytest.raises(OptionError, match="checkpoint is None"):
        learn.joint(make_graph(), make_labelled(), QUICK, resume=True)


@pytest.mark.parametrize(("reuse_logits", "ensemble_heads"), [(True, False), (False, True), (True, True)])
def test_exits_that_use_earlier_heads_learn_together_with_them(reuse_logits: bool, ensemble_heads: bool) -> None:
    graph, samples = (
        make_reusing("calibrated", reuse_logits=reuse_logits, ensemble_heads=ensemble_heads),
        make_labelled(96),
    )
    wanted = learn.JointSettings(epochs=12, batch=16, learning_rate=1e-2, augment="none", distill=0.5)
    trained = learn.joint(graph, samples, wanted)
    assert min(accuracy(trained, samples)[2:]) > 0.9  # the heads before see no places
    assert all(moved(graph, trained, name) for name in graph.bodies if "/head" in name or "/ensemble" in name)
