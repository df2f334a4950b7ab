"""The head that reads token numbers."""

from __future__ import annotations

import pytest
import torch

from offramp.errors import OptionError
from offramp.measure.torch import count
from offramp.nn.heads import HeadRecipe, build_head

TOKENS = torch.tensor([[2, 7, 4, 3, 0, 0], [2, 9, 3, 0, 0, 0]])
MASK = (TOKENS > 0).long()


def reader(**options: int) -> torch.nn.Module:
    torch.manual_seed(0)
    return build_head(HeadRecipe("student", vocabulary=12, **options), (6,), 3, dtype="int64").eval()


@pytest.mark.parametrize("window", [1, 3, 5])
def test_what_stands_in_padding_changes_nothing(window: int) -> None:
    head = reader(window=window)
    other = torch.where(MASK == 1, TOKENS, 11)
    torch.testing.assert_close(head(TOKENS, MASK), head(other, MASK))
    assert not torch.equal(head(TOKENS), head(other))


def test_how_far_a_text_is_padded_changes_nothing() -> None:
    head = reader()
    torch.testing.assert_close(head(TOKENS, MASK), head(TOKENS[:, :5], MASK[:, :5]))


@pytest.mark.parametrize(("window", "differs"), [(1, False), (3, True)])
def test_only_filters_see_the_order(window: int, differs: bool) -> None:
    head = reader(window=window)
    swapped = TOKENS[:, [0, 2, 1, 3, 4, 5]]
    change = (head(TOKENS, MASK) - head(swapped, MASK))[0].detach().abs().max()
    assert (float(change) > 1e-6) == differs  # sums in another order


def test_a_text_without_tokens_gets_a_finite_answer() -> None:
    assert reader()(TOKENS, torch.zeros_like(MASK)).isfinite().all()


def test_its_work_is_what_the_documentation_says() -> None:
    head = build_head(HeadRecipe("student", vocabulary=99), (64,), 2, dtype="int64")
    tokens = torch.zeros(1, 64, dtype=torch.int64)
    assert count(head, tokens, tokens) == pytest.approx(0.8e6, rel=0.02)


@pytest.mark.parametrize("recipe", [HeadRecipe("student"), HeadRecipe("student", vocabulary=9, window=2)])
def test_no_vocabulary_and_even_windows_are_refused(recipe: HeadRecipe) -> None:
    with pytest.raises(OptionError, match=r"vocabulary=N and an odd window"):
        build_head(recipe, (6,), 3, dtype="int64")


def test_heads_for_vectors_do_not_read_token_numbers() -> None:
    with pytest.raises(OptionError, match=r"'pool' cannot read .* Use one of auto, light, student"):
        build_head(HeadRecipe("pool"), (6,), 3, dtype="int64")
