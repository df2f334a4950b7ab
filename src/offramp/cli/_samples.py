"""Samples in the form that a network reads; never loads PyTorch."""

from __future__ import annotations

from collections.abc import Mapping

from offramp import data
from offramp.run import Samples


def load_samples(
    reference: str, shapes: Mapping[str, tuple[int, ...]], classes: int, *, split: str, tokenizer: str | None = None
) -> Samples:
    """Samples in the form that inputs of these shapes ask for, checked against them.

    Raises:
        OfframpError: They cannot be found or read, or do not fit.
    """
    shape = next(iter(shapes.values()))
    picture = len(shape) == 3
    samples = data.load(
        reference,
        split=split,
        tokenizer=tokenizer,
        image_size=(shape[1], shape[2]) if picture else None,
        channels=shape[0] if picture and shape[0] in (1, 3) else 3,
        max_length=shape[0] if len(shape) == 1 else 128,
    )
    data.check_samples(samples, shapes, classes)
    return samples
