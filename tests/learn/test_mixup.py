"""Mixtures of samples."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from early_exits import make_graph, make_samples, weights
from offramp import learn
from offramp.errors import LearnError, OptionError
from offramp.learn._mixup import mixup


def marked(count: int, *shape: int) -> Tensor:
    """Samples of which each is filled with its own number."""
    return torch.arange(float(count)).reshape(-1, *[1] * len(shape)).expand(count, *shape).clone()


@settings(deadline=None)
@given(count=st.integers(1, 9), share=st.floats(0, 1), seed=st.integers(0, 99))
def test_a_mixture_lies_between_two_samples(count: int, share: float, seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.rand(count, 3, 6, 5)
    mixed = mixup({"x": x}, share)["x"]
    assert mixed.shape == x.shape
    assert bool((mixed <= x.amax(0) + 1e-6).all())
    assert bool((mixed >= x.amin(0) - 1e-6).all())


def test_a_share_of_zero_changes_nothing() -> None:
    x = torch.rand(4, 3, 6, 6)
    assert torch.equal(mixup({"x": x}, 0.0)["x"], x)


def test_half_of_the_mixtures_of_pictures_are_cut_and_half_are_blended() -> None:
    torch.manual_seed(0)
    x = marked(4000, 1, 8, 8)
    mixed = mixup({"x": x}, 1.0)["x"]
    flat = mixed.flatten(1)
    cut = (flat.amax(1) != flat.amin(1)).float().mean()
    whole = (flat == flat.round()).all(1).float().mean()  # cut, or so little that it is none
    assert 0.35 < cut < 0.5
    assert 0.45 < whole < 0.55


def test_a_rectangle_covers_what_the_weight_leaves() -> None:
    torch.manual_seed(1)
    mixed = mixup({"x": marked(2, 1, 64, 64).repeat(2000, 1, 1, 1)}, 1.0)["x"].flatten(1)
    other = (mixed != mixed[:, :1]).float().mean(1)[(mixed.amax(1) != mixed.amin(1))]
    # the part that a rectangle covers is spread over (0, 1), less what lies outside the picture
    assert bool((other > 0.6).any())
    assert 0.15 < float(other.mean()) < 0.5


def test_all_inputs_of_a_sample_are_mixed_alike() -> None:
    torch.manual_seed(2)
    mixed = mixup({"a": marked(50, 3), "b": marked(50, 7)}, 0.7)
    torch.testing.assert_close(mixed["a"][:, 0], mixed["b"][:, 0])
    assert not torch.equal(mixed["a"], marked(50, 3))


def test_about_so_many_are_mixed() -> None:
    torch.manual_seed(3)
    x = marked(5000, 2)
    changed = (mixup({"x": x}, 0.3)["x"] != x).any(1).float().mean()
    assert 0.27 < changed < 0.33


def test_tokens_cannot_be_mixed() -> None:
    with pytest.raises(LearnError, match=r"floating-point inputs can be mixed, but 'ids' is int64\. Set mixup to 0"):
        mixup({"ids": torch.zeros(2, 5, dtype=torch.int64)}, 0.5)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_and_1_is_refused(share: float) -> None:
    with pytest.raises(OptionError, match="mixup="):
        learn.DistillSettings(mixup=share)


def test_heads_learn_other_weights_from_mixtures_and_the_same_twice() -> None:
    graph, samples = make_graph(), make_samples(32)

    def learned(**options: float) -> Tensor:
        wanted = learn.DistillSettings(epochs=1, batch=16, **options)  # type: ignore[arg-type]  # floats alone
        return torch.cat(
            [value.flatten() for value in weights(learn.distill_heads(graph, samples, wanted), "exit0/head").values()]
        )

    assert not torch.equal(learned(mixup=1.0), learned())
    assert torch.equal(learned(mixup=1.0), learned(mixup=1.0))
