"""From a data reference to samples."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from offramp.errors import OptionError
from offramp.run import Samples

from ._classes import Classes, class_names_of, settle_labels
from ._digits import load_digits
from ._imagefolder import load_imagefolder
from ._mnist import load_mnist
from ._npy import load_npy
from ._npz import load_npz
from ._query import Query
from ._reference import PARTS, parse
from ._torchvision import load_torchvision
from ._tsv import load_tsv

LOADERS: dict[str, Callable[[Query], Samples]] = {
    "digits": load_digits,
    "mnist": load_mnist,
    "npz": load_npz,
    "npy": load_npy,
    "imagefolder": load_imagefolder,
    "torchvision": load_torchvision,
    "tsv": load_tsv,
}


def load(  # noqa: PLR0913  # all that a reference may leave open, by keyword
    reference: str,
    *,
    split: str | None = None,
    tokenizer: str | None = None,
    image_size: int | tuple[int, int] | None = None,
    channels: int = 3,
    max_length: int = 128,
    class_names: Sequence[str] | None = None,
    warn: Callable[[str], None] | None = None,
    strict: bool = True,
) -> Samples:
    """Load the samples that a reference names.

    Kinds: `digits`, `mnist:DIR`, `npz:FILE`, `npy:FILE`, `imagefolder:DIR`, `torchvision:NAME:DIR`, `tsv:FILE`, each
    with `@train`, `@val` or `@test` where it has such parts. Nothing is downloaded.

    Args:
        reference: Which samples.
        split: Part to prefer where there are parts and the reference names none; "train" if None.
        tokenizer: Folder of a Hugging Face tokenizer; texts need one.
        image_size: Height and width that picture files are brought to; None keeps their own.
        channels: 3 for color or 1 for grey; for picture files.
        max_length: Tokens per text; longer ones are cut, shorter ones padded.
        class_names: What the network calls its classes, in the order of its outputs. Folders and named labels are
            numbered by it; without it they are numbered in the order of their own names.
        warn: Is told why labels cannot be used, which are then absent; without it that is an error.
        strict: Refuse classes of which only some are not among `class_names`, even if there is someone to warn.

    Returns:
        The samples; picture files and the rows of `npy:FILE` are read when they are taken, all others lie in memory.

    Raises:
        UnknownReference: The reference has no such kind, part or name.
        DataError: A file is missing or holds something else, or a class is not among `class_names`.
        OptionError: Texts without a tokenizer, or `split` or `channels` has no such value.
        MissingExtra: The kind needs a package that is not installed.

    Example:
        >>> len(load("digits@test"))
        797
    """
    named = parse(reference)
    if split not in (None, *PARTS) or channels not in (1, 3):
        raise OptionError(
            f"split must be one of {', '.join(PARTS)} and channels 1 or 3, but are {split!r}, {channels}. Correct them."
        )
    query = Query(
        place=named.place,
        part=named.part,
        wish=split or "train",
        tokenizer=tokenizer,
        image_size=(image_size, image_size) if isinstance(image_size, int) else image_size,
        channels=channels,
        max_length=max_length,
        class_names=None if class_names is None else tuple(class_names),
        warn=warn,
    )
    samples = LOADERS[named.kind](query)
    if query.class_names is None or class_names_of(samples) is None:
        return samples
    classes = Classes(count=len(query.class_names), names=query.class_names)
    return settle_labels(samples, classes, reference, warn=warn, strict=strict)
