"""From a name to a score."""

from __future__ import annotations

import pytest
import torch

from offramp.errors import OptionError
from offramp.nn.scores import MASKED_SCORES, SCORES, build_score


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
