"""The handwritten digits that ship with scikit-learn, brought to the form of MNIST."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from offramp.errors import UnknownReference
from offramp.run import ArraySamples

from ._query import Query

TRAIN = 1000
SEED = 0  # of the order that divides the parts; changing it changes every id


def load_digits(query: Query) -> ArraySamples:
    """Give 1,000 digits to train or the other 797 to test, as 1x28x28 pictures.

    The originals are 8x8 greys from 0 to 16; they are enlarged bilinearly so that they and MNIST fit the same network.
    """
    from sklearn import datasets  # here: a second of import that no other reference needs

    part = query.preferred
    if part == "val":
        raise UnknownReference("digits has the parts train and test, but @val was asked. Use digits@train.")
    digits = datasets.load_digits()
    order = np.random.default_rng(SEED).permutation(len(digits.target))
    chosen = order[:TRAIN] if part == "train" else order[TRAIN:]
    pixels = np.stack([_enlarge(digits.images[at]) for at in chosen])
    ids = np.array([f"digits/{part}/{at}" for at in range(len(chosen))])
    return ArraySamples(inputs={"x": pixels[..., None]}, ids=ids, labels=digits.target[chosen].astype(np.int64))


def _enlarge(image: NDArray[np.float64]) -> NDArray[np.uint8]:
    grey = Image.fromarray(np.rint(image * (255 / 16)).astype(np.uint8))
    return np.asarray(grey.resize((28, 28), Image.Resampling.BILINEAR))
