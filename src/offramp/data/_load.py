"""From a data reference to samples."""

from __future__ import annotations

from collections.abc import Callable

from offramp.run import Samples

from ._digits import load_digits
from ._mnist import load_mnist
from ._npz import load_npz
from ._reference import parse
from ._request import Request

LOADERS: dict[str, Callable[[Request], Samples]] = {
    "digits": load_digits,
    "mnist": load_mnist,
    "npz": load_npz,
}


def load(
    reference: str,
    *,
    split: str | None = None,
    tokenizer: str | None = None,
    image_size: int | tuple[int, int] | None = None,
    channels: int = 3,
    max_length: int = 128,
) -> Samples:
    """Load the samples that a reference names.

    Kinds: `digits`, `mnist:DIR`, `npz:FILE`, `imagefolder:DIR`, `torchvision:NAME:DIR`, `tsv:FILE`, each with
    `@train`, `@val` or `@test` where it has such parts. Nothing is downloaded.

    Args:
        reference: Which samples.
        split: Part to prefer where there are parts and the reference names none; "train" if None.
        tokenizer: Folder of a Hugging Face tokenizer; texts need one.
        image_size: Height and width that picture files are brought to; None keeps their own.
        channels: 3 for color or 1 for grey; for picture files.
        max_length: Tokens per text; longer ones are cut, shorter ones padded.

    Returns:
        The samples; picture files are decoded when they are taken, all others lie in memory.

    Raises:
        UnknownReference: The reference has no such kind, part or name.
        DataError: A file is missing or holds something else.
        MissingExtra: The kind needs a package that is not installed.

    Example:
        >>> len(load("digits@test"))
        797
    """
    named = parse(reference)
    request = Request(
        place=named.place,
        part=named.part,
        wish=split or "train",
        tokenizer=tokenizer,
        image_size=(image_size, image_size) if isinstance(image_size, int) else image_size,
        channels=channels,
        max_length=max_length,
    )
    return LOADERS[named.kind](request)
