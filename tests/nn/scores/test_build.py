"""From a name to a score."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from offramp.errors import OptionError
from offramp.nn.scores import MASKED_SCORES, SCORES, Targets, build_score


@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_built_by_the_name_it_declares(name: str) -> None:
    assert build_score(name, (4, 6, 6), 5).name == name


def test_an_unknown_score_is_refused_with_the_closest_name() -> None:
    with pytest.raises(OptionError, match="Did you mean 'max_probability'"):
        build_score("max_prob", (4,), 5)


@pytest.mark.parametrize("name", MASKED_SCORES)
def test_a_score_that_averages_tokens_may_be_told_which_are_padded(name: str) -> None:
    score = build_score(name, (4, 6), 3, masked=True)
    tokens, logits, mask = torch.ones(1, 4, 6), torch.zeros(1, 3), torch.tensor([[1, 1, 0, 0]])
    collected = [score.collect(given, logits, mask) for given in (tokens, tokens * torch.tensor([[1], [1], [9], [9]]))]  # type: ignore[operator]  # a FittedScore
    assert torch.equal(*collected)


@pytest.mark.parametrize("name", MASKED_SCORES)
def test_padded_tokens_do_not_count_where_the_mask_is_given_behind_all_else(name: str) -> None:
    random = torch.Generator().manual_seed(0)
    tokens, logits = torch.randn(20, 4, 6, generator=random), torch.randn(20, 3, generator=random)
    mask = (torch.arange(4) <= torch.arange(20)[:, None] % 4).long()
    other = torch.where(mask[:, :, None] == 1, tokens, 9.0)
    score: Any = build_score(name, (4, 6), 3, masked=True)  # Any: a score that is fitted
    collected = score.collect(tokens, logits, mask)
    score.fit(collected, Targets(classes=torch.arange(20) % 3, answers=logits.argmax(1)))
    torch.testing.assert_close(score.collect(other, logits, logits, mask), collected)
    torch.testing.assert_close(score(other, logits, logits, mask), score(tokens, logits, mask))
    assert not torch.allclose(score(other, logits, torch.ones(20, 4)), score(other, logits, mask))
