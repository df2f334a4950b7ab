"""Pictures for D2NNs: faces among scenes, digits in clutter, and a part of CIFAR-10 held out."""

from __future__ import annotations

import numpy as np
from _d2nn_study import Parts
from numpy.typing import NDArray
from PIL import Image

from offramp import data
from offramp.run import ArraySamples, Samples

SCENES_PER_FACE = 4
TUNED = 1_500  # faces to choose on
SIDE, SIDES = 48, (36, 48)  # of a picture in pixels, and of the patch in it: the smallest and the largest
CANVAS, DIGIT, PIECE, PIECES = 100, 28, 8, 8  # of cluttered MNIST


def pictures(reference: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pixels [S, H, W, C] and labels of a data reference."""
    samples = data.load(reference)
    assert isinstance(samples, ArraySamples), "pictures lie in memory"
    assert samples.labels is not None, "and have labels"
    return next(iter(samples.inputs.values())), samples.labels


def as_samples(x: NDArray[np.uint8], y: NDArray[np.int64], name: str) -> ArraySamples:
    """Pictures [S, H, W, C] with labels, under a name."""
    return ArraySamples(inputs={"x": x}, ids=np.array([f"{name}/{at}" for at in range(len(x))]), labels=y)


def shorten(parts: Parts, count: int) -> Parts:
    """The first few samples of each part; they come in random order."""
    return Parts(**{name: getattr(parts, name).subset(slice(0, count)) for name in ("train", "tune", "test")})


# ---- faces ----


def load_faces(faces: str, scenes: str, seed: int, *, train: int = 5_000, times: int = 1) -> Parts:
    """Grey 48x48 scenes with a patch at a random place: a face (class 1), or four times as often another scene (0).

    All scenes are CIFAR-10 pictures. Faces that train, tune and test come from the parts of FER-2013; scenes that train
    and tune from two halves of the training part of CIFAR-10, those that test from its test part.

    Args:
        faces: Data reference without a part.
        scenes: Likewise.
        seed: Of everything that is drawn.
        train: Faces to learn from.
        times: In how many scenes a patch to learn from occurs.
    """
    random = np.random.default_rng(seed)
    first, last = (_greys(pictures(f"{scenes}@{part}")[0]) for part in ("train", "test"))
    first = [first[at] for at in random.permutation(len(first))]
    middle = len(first) // 2
    split = {"train": (train, first[:middle]), "val": (TUNED, first[middle:]),
             "test": (len(last) // SCENES_PER_FACE, last)}  # fmt: skip
    found = []
    for part, (count, others) in split.items():
        known = pictures(f"{faces}@{part}")[0][..., 0]
        patches = [Image.fromarray(known[at]) for at in random.permutation(len(known))[:count]]
        patches += others[: SCENES_PER_FACE * count]
        shown = np.tile(np.arange(len(patches)), times if part == "train" else 1)
        behind = random.integers(len(others), size=len(shown))
        x = np.stack([_paste(others[back], patches[at], random) for back, at in zip(behind, shown, strict=True)])
        y = (shown < count).astype(np.int64)
        mixed = random.permutation(len(x))
        found.append(as_samples(x[mixed], y[mixed], f"faces/{part}"))
    return Parts(train=found[0], tune=found[1], test=found[2])


def _greys(colored: NDArray[np.uint8]) -> list[Image.Image]:
    return [Image.fromarray(one).convert("L") for one in colored]


def _paste(scene: Image.Image, patch: Image.Image, random: np.random.Generator) -> NDArray[np.uint8]:
    """[48, 48, 1] the patch in the scene."""
    side = int(random.integers(SIDES[0], SIDES[1] + 1))
    left, top = (int(at) for at in random.integers(0, SIDE - side + 1, 2))
    picture = scene.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    picture.paste(patch.resize((side, side), Image.Resampling.BILINEAR), (left, top))
    return np.asarray(picture)[..., None]


# ---- cluttered MNIST ----


def load_clutter(mnist: str, seed: int, *, train: int, tune: int = 5_000, times: int = 1) -> Parts:
    """Cluttered MNIST, 100x100.

    Args:
        mnist: Data reference without a part.
        seed: Of everything that is drawn.
        train: Digits to learn from.
        tune: Digits to choose on.
        times: In how many places, among other clutter each time, a digit to learn from occurs.
    """
    x, y = pictures(f"{mnist}@train")
    order = np.random.default_rng(seed).permutation(len(x))[: train + tune]
    known, held = order[:train], order[train:]
    x_test, y_test = pictures(f"{mnist}@test")
    random = np.random.default_rng([seed, 1])
    return Parts(
        tune=as_samples(clutter(x[held, ..., 0], random), y[held], "cluttered/val"),
        test=as_samples(clutter(x_test[..., 0], random), y_test, "cluttered/test"),
        train=as_samples(
            np.concatenate([clutter(x[known, ..., 0], random) for _ in range(times)]), np.tile(y[known], times),
            "cluttered/train",
        ),
    )  # fmt: skip


def clutter(digits: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
    """[S, 100, 100, 1] each digit at a random place, under 8 random 8x8 cuts of others; the brightest pixel wins."""
    count = len(digits)
    canvas = np.zeros((count, CANVAS, CANVAS), np.uint8)
    place = random.integers(0, CANVAS - DIGIT + 1, (count, 2))
    others = random.integers(1, count, (count, PIECES))  # so far behind: never the digit itself
    cut = random.integers(0, DIGIT - PIECE + 1, (count, PIECES, 2))
    where = random.integers(0, CANVAS - PIECE + 1, (count, PIECES, 2))
    for at in range(count):
        row, column = place[at]
        canvas[at, row : row + DIGIT, column : column + DIGIT] = digits[at]
        for piece in range(PIECES):
            (top, left), (row, column) = cut[at, piece], where[at, piece]
            bit = digits[(at + others[at, piece]) % count, top : top + PIECE, left : left + PIECE]
            target = canvas[at, row : row + PIECE, column : column + PIECE]
            np.maximum(target, bit, out=target)
    return canvas[..., None]


# ---- CIFAR-10 ----


def load_cifar(reference: str, seed: int, *, tune: int = 5_000, train: int | None = None) -> Parts:
    """Some training images held out to choose on."""
    whole: Samples = data.load(f"{reference}@train")
    order = np.random.default_rng(seed).permutation(len(whole))
    stop = None if train is None else tune + train
    return Parts(
        train=whole.subset(order[tune:stop]), tune=whole.subset(order[:tune]), test=data.load(f"{reference}@test")
    )
