"""Samples in the form that a network reads; never loads PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offramp import data
from offramp.errors import DataError
from offramp.run import Samples
from offramp.store.record import GIVEN

from ._screen import Screen

Warn = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """What a network reads, and what its answers mean.

    Attributes:
        shapes: Of one sample, by input name.
        classes: How many it tells apart, and what they are called if anybody said.
        tokenizer: Folder of a Hugging Face tokenizer, for texts.
        vocabulary: Number of tokens that it knows; 0 if it reads no texts, or nobody said.
    """

    shapes: Mapping[str, tuple[int, ...]]
    classes: data.Classes
    tokenizer: str | None = None
    vocabulary: int = 0

    def read(self, reference: str, *, split: str, warn: Warn | None = None, strict: bool = True) -> Samples:
        """Samples in the form of the inputs, numbered by the names of the classes if there are any; not checked yet.

        Args:
            reference: Which samples.
            split: Part to prefer where there are parts and the reference names none.
            warn: Is told why labels cannot be used, which are then absent; without it that is an error.
            strict: Refuse classes of which only some are unknown, even if there is someone to warn.
        """
        shape = next(iter(self.shapes.values()))
        picture = len(shape) == 3
        return data.load(
            reference,
            split=split,
            tokenizer=self.tokenizer,
            image_size=(shape[1], shape[2]) if picture else None,
            channels=shape[0] if picture and shape[0] in (1, 3) else 3,
            max_length=shape[0] if len(shape) == 1 else 128,
            class_names=self.classes.names,
            warn=warn,
            strict=strict,
        )

    def fit(self, samples: Samples, where: str, *, warn: Warn | None = None, strict: bool = True) -> Samples:
        """Samples that the network can read, with labels that are its own class numbers, or without labels.

        Raises:
            DataError: They do not fit, or labels cannot be used and there is nobody to warn.
        """
        samples = data.settle_labels(samples, self.classes, where, warn=warn, strict=strict)
        data.check_samples(samples, self.shapes, self.classes.count)
        check_tokens(samples, self.vocabulary, where)
        return samples


def load_samples(
    reference: str, shapes: Mapping[str, tuple[int, ...]], classes: int | data.Classes, *, split: str,
    tokenizer: str | None = None, warn: Warn | None = None,
) -> Samples:  # fmt: skip
    """Samples in the form that inputs of these shapes ask for, checked against them; arguments as for `Reads`.

    Raises:
        OfframpError: They cannot be found or read, or do not fit.
    """
    known = classes if isinstance(classes, data.Classes) else data.Classes(count=classes)
    reads = Reads(shapes=shapes, classes=known, tokenizer=tokenizer)
    return reads.fit(reads.read(reference, split=split, warn=warn), reference, warn=warn)


def check_tokens(samples: Samples, vocabulary: int, where: str) -> None:
    """Refuse texts that another network's tokenizer cut: engines answer tokens that they do not know, and say nothing.

    Args:
        samples: Of any kind; all but texts pass.
        vocabulary: Number of tokens that the network knows; 0 if nobody said.
        where: Names the samples in a sentence.

    Raises:
        DataError: A token is not among them.
    """
    tokens = samples.take([0]).get("input_ids") if vocabulary else None
    if tokens is None or tokens.dtype.kind not in "iu":
        return
    found = samples.take(slice(None))["input_ids"]
    low, high = int(found.min()), int(found.max())
    if low < 0 or high >= vocabulary:
        raise DataError(
            f"the network knows tokens 0 to {vocabulary - 1}, but {where} has {low if low < 0 else high}. "
            "Name its own tokenizer: tokenizer=FOLDER.",
            about=["tokenizer="],
        )


def call_samples(samples: Samples | None) -> str:
    """A name for samples without a reference, by what they hold: the same ones have the same name."""
    assert samples is not None, "there is no reference"
    contents = data.fingerprint(samples)
    return f"{GIVEN}{np.bitwise_xor.reduce(contents, initial=np.uint64(len(contents))):016x}"


def count_once(samples: Samples, where: str, screen: Screen) -> Samples:
    """The samples without repeats, which would prove a promise on copies; every file is read to the end for it.

    Raises:
        DataError: A sample cannot be read.
    """
    contents = data.fingerprint(samples, meter=screen.progress)
    return drop_repeats(samples, contents, where, screen)[0]


def drop_repeats(
    samples: Samples, contents: NDArray[np.uint64], where: str, screen: Screen
) -> tuple[Samples, NDArray[np.uint64]]:
    """The same with what the samples hold at hand, which comes back for those that stay."""
    first = data.first_of_each(contents)
    again = len(samples) - len(first)
    if not again:
        return samples, contents
    second = int(np.setdiff1d(np.arange(len(samples)), first)[0])
    screen.warn(
        f"{again} of {len(samples)} samples of {where} repeat others, such as {samples.ids[second]}: each is counted "
        "once."
    )
    return samples.subset(first), contents[first]
