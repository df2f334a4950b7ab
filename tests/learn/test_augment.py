"""Changes of pictures that leave their meaning alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from offramp.graph import Node, Tensor
from offramp.learn._augment import augment, choose_augment


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def numbered(count: int) -> torch.Tensor:
    """Pictures 8x8 whose pixels are all different and not 0."""
    return torch.arange(1.0, 65.0).reshape(1, 1, 8, 8).repeat(count, 1, 1, 1)


def windows(mirror: bool) -> set[tuple[float, ...]]:
    """Every crop that may come out, by brute force."""
    padded = torch.nn.functional.pad(numbered(1), (1, 1, 1, 1))[0, 0]
    crops = [padded[row : row + 8, column : column + 8] for row in range(3) for column in range(3)]
    crops += [crop.flip(1) for crop in crops] if mirror else []
    return {tuple(crop.flatten().tolist()) for crop in crops}


@pytest.mark.parametrize(("how", "mirror"), [("crop", False), ("crop_flip", True)])
def test_all_possible_windows_come_and_no_others(how: str, mirror: bool) -> None:
    given = augment({"x": numbered(500)}, how, random())["x"]  # type: ignore[arg-type]  # one of its words
    assert {tuple(picture.flatten().tolist()) for picture in given} == windows(mirror)


def test_channels_move_together() -> None:
    picture = numbered(20)
    given = augment({"x": torch.cat([picture, 2 * picture, 3 * picture], dim=1)}, "crop_flip", random())["x"]
    assert torch.equal(given[:, 1], 2 * given[:, 0])
    assert torch.equal(given[:, 2], 3 * given[:, 0])


def test_the_same_chance_gives_the_same_pictures() -> None:
    first, again = (augment({"x": numbered(20)}, "crop_flip", random(3))["x"] for _ in range(2))
    assert torch.equal(first, again)


def test_none_changes_nothing_and_tokens_never_change() -> None:
    batch, tokens = {"x": numbered(3)}, {"ids": torch.ones(3, 7, dtype=torch.int64)}
    assert augment(batch, "none", random())["x"] is batch["x"]
    assert augment(tokens, "crop_flip", random())["ids"] is tokens["ids"]


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [((3, 32, 32), "float32", "crop_flip"), ((1, 8, 8), "float32", "crop"), ((7, 8, 8), "float32", "none"),
     ((128,), "int64", "none"), ((3, 32, 32), "int64", "none")],
)  # fmt: skip
def test_auto_depends_on_the_input(shape: tuple[int, ...], dtype: str, expected: str) -> None:
    node = Node(name="x", kind="input", outputs=(Tensor(shape=shape, dtype=dtype),))
    assert choose_augment("auto", (node,)) == expected


def test_auto_leaves_several_inputs_alone_and_a_wish_is_a_wish() -> None:
    node = Node(name="x", kind="input", outputs=(Tensor(shape=(3, 8, 8)),))
    assert choose_augment("auto", (node, node)) == "none"
    assert choose_augment("crop", (node, node)) == "crop"
