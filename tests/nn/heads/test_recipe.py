"""Recipes of heads."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offramp.errors import OptionError
from offramp.nn.heads import HeadRecipe

OPTIONS = st.dictionaries(
    st.from_regex("[a-z]{1,6}", fullmatch=True).filter(lambda name: name not in ("kind", "self")),
    st.integers() | st.booleans() | st.text(max_size=4),
)


@settings(deadline=None, max_examples=30)
@given(st.text(max_size=8), OPTIONS)
def test_json_gives_the_same_recipe_back(kind: str, options: dict[str, int | bool | str]) -> None:
    recipe = HeadRecipe(kind, **options)
    assert HeadRecipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


def test_the_order_of_options_does_not_matter() -> None:
    assert hash(HeadRecipe("light", width=8, blocks=2)) == hash(HeadRecipe("light", blocks=2, width=8))


@pytest.mark.parametrize("data", [{}, {"kind": 3}, {"kind": "pool", "options": [1]}])
def test_json_without_a_recipe_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(OptionError, match="needs a kind"):
        HeadRecipe.from_json(data)


@pytest.mark.parametrize(
    ("text", "recipe"),
    [
        ("light", HeadRecipe("light")),
        ("light:width=16,blocks=1", HeadRecipe("light", width=16, blocks=1)),
        ("layers:pool 2 | relu", HeadRecipe("layers", table="pool 2 | relu")),
        ("layers", HeadRecipe("layers", table="")),
    ],
)
def test_a_text_gives_its_recipe(text: str, recipe: HeadRecipe) -> None:
    assert HeadRecipe.parse(text) == recipe


def test_a_text_with_an_option_that_is_no_number_is_refused() -> None:
    with pytest.raises(OptionError, match="Fix 'width=wide'"):
        HeadRecipe.parse("light:width=wide")
