"""Which of a network's outputs the logits are."""

from __future__ import annotations

from collections import namedtuple
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from offramp import attach
from offramp.capture import Answer, capture
from offramp.capture._answer import find_logits, list_outputs, locate_logits, pick
from offramp.errors import CaptureError, OfframpWarning, OptionError
from offramp.nn import Executor

Output = namedtuple("Output", "loss logits")
LOGITS, FEATURES, MAPS = torch.full((2, 3), 7.0), torch.ones(2, 8), torch.ones(2, 8, 4, 4)


@pytest.mark.parametrize(
    "answer",
    [
        LOGITS,
        (LOGITS,),
        (LOGITS, MAPS),
        (MAPS, LOGITS),
        (LOGITS, (MAPS, MAPS)),
        (LOGITS, None, torch.ones(())),
        {"logits": LOGITS},
        {"loss": torch.ones(()), "logits": LOGITS, "cls_logits": LOGITS},
        {"features": FEATURES, "logits": LOGITS},
        {"out": LOGITS, "maps": MAPS},
        Output(torch.ones(()), LOGITS),
        Output(FEATURES, LOGITS),
        ((LOGITS, MAPS), MAPS),
        {"logits": (LOGITS,)},
        (torch.ones(2, 8, dtype=torch.int64), LOGITS),
    ],
    ids=list_outputs,
)
def test_the_logits_are_found_in(answer: Any) -> None:
    assert find_logits(answer) is LOGITS


@pytest.mark.parametrize("answer", [(), [], {}, ((),), (None,)], ids=repr)
def test_an_empty_answer_is_refused(answer: Any) -> None:
    with pytest.raises(CaptureError, match="answered with nothing"):
        find_logits(answer)


@pytest.mark.parametrize(
    ("answer", "listed"),
    [
        ((FEATURES, LOGITS), r"0 \[2, 8\], 1 \[2, 3\]"),
        ({"features": FEATURES, "pred": LOGITS, "maps": MAPS}, r"features \[2, 8\], pred \[2, 3\]\. "),
        ({"heads": (LOGITS, LOGITS)}, r"heads\.0 \[2, 3\], heads\.1 \[2, 3\]"),
    ],
)
def test_outputs_that_could_both_be_meant_are_listed_instead_of_guessed(answer: Any, listed: str) -> None:
    with pytest.raises(CaptureError, match=rf"{listed}.*logits=NAME or INDEX"):
        find_logits(answer)


@pytest.mark.parametrize(
    ("answer", "where"),
    [
        ((FEATURES, LOGITS), 1),
        ((FEATURES, LOGITS), "1"),
        ((FEATURES, LOGITS), -1),
        ({"features": FEATURES, "pred": LOGITS}, "pred"),
        ({"features": FEATURES, "pred": LOGITS}, "1"),
        ({"logits": FEATURES, "better": LOGITS}, "better"),
        ({"heads": (FEATURES, LOGITS)}, "heads.1"),
        ({"1": LOGITS, "0": FEATURES}, "1"),
        (Output(LOGITS, FEATURES), "loss"),
        ({"head": {"logits": LOGITS, "features": FEATURES}, "other": LOGITS}, "head"),
    ],
)
def test_an_output_is_named_or_counted(answer: Any, where: str | int) -> None:
    assert find_logits(answer, where) is LOGITS


@pytest.mark.parametrize("where", [2, -3, "prod", "1.0"])
def test_an_output_that_is_not_there_is_refused_with_those_that_are(where: str | int) -> None:
    with pytest.raises(OptionError, match=r"the model has 0 \[2, 8\], 1 \[2, 3\] and not"):
        find_logits((FEATURES, LOGITS), where)


def test_a_path_leads_to_what_stands_in_the_same_place_of_another_answer() -> None:
    path = locate_logits({"a": (FEATURES, LOGITS)}, "a.1")
    assert pick({"a": ("x", "y")}, path) == "y"


class Several(nn.Module):
    """Features and logits, in one of several forms."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.form = form
        self.first, self.last = nn.Linear(8, 16), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Any:
        features = torch.relu(self.first(x))
        logits = self.last(features)
        return (features, logits) if self.form == "tuple" else {"features": features, "pred": logits}


@pytest.mark.tracing
@pytest.mark.parametrize(("form", "where"), [("tuple", 1), ("tuple", "1"), ("dictionary", "pred")])
def test_a_graph_answers_with_the_named_output(form: str, where: str | int) -> None:
    net, x = Several(form).eval(), torch.randn(5, 8)
    graph = attach.exits(net, x, count=1, placement=0, logits=where)
    expected = find_logits(net(x), where)
    with torch.no_grad():
        got = Executor(graph).eval().dense({"x": x})["stage1"][0]
    torch.testing.assert_close(got, expected)
    assert (graph["stage1"].recipe or {})["logits"] == where


@pytest.mark.tracing
def test_a_capture_lists_the_outputs_when_none_is_named() -> None:
    with pytest.raises(CaptureError, match=r"could mean 0 \[2, 16\], 1 \[2, 3\]"):
        capture(Several("tuple"), torch.zeros(2, 8))


@pytest.mark.tracing
@pytest.mark.parametrize("inside", [True, False])
def test_probabilities_become_their_logarithm_with_a_word_about_it(inside: bool) -> None:
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3), *([nn.Softmax(1)] if inside else []))
    soft = net if inside else Softmaxed(net)
    x = torch.randn(5, 8)
    with pytest.warns(OfframpWarning, match="answers with probabilities"):
        captured = capture(soft, x)
    with torch.no_grad():
        got = captured.split([])[0](x)
        torch.testing.assert_close(got, soft(x).log())
        torch.testing.assert_close(got.softmax(1), soft(x))
    assert captured.answer.probabilities


@pytest.mark.tracing
def test_probabilities_of_zero_stay_finite() -> None:
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax(1))
    with torch.no_grad():
        net[2].weight.mul_(1e4)  # type: ignore[operator,union-attr]  # a tensor
    with pytest.warns(OfframpWarning, match="probabilities"):
        captured = capture(net, torch.randn(2, 8))
    assert captured.split([])[0](torch.randn(64, 8)).isfinite().all()


@pytest.mark.tracing
@pytest.mark.parametrize("last", [nn.LogSoftmax(1), nn.Sigmoid(), nn.Tanh(), nn.ReLU()], ids=repr)
def test_other_answers_stay_as_they_are(last: nn.Module) -> None:
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3), last)
    captured = capture(net, torch.randn(2, 8))
    assert captured.answer == Answer(probabilities=False)


@pytest.mark.tracing
def test_whoever_says_that_they_are_no_probabilities_is_believed() -> None:
    net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3), nn.Softmax(1))
    captured = capture(net, torch.randn(2, 8), logits=Answer(probabilities=False))
    assert not captured.answer.probabilities


class Softmaxed(nn.Module):
    """A network with a softmax in its own code."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return torch.softmax(self.net(x), dim=-1)
