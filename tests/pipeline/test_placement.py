"""Which candidates stay: whole runs with `--exits auto`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import call
from offramp.decide import Placement, Target, Trial
from offramp.graph import Graph
from offramp.measure import Breakdown, Evidence, OperatingPoint
from offramp.measure.torch import breakdown
from offramp.nn.heads import HeadRecipe
from offramp.pipeline import _placement, _price
from offramp.pipeline._placement import write_head
from offramp.run import openvino as engine
from offramp.store.torch import load_artifact

MODEL = ["optimize", "--model", "zoo:mlp", "--data", "digits@train", "--held-out", "digits@test", "--epochs", 4]


def run(weights: Path, out: Path, *options: object) -> Any:
    done = call(*MODEL, "--weights", weights, *options, "--out", out, "--json")
    assert done.code == 0, done.err
    return done.json


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock goes by multiply-accumulates: nothing that is tested depends on the machine."""

    def price(graph: Graph, *rest: object, **options: object) -> Breakdown:
        return replace(breakdown(graph), unit="seconds")

    monkeypatch.setattr(_placement, "price", price)


@pytest.mark.usefixtures("hurry", "counted")
def test_the_candidates_that_pay_are_all_that_is_shipped(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(weights, out, "--max-loss", 0.05)
    placement = result["placement"]
    kept = placement["kept"]
    assert [one["head"] for one in placement["candidates"]] == ["auto", "auto"]
    assert len(kept) == len(result["chosen"]["thresholds"]) == 1
    assert result["model"]["cuts"] == [placement["candidates"][at]["cut"] for at in kept]
    assert (
        [exit.name for exit in load_artifact(out).exits]
        == result["model"]["exits"]
        == [f"exit{kept[0]}/head", "stage2"]
    )
    assert Evidence.load(out / "evidence.npz").exits == 2
    assert engine.load(out / "model.onnx").card["exits"] == result["model"]["exits"]
    best = placement["trials"][0]
    assert best["kept"] == kept
    assert (placement["score"], placement["scores"]) == (
        result["score"],
        [{"score": result["score"], **{name: best[name] for name in ("kept", "relative", "loss")}}],
    )
    assert best["loss"] <= placement["allowed_loss"] < 0.05
    assert any("Of 2 candidates" in line for line in result["verdict"])
    assert "Which exits stay" in (out / "report.html").read_text()
    assert [exit.cut for exit in load_artifact(out).exits] == [*kept, None]
    relative = [seconds / result["clock"]["baseline_s"] for seconds in result["clock"]["exit_s"]]
    assert relative == pytest.approx([macs / result["baseline"]["macs"] for macs in result["exit_macs"]])  # `counted`
    again = call("sweep", out, "--max-loss", 0.05, "--apply", "--json")
    assert again.json["chosen"]["thresholds"] == result["chosen"]["thresholds"]


@pytest.mark.usefixtures("hurry")
def test_if_no_exit_pays_the_network_itself_is_the_answer(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def price(graph: Graph, *rest: object, **options: object) -> Breakdown:
        return replace(breakdown(graph, gate_overhead=1.0), unit="seconds")

    monkeypatch.setattr(_placement, "price", price)
    out = tmp_path / "out"
    result = run(weights, out, "--max-loss", 0.05)
    assert result["placement"]["kept"] == result["chosen"]["thresholds"] == result["model"]["cuts"] == []
    assert result["chosen"]["agreement"] == result["chosen"]["relative_macs"] == 1.0
    assert result["guarantee"]["status"] == "certified"
    assert any("2 candidates none stays" in line for line in result["verdict"])
    assert [exit.name for exit in load_artifact(out).exits] == ["stage2"]
    assert {row["exit"] for row in call("predict", out, "--data", "digits@test", "--json").json} == {0}
    assert call("sweep", out, "--max-loss", 0.05).code == 0
    assert call("bench", out, "--batch", 64).code == 0
    for command in ("check", "recalibrate"):
        done = call(command, out, "--data", "digits@test")
        assert done.code == 2
        assert "no exit paid there" in done.err


@pytest.mark.usefixtures("hurry", "counted")
def test_the_score_is_chosen_with_the_exits(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(weights, out, "--max-loss", 0.05, "--score", "auto:patience,entropy,confidence")
    placement = result["placement"]
    assert result["score"] == placement["score"] == placement["scores"][0]["score"]
    assert len(placement["scores"]) == 2
    ranked = [one["relative"] for one in placement["scores"]]
    assert ranked == sorted(ranked)
    assert {gate["score"] for gate in engine.load(out / "model.onnx").card["gates"]} == {result["score"]}
    told = f"Of 3 scores {result['score']} costs least with its best exits: gates compare it."
    assert told in result["verdict"]
    assert "costs least with its best exits" in (out / "report.html").read_text()


def test_the_work_of_a_score_takes_as_long_as_work_in_the_network() -> None:
    usual = Breakdown(
        stages=np.array([40.0, 60.0]), heads=np.array([5.0]), gate_overheads=np.zeros(1), baseline=100.0, unit="macs"
    )
    timed = Breakdown(
        stages=np.array([0.4, 0.6]),
        heads=np.array([0.1]),
        gate_overheads=np.array([0.02]),
        baseline=1.0,
        unit="seconds",
    )
    dearer, cheaper = (replace(usual, heads=np.array([work])) for work in (8.0, 1.0))
    assert _placement._with_score(timed, usual, usual).gate_overheads.tolist() == [0.02]
    assert _placement._with_score(timed, dearer, usual).gate_overheads == pytest.approx([0.05])
    assert _placement._with_score(timed, cheaper, usual).gate_overheads.tolist() == [0.0]


@pytest.mark.usefixtures("hurry")
def test_exits_that_use_each_other_are_timed_too(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_price, "CALLS", 20)
    out = tmp_path / "out"
    result = run(weights, out, "--max-loss", 0.05, "--reuse-logits", "--ensemble-heads")
    assert result["placement"]["judged_by"] == "time"
    assert [exit.name for exit in load_artifact(out).exits] == result["model"]["exits"]


@pytest.mark.usefixtures("hurry")
def test_a_budget_counts_work_and_candidates_may_be_named(weights: Path, tmp_path: Path) -> None:
    heads = ["--head", "pool", "--head", "light:hidden=4"]
    result = run(weights, tmp_path / "out", "--placement", "0,1", *heads, "--budget", 0.9)
    placement = result["placement"]
    assert [one["head"] for one in placement["candidates"]] == ["pool", "light:hidden=4"]
    assert placement["kept"]
    assert placement["judged_by"] == "work"
    assert placement["batch"] is placement["allowed_loss"] is result["clock"] is None
    assert result["frontier"][-1]["relative_macs"] <= 0.9


def test_a_knee_has_an_exit_even_if_none_pays() -> None:
    def trial(kept: tuple[int, ...], share: float) -> Trial:
        point = OperatingPoint(
            thresholds=(0.5,) * len(kept), accuracy=None, agreement=1.0, harm=None, macs=share, relative_macs=share,
            exit_rates=(1.0,),
        )  # fmt: skip
        return Trial(kept=kept, point=point, loss=0.0, rank=(0.0, share), score="entropy")

    trials = (trial((), 1.0), trial((1,), 1.1), trial((0,), 1.2))
    found = Placement(trials=trials, by_score={"entropy": trials[0]}, allowed_loss=0.01, tried=3)
    assert _placement._kept(Target(knee=True), found) == (1,)
    assert _placement._kept(Target(max_loss=0.01), found) == ()


def test_a_budget_that_no_candidate_meets_is_refused_before_any_work(weights: Path, tmp_path: Path) -> None:
    done = call(*MODEL, "--weights", weights, "--budget", 0.5, "--out", tmp_path / "out")
    assert done.code == 2
    assert "--budget must be 0.8" in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "text", ["auto", "pool", "student:width=16", "light:blocks=2,width=24", "layers:pool 2 | relu"]
)
def test_a_head_is_written_as_it_is_read(text: str) -> None:
    written = write_head(HeadRecipe.parse(text).to_json())
    assert HeadRecipe.parse(written) == HeadRecipe.parse(text)
