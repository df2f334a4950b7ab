from __future__ import annotations

import pytest

from offramp.cli._words import name_option, say_options


@pytest.mark.parametrize(
    ("argument", "option"),
    [
        ("target.max_loss", "--max-loss"),
        ("exits.count", "--exits"),
        ("exits.scores", "--score"),
        ("exits.reuse_logits", "--reuse-logits"),
        ("training.precision", "--training-precision"),
        ("engine.precision", "--precision"),
        ("engine.name", "--engine"),
        ("train", "--data"),
        ("held_out", "--held-out"),
        ("resume=True", "--resume"),
    ],
)
def test_an_argument_is_an_option(argument: str, option: str) -> None:
    assert name_option(argument) == option


@pytest.mark.parametrize(
    ("text", "about", "said"),
    [
        ("out must be new, but out is old", ["out"], "--out must be new, but out is old"),
        ("Name one: logits=NAME or INDEX.", ["logits="], "Name one: --logits NAME or INDEX."),
        ("2 of npz:train.npz are in train too", ["train"], "2 of npz:train.npz are in --data too"),
        ("training.mixup is 2, seed 3", ["seed", "training.mixup"], "--mixup is 2, --seed 3"),
        ("engine.name a fails. Try engine.name b.", ["engine.name"] * 2, "--engine a fails. Try --engine b."),
        ("nothing is named here: out", [], "nothing is named here: out"),
    ],
)  # fmt: skip
def test_a_sentence_names_options_where_it_named_arguments(text: str, about: list[str], said: str) -> None:
    assert say_options(text, about) == said
