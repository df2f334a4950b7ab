"""The head that is a whole small network."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from offramp.errors import OptionError
from offramp.nn.heads import HeadRecipe, build_head


def macs(shape: tuple[int, ...], **options: int) -> int:
    head = build_head(HeadRecipe("student", **options), shape, 10).eval()
    with FlopCounterMode(display=False) as counter:
        head(torch.rand(1, *shape))
    return counter.get_total_flops() // 2  # type: ignore[no-any-return]  # layers and arrays tell no type


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 28, 28), (3, 96, 96), (1, 8, 8), (32, 32, 3), (3, 20, 30)])
def test_it_answers_for_pictures_of_any_size(shape: tuple[int, ...]) -> None:
    head = build_head(HeadRecipe("student"), shape, 7).eval()
    assert head(torch.rand(4, *shape)).shape == (4, 7)


def test_its_work_is_what_the_documentation_says() -> None:
    assert macs((3, 32, 32)) == pytest.approx(12e6, rel=0.1)


def test_its_work_grows_with_its_width_but_hardly_with_the_picture() -> None:
    assert macs((3, 32, 32), width=16) < 0.35 * macs((3, 32, 32))
    assert macs((3, 128, 128)) < 1.2 * macs((3, 32, 32))


def test_vectors_and_tokens_are_refused() -> None:
    with pytest.raises(OptionError, match="'student' cannot read features"):
        build_head(HeadRecipe("student"), (16,), 10)
