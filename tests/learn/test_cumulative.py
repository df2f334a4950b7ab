"""Training of exits and their confidences at a price."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from early_exits import CLASSES, Killed, KilledSamples, make_samples, make_stages, weights
from examples import some
from offramp import attach, learn
from offramp.errors import LearnError, OptionError
from offramp.graph import Graph
from offramp.learn._cumulative_losses import CumulativeLoss
from offramp.nn import Executor
from offramp.run import ArraySamples

pytestmark = pytest.mark.tracing
QUICK = learn.CumulativeSettings(
    epochs=1, warm_epochs=1, batch=16, augment="crop", checkpoint_interval_s=0.0
)  # 8 steps
LONG: dict[str, Any] = {"epochs": 12, "batch": 32, "augment": "none", "learning_rate": 2e-2}


def make_graph(
    head: str = "conv1:confidence=1", scores: tuple[str, ...] = ("head_confidence",), *, reuse_logits: bool = False
) -> Graph:
    """Two exits on the network of `early_exits`."""
    network = torch.nn.Sequential(*make_stages())
    torch.manual_seed(1)
    example, places = torch.rand(2, 1, 8, 8), ["0", "1.3"]
    return attach.exits(network, example, placement=places, head=head, scores=scores, reuse_logits=reuse_logits)


def answer(graph: Graph, samples: ArraySamples, threshold: float = 0.5) -> tuple[float, np.ndarray]:
    """Agreement with the backbone, and how many samples leave at each exit."""
    inputs = {"x": torch.from_numpy(samples.inputs["x"])}
    network = Executor(graph).eval()
    with torch.no_grad():
        taken = network(inputs, torch.full((2,), threshold))
        full = network.dense(inputs)[graph.exits[-1].name][0].argmax(1)
    return float((taken.logits.argmax(1) == full).float().mean()), np.bincount(taken.exit, minlength=3)


def assert_same_heads(first: Graph, second: Graph) -> None:
    for head in [exit.name for exit in first.exits[:-1]]:
        for key, value in weights(first, head).items():
            assert torch.equal(value, weights(second, head)[key]), (head, key)


def test_compute_that_costs_nothing_is_spent_and_dear_compute_is_saved() -> None:
    samples = make_samples(256)
    free, dear = (
        learn.cumulative(make_graph(), samples, learn.CumulativeSettings(price=p, **LONG)) for p in (0.0, 5.0)
    )
    assert answer(dear, samples)[1][0] == 256
    assert answer(free, samples)[1][0] < 64


def test_one_threshold_for_all_gates_is_the_knob() -> None:
    samples = make_samples(256)
    trained = learn.cumulative(make_graph(), samples, learn.CumulativeSettings(price=0.5, **LONG))
    assert answer(trained, samples, 0.0)[1].tolist() == [256, 0, 0]
    assert answer(trained, samples, 2.0) == (1.0, pytest.approx([0, 0, 256]))  # type: ignore[comparison-overlap]  # as it is at run time
    leaving = [answer(trained, samples, threshold)[1][0] for threshold in (0.1, 0.5, 0.9)]
    assert leaving == sorted(leaving, reverse=True)
    agreement, shares = answer(trained, samples)
    assert agreement > 0.8
    assert shares[0] > 0


@pytest.mark.parametrize("loss", get_args(CumulativeLoss))
@pytest.mark.parametrize("targets", ["hard", "soft"])
def test_every_loss_moves_the_heads_and_all_but_v0_the_confidences(loss: CumulativeLoss, targets: str) -> None:
    graph = make_graph()
    chosen = learn.CumulativeSettings(epochs=1, warm_epochs=0, batch=16, loss=loss, targets=targets, charge="own")  # type: ignore[arg-type]  # one of its words
    trained = learn.cumulative(graph, make_samples(), chosen)
    for head in [exit.name for exit in graph.exits[:-1]]:
        before, after = weights(graph, head), weights(trained, head)
        assert not torch.equal(before["classifier.weight"], after["classifier.weight"])
        moved = not torch.equal(before["confidence.weight"], after["confidence.weight"])
        assert moved == (loss != "v0")


def test_the_first_stage_of_two_is_v0() -> None:
    samples = make_samples()
    two = learn.CumulativeSettings(epochs=1, warm_epochs=3, batch=16, augment="none", learning_rate=1e-9)
    one = learn.CumulativeSettings(epochs=3, warm_epochs=0, loss="v0", batch=16, augment="none", learning_rate=1e-9)
    first, other = (learn.cumulative(make_graph(), samples, chosen) for chosen in (two, one))
    for head in [exit.name for exit in first.exits[:-1]]:  # at so small a rate the last epoch moves statistics alone
        torch.testing.assert_close(weights(first, head)["classifier.weight"], weights(other, head)["classifier.weight"])


def test_a_checkpoint_of_other_stages_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cumulative.safetensors"
    learn.cumulative(make_graph(), make_samples(), QUICK, checkpoint=path)
    other = learn.CumulativeSettings(epochs=1, warm_epochs=2, batch=16, augment="crop")
    with pytest.raises(LearnError, match="warm_epochs differ"):
        learn.cumulative(make_graph(), make_samples(), other, checkpoint=path, resume=True)


def test_training_goes_on_from_the_weights_that_the_graph_has() -> None:
    samples = make_samples(256)
    first = learn.cumulative(make_graph(), samples, learn.CumulativeSettings(price=0.0, **LONG))
    still = learn.CumulativeSettings(price=0.0, epochs=1, warm_epochs=0, batch=32, augment="none", learning_rate=1e-5)
    again, anew = (learn.cumulative(graph, samples, still) for graph in (first, make_graph()))
    assert answer(again, samples)[0] == pytest.approx(answer(first, samples)[0], abs=0.03)
    assert answer(again, samples)[0] > answer(anew, samples)[0]


def test_the_graph_given_stays_as_it_was_and_the_backbone_is_the_same() -> None:
    graph = make_graph(scores=("head_confidence", "confidence"))
    before = {name: weights(graph, name) for name in graph.bodies}
    trained = learn.cumulative(graph, make_samples(), QUICK)
    for name, known in before.items():
        for key, value in weights(graph, name).items():
            assert torch.equal(value.nan_to_num(7.0), known[key].nan_to_num(7.0)), (name, key)
    assert trained.bodies["stage0"] is graph.bodies["stage0"]


def test_scores_that_learn_are_fitted_beside_the_heads_own() -> None:
    trained = learn.cumulative(make_graph(scores=("head_confidence", "confidence")), make_samples(), QUICK)
    assert bool(trained.bodies["exit1/score/confidence"].bias.isfinite())  # type: ignore[attr-defined]  # a body is opaque to the graph; here it is a module


def test_heads_that_reuse_logits_learn_with_their_confidences() -> None:
    samples = make_samples(256)
    graph = make_graph(reuse_logits=True)
    trained = learn.cumulative(graph, samples, learn.CumulativeSettings(price=0.5, **LONG))
    assert answer(trained, samples)[0] > 0.8
    before, after = weights(graph, "exit1/head"), weights(trained, "exit1/head")
    for key in ("weight", "head.classifier.weight", "head.confidence.weight"):
        assert not torch.equal(before[key], after[key]), key


def test_an_ensemble_has_no_confidence_and_is_told_so() -> None:
    network = torch.nn.Sequential(*make_stages())
    graph = attach.exits(
        network, torch.rand(2, 1, 8, 8), placement=["0", "1.3"], head="conv1:confidence=1", ensemble_heads=True
    )
    with pytest.raises(LearnError, match=r"exit1/ensemble give none.*without ensemble"):
        learn.cumulative(graph, make_samples(), QUICK)


def test_labels_are_not_read() -> None:
    samples = make_samples()
    labelled = ArraySamples(inputs=samples.inputs, ids=samples.ids, labels=np.zeros(len(samples), np.int64))
    assert_same_heads(*(learn.cumulative(make_graph(), each, QUICK) for each in (samples, labelled)))


@settings(deadline=None, max_examples=some(6), suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(at=1)
@given(at=st.integers(0, 8))
def test_a_training_killed_anywhere_resumes_to_exactly_the_same_weights(at: int, tmp_path: Path) -> None:
    path = tmp_path / f"{at}.safetensors"
    path.unlink(missing_ok=True)
    whole = learn.cumulative(make_graph(), make_samples(), QUICK)
    with suppress(Killed):
        learn.cumulative(make_graph(), KilledSamples(make_samples(), at=at), QUICK, checkpoint=path)
    assert_same_heads(whole, learn.cumulative(make_graph(), make_samples(), QUICK, checkpoint=path, resume=True))


def test_heads_without_a_confidence_are_refused_by_name() -> None:
    graph = make_graph(head="conv1", scores=("max_probability",))
    with pytest.raises(LearnError, match=r"exit0/head, exit1/head give none.*confidence=1"):
        learn.cumulative(graph, make_samples(), QUICK)


def test_a_graph_without_early_exits_is_refused() -> None:
    network = torch.nn.Sequential(*make_stages())
    graph = attach.exits(network, torch.rand(2, 1, 8, 8), placement=[])
    with pytest.raises(LearnError, match="no early exits"):
        learn.cumulative(graph, make_samples(), QUICK)


def test_samples_that_break_the_full_network_are_named_as_the_cause() -> None:
    pictures = np.full((16, 1, 8, 8), np.nan, dtype=np.float32)
    samples = ArraySamples(inputs={"x": pictures}, ids=np.array([str(row) for row in range(16)]))
    with pytest.raises(LearnError, match="Check the samples"):
        learn.cumulative(make_graph(), samples, QUICK)


@pytest.mark.parametrize(
    "wrong",
    [{"price": -1.0}, {"price": float("nan")}, {"loss": "v5"}, {"warm_epochs": -1}, {"targets": "x"}, {"charge": "x"}],
)
def test_settings_out_of_range_are_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(wrong))):
        learn.CumulativeSettings(**wrong)


def test_the_number_of_classes_is_the_networks() -> None:
    trained = learn.cumulative(make_graph(), make_samples(), QUICK)
    assert trained["exit0/head"].outputs[0].shape == (CLASSES,)
