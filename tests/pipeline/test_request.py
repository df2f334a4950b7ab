from __future__ import annotations

import json
from pathlib import Path

import pytest

from offramp.errors import OptionError
from offramp.pipeline._request import (
    Goal,
    Request,
    Scoring,
    Search,
    read_exits,
    read_goal,
    read_heads,
    read_numbers,
    read_placement,
    read_score,
    read_scores,
    read_search,
    read_shape,
    read_tokenizer,
)


def goal(**options: object) -> Goal:
    usual = {"max_loss": None, "confidence": None, "kind": None, "budget": None, "knee": False}
    return read_goal(**{**usual, **options})  # type: ignore[arg-type]  # the tests pass what users type


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Goal(max_loss=0.01)),
        ({"confidence": 0.9}, Goal(max_loss=0.01, confidence=0.9)),
        ({"kind": "net"}, Goal(max_loss=0.01, kind="net")),
        ({"budget": 0.5}, Goal(budget=0.5)),
        ({"knee": True}, Goal()),
    ],
)
def test_options_name_one_goal(options: dict[str, object], expected: Goal) -> None:
    assert goal(**options) == expected


@pytest.mark.parametrize(("options", "name"), [({}, "promise"), ({"budget": 0.5}, "budget"), ({"knee": True}, "knee")])
def test_a_goal_has_a_name(options: dict[str, object], name: str) -> None:
    assert goal(**options).name == name


@pytest.mark.parametrize(
    "options", [{"budget": 0.5, "knee": True}, {"kind": "harm", "knee": True}, {"max_loss": 0.1, "budget": 0.5}]
)
def test_two_goals_exclude_each_other(options: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="exclude"):
        goal(**options)


@pytest.mark.parametrize(("text", "exits"), [("auto", "auto"), ("3", 3), ("-1", -1)])
def test_exits_are_a_number_or_auto(text: str, exits: object) -> None:
    assert read_exits(text) == exits


def test_another_word_for_exits_is_refused() -> None:
    with pytest.raises(OptionError, match="a number or auto, but is 'many'"):
        read_exits("many")


def test_several_heads_need_exits_that_are_named() -> None:
    with pytest.raises(OptionError, match="Name the exits by --placement"):
        Request(model="m", data="d", out=Path("o"), goal=Goal(), head=("light", "pool"))
    Request(model="m", data="d", out=Path("o"), goal=Goal(), head=("light", "pool"), placement=("a", "b"))


def test_all_options_out_of_range_are_named_at_once() -> None:
    with pytest.raises(OptionError, match=r"--exits 0.*--epochs 0.*--threads 0.*--seed -1"):
        Request(model="m", data="d", out=Path("o"), goal=Goal(), exits=0, epochs=0, threads=0, seed=-1)


def test_what_decides_a_training_is_json_and_leaves_the_goal_out() -> None:
    request = Request(model="m", data="d", out=Path("o"), goal=Goal(budget=0.5), weights=Path("w"))
    assert json.loads(json.dumps(request.deciding()))["weights"] == "w"
    assert "goal" not in request.deciding()


@pytest.mark.parametrize(("text", "numbers"), [(None, None), ("0.5", (0.5,)), ("1, 2", (1.0, 2.0))])
def test_numbers_stand_between_commas(text: str | None, numbers: tuple[float, ...] | None) -> None:
    assert read_numbers(text, "--mean") == numbers


@pytest.mark.parametrize("text", ["3,0", "1.5", "a"])
def test_a_shape_is_whole_and_positive(text: str) -> None:
    with pytest.raises(OptionError, match="--shape"):
        read_shape(text)


def test_a_shape_has_whole_sizes() -> None:
    assert read_shape("3,224,224") == (3, 224, 224)


@pytest.mark.parametrize(("text", "placement"), [("golden", "golden"), ("layer1", ("layer1",)), ("0, -1", (0, -1))])
def test_a_placement_is_a_rule_or_cut_points(text: str, placement: object) -> None:
    assert read_placement(text) == placement


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, Goal(max_loss=0.05, confidence=0.9, kind="net")),
        ({"max_loss": 0.02}, Goal(max_loss=0.02, confidence=0.9, kind="net")),
        ({"confidence": 0.99, "kind": "harm"}, Goal(max_loss=0.05, confidence=0.99, kind="harm")),
        ({"knee": True}, Goal()),
    ],
)
def test_what_is_not_said_is_as_usual(options: dict[str, object], expected: Goal) -> None:
    assert goal(**options, usual=Goal(max_loss=0.05, confidence=0.9, kind="net")) == expected


def test_a_promise_after_a_budget_is_the_plain_one() -> None:
    assert goal(max_loss=0.02, usual=Goal(budget=0.5)) == Goal(max_loss=0.02)
    assert goal(usual=Goal(budget=0.5)) == Goal(budget=0.5)


@pytest.mark.parametrize(
    ("search", "grid", "expected"),
    [
        ("frontier", None, Search()),
        ("screening", None, Search(name="screening")),
        ("screening", "0.01, 0.1", Search(name="screening", grid=(0.01, 0.1))),
        ("screening", "50%,90%", Search(name="screening", shares=(0.5, 0.9))),
    ],
)
def test_a_search_is_read(search: str, grid: str | None, expected: Search) -> None:
    assert read_search(search, grid) == expected


@pytest.mark.parametrize(
    ("search", "grid", "word"),
    [
        ("luck", None, "--search"),
        ("frontier", "0.5", "--search screening"),
        ("screening", "50%,0.5", "mixes"),
        ("screening", "half", "0.01,0.1,0.5"),
    ],
)
def test_a_search_that_is_none_is_refused(search: str, grid: str | None, word: str) -> None:
    with pytest.raises(OptionError, match=word):
        read_search(search, grid)


@pytest.mark.parametrize(
    ("text", "names", "auto"),
    [
        ("entropy", ("entropy",), False),
        ("entropy, margin", ("entropy", "margin"), False),
        ("auto", (), True),
        ("auto:entropy", ("entropy",), True),
        ("auto: patience ,entropy", ("patience", "entropy"), True),
    ],
)
def test_scores_are_named_or_left_to_be_chosen(text: str, names: tuple[str, ...], auto: bool) -> None:
    assert read_scores(text) == Scoring(names=names, auto=auto)


@pytest.mark.parametrize(
    "text", ["", "auto:", "entropy,", "entropy,entropy", "auto,entropy", "auto:auto", "margin,auto"]
)
def test_scores_without_a_name_or_with_one_twice_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--score must be names"):
        Request(model="m", data="d", out=Path("o"), goal=Goal(), score=text)


@pytest.mark.parametrize("option", [{"targets": "hard"}, {"sample_weighting": 0.5}, {"mixup": 0.5}])
def test_what_heads_alone_are_told_is_refused_where_labels_teach(option: dict[str, object]) -> None:
    with pytest.raises(
        OptionError, match=r"--targets, --sample-weighting and --mixup belong to --regime post, but .* is mixed"
    ):
        Request(model="m", data="d", out=Path("o"), goal=Goal(), regime="mixed", **option)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "option",
    [{"targets": "hard"}, {"sample_weighting": 0.5}, {"mixup": 0.5}, {"reuse_logits": True}, {"ensemble_heads": True}],
)
def test_how_heads_learn_decides_a_training(option: dict[str, object]) -> None:
    plain, other = (Request(model="m", data="d", out=Path("o"), goal=Goal(), **given) for given in ({}, option))  # type: ignore[arg-type]
    assert plain.deciding() != other.deciding()


def asked(**options: object) -> Request:
    return Request(model="m", data="d", out=Path("o"), goal=Goal(), **options)  # type: ignore[arg-type]  # as users type


def test_heads_and_score_are_what_suits_the_regime_unless_named() -> None:
    assert (read_heads(None, "cumulative"), read_score(None, "cumulative")) == ("conv2:confidence=1", "head_confidence")
    assert (read_heads(["pool"], "cumulative"), read_score("entropy", "cumulative")) == ("pool", "entropy")


def test_a_price_goes_with_its_regime_alone() -> None:
    assert asked(regime="cumulative", price=0.5).deciding()["price"] == 0.5
    with pytest.raises(OptionError, match="--regime cumulative, but the regime is post"):
        asked(price=0.5)


@pytest.mark.parametrize("price", [-1.0, float("nan")])
def test_a_price_is_not_negative(price: float) -> None:
    with pytest.raises(OptionError, match=r"--price .* \(0 to"):
        asked(regime="cumulative", price=price)


def test_confidences_that_nothing_teaches_do_not_gate() -> None:
    with pytest.raises(OptionError, match=r"--score head_confidence goes with .* the regime is post"):
        asked(score="auto:head_confidence,margin")


def test_the_tokenizer_beside_a_models_weights_is_taken_unless_another_is_given(tmp_path: Path) -> None:
    assert read_tokenizer(None, f"hf:{tmp_path}") is None
    (tmp_path / "tokenizer_config.json").write_text("{}")
    assert read_tokenizer(None, f"hf:{tmp_path}") == str(tmp_path)
    assert read_tokenizer("other", f"hf:{tmp_path}") == "other"
    assert read_tokenizer(None, f"zoo:{tmp_path}") is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_loss": 1e-320}, "--max-loss"),
        ({"max_loss": float("nan")}, "--max-loss"),
        ({"confidence": 1.0}, "--confidence"),
        ({"confidence": 1 - 1e-16}, "--confidence"),
        ({"budget": float("inf")}, "--budget"),
        ({"budget": float("nan")}, "--budget"),
        ({"budget": 1e-320}, "--budget"),
    ],
)
def test_a_share_that_nobody_can_prove_is_refused(options: dict[str, object], says: str) -> None:
    with pytest.raises(OptionError, match=says):
        goal(**options)


@pytest.mark.parametrize("text", ["--4", "²", "", " ", "4.0", "nan", "0x4", "4" * 5000])
def test_exits_that_are_no_number_are_refused(text: str) -> None:
    with pytest.raises(OptionError, match="a number or auto"):
        read_exits(text)


@pytest.mark.parametrize("text", ["--4", "²", "1" * 30, "input"])
def test_what_is_no_index_is_a_name(text: str) -> None:
    assert read_placement(text) == (text,)


@pytest.mark.parametrize("text", ["nan", "0.1,inf", "1e400", "", "0.1,,0.2", "101%", "-1%", "nan%", "1e10"])
def test_a_grid_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--grid"):
        read_search("screening", text)


@pytest.mark.parametrize("text", ["nan", "3,nan,3", "inf", "1e400", "0", "-3,2,2", "2.5", "", "3,,3", "99999,99999,9"])
def test_a_shape_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="--shape"):
        read_shape(text)


def test_options_tell_only_where_those_lie_that_are_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = Request(
        model="hf:/home/ada/bert", weights=Path("/home/ada/w.pt"), out=Path("/home/ada/out"), goal=Goal(),
        data=f"npz:{tmp_path}/x.npz", held_out="npz:/home/ada/y.npz", tokenizer="/home/ada/words",
    ).options()  # fmt: skip
    assert [told[name] for name in ("model", "weights", "out")] == ["hf:.../bert", ".../w.pt", ".../out"]
    assert [told[name] for name in ("data", "held_out", "tokenizer")] == [
        "npz:x.npz", "npz:/home/ada/y.npz", "/home/ada/words",
    ]  # fmt: skip
