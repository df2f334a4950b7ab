from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from offramp.decide import Target
from offramp.errors import OptionError
from offramp.pipeline import Exits, Training
from offramp.pipeline._recorded import RECORDED
from offramp.pipeline._request import DECIDING, Request, find_tokenizer


def asked(**options: Any) -> Request:
    return Request(**{"model": "m", "train": "d", "out": Path("o"), **options})


def test_what_decides_a_training_is_json_and_leaves_the_target_out() -> None:
    told = asked(target=Target(budget=0.5), weights=Path("w")).deciding()
    assert json.loads(json.dumps(told))["weights"] == "w"
    assert tuple(told) == DECIDING
    assert "goal" not in told


@pytest.mark.parametrize(
    "options",
    [
        {"training": Training(targets="hard")},
        {"training": Training(sample_weighting=0.5)},
        {"training": Training(mixup=0.5)},
        {"training": Training(regime="cumulative", price=0.5)},
        {"exits": Exits(reuse_logits=True)},
        {"exits": Exits(ensemble_heads=True)},
        {"exits": Exits(head="pool")},
        {"seed": 1},
    ],
)
def test_how_heads_learn_decides_a_training(options: dict[str, Any]) -> None:
    assert asked().deciding() != asked(**options).deciding()


def test_the_record_keeps_the_names_that_it_always_had() -> None:
    told = asked(exits=Exits(count=2), training=Training(mixup=0.5)).options()
    assert (told["data"], told["exits"], told["mixup"], told["score"], told["head"]) == (
        "d", 2, 0.5, "max_probability", "auto",
    )  # fmt: skip
    assert told["goal"] == {"max_loss": 0.01, "confidence": 0.95, "kind": None, "budget": None, "margin": 0.0}
    assert {*RECORDED.values()} - {"grid"} <= {*told}


def test_heads_and_score_are_what_suits_the_regime_unless_named() -> None:
    learned = Training(regime="cumulative")
    plain, cumulative = asked(), asked(training=learned)
    named = asked(training=learned, exits=Exits(head="pool", scores="entropy"))
    assert (plain.head, plain.score) == ("auto", "max_probability")
    assert (cumulative.head, cumulative.score) == ("conv2:confidence=1", "head_confidence")
    assert (named.head, named.score) == ("pool", "entropy")


def test_confidences_that_nothing_teaches_do_not_gate() -> None:
    with pytest.raises(OptionError, match=r"exits\.scores head_confidence goes with .* the regime is post"):
        asked(exits=Exits(scores="auto:head_confidence,margin"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"seed": -1}, "seed -1"),
        ({"resume": True, "fresh": True}, "exclude each other"),
        ({"mean": (0.5,)}, "mean and std must be given together"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        asked(**options)


def test_the_tokenizer_beside_a_models_weights_is_taken_unless_another_is_given(tmp_path: Path) -> None:
    assert find_tokenizer(None, f"hf:{tmp_path}") is None
    (tmp_path / "tokenizer_config.json").write_text("{}")
    assert find_tokenizer(None, f"hf:{tmp_path}") == str(tmp_path)
    assert find_tokenizer("other", f"hf:{tmp_path}") == "other"
    assert find_tokenizer(None, f"zoo:{tmp_path}") is None


def test_options_tell_only_where_those_lie_that_are_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = Request(
        model="hf:/home/ada/bert", weights=Path("/home/ada/w.pt"), out=Path("/home/ada/out"),
        train=f"npz:{tmp_path}/x.npz", held_out="npz:/home/ada/y.npz", tokenizer="/home/ada/words",
    ).options()  # fmt: skip
    assert [told[name] for name in ("model", "weights", "out")] == ["hf:.../bert", ".../w.pt", ".../out"]
    assert [told[name] for name in ("data", "held_out", "tokenizer")] == [
        "npz:x.npz", "npz:/home/ada/y.npz", "/home/ada/words",
    ]  # fmt: skip
