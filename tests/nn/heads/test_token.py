"""Heads for tokens and vectors."""

from __future__ import annotations

import pytest
import torch

from offramp.nn.heads import HeadRecipe, build_head


@pytest.mark.parametrize("position", [0, 3])
def test_the_token_head_sees_the_first_token_and_all_others(position: int) -> None:
    head, tokens = build_head(HeadRecipe("token"), (5, 8), 3), torch.randn(1, 5, 8)
    changed = tokens.clone()
    changed[:, position, 0] += 1
    assert not torch.equal(head(tokens), head(changed))


def test_the_order_of_the_other_tokens_does_not_matter() -> None:
    head, tokens = build_head(HeadRecipe("token"), (5, 8), 3), torch.randn(1, 5, 8)
    # The mean adds up in another order.
    torch.testing.assert_close(head(tokens), head(tokens[:, [0, 4, 3, 2, 1]]), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("shape", [(5, 8), (8,)])
def test_its_width_can_be_chosen(shape: tuple[int, ...]) -> None:
    head = build_head(HeadRecipe("token", hidden=17), shape, 3)
    assert any(weight.shape[0] == 17 for weight in head.parameters())


@pytest.mark.parametrize("kind", ["token", "pool"])
def test_padded_tokens_do_not_matter_with_a_mask(kind: str) -> None:
    head, tokens = build_head(HeadRecipe(kind), (5, 8), 3), torch.randn(1, 5, 8)
    mask, changed = torch.tensor([[1, 1, 1, 0, 0]]), tokens.clone()
    changed[:, 3:] += 1 + torch.rand(2, 8)
    torch.testing.assert_close(head(tokens, mask), head(changed, mask))
    assert not torch.allclose(head(tokens), head(changed))
