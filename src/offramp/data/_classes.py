"""Which class a label means: names are mapped by name, never by their place among those that happen to be there."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from offramp.errors import DataError, OptionError, suggest
from offramp.run import ArraySamples, Samples

from ._pictures import PictureSamples

SHOWN = 3  # names in a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """What the outputs of a network mean.

    Attributes:
        count: How many outputs there are.
        names: Of the classes in the order of the outputs, or None if nobody said them.

    Raises:
        OptionError: There are not as many names as outputs, or two are the same.

    Example:
        >>> Classes(count=2, names=("cat",))
        Traceback (most recent call last):
        offramp.errors.OptionError: class names must be 2, one per output of the network, but are 1. Name them all.
    """

    count: int
    names: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if self.names is None:
            return
        if len(self.names) != self.count:
            raise OptionError(
                f"class names must be {self.count}, one per output of the network, but are {len(self.names)}. "
                "Name them all."
            )
        twice = sorted(name for name, times in Counter(self.names).items() if times > 1)
        if twice:
            raise OptionError(f"class names must differ, but {_list(twice)} come twice. Rename them.")


def class_names_of(samples: Samples) -> tuple[str, ...] | None:
    """What the labels of samples are called, if their source names them; None if labels are the numbers themselves."""
    names: tuple[str, ...] | None = getattr(samples, "class_names", None)
    return names


def read_class_names(text: str) -> tuple[str, ...]:
    """Names between commas, or one per line of a text file, in the order of the network's outputs.

    Raises:
        OptionError: The file is not UTF-8 text, or a name is empty or stands twice.

    Example:
        >>> read_class_names("cat, dog")
        ('cat', 'dog')
    """
    names = [name.strip() for name in _read_lines(text)]
    if not all(names):
        raise OptionError(f"every class must have a name, but number {names.index('')} of {text!r} is empty. Name it.")
    return Classes(count=len(names), names=tuple(names)).names or ()


def _read_lines(text: str) -> list[str]:
    try:
        if not Path(text).is_file():
            return text.split(",")
        return Path(text).read_text(encoding="utf-8-sig").rstrip().split("\n")
    except (OSError, ValueError) as error:  # also a text too long to be the name of a file
        if "," in text:
            return text.split(",")
        raise OptionError(
            f"class names must stand in UTF-8 text, one per line, but: {error}. Rewrite {text}."
        ) from error


def settle_labels(
    samples: Samples, classes: Classes, where: str, *, warn: Callable[[str], None] | None = None, strict: bool = True
) -> Samples:
    """The same samples with labels that are the network's own class numbers, or without labels.

    Named labels are mapped by name. If nobody said what the outputs are called, the names of the samples are taken for
    them if there are as many; whole numbers are their own names.

    Args:
        samples: What a data reference gave.
        classes: What the network tells apart.
        where: Names the samples in a sentence.
        warn: Is told why labels cannot be used; without it that is an error.
        strict: Refuse names of which only some are unknown even if there is someone to warn.

    Raises:
        DataError: Labels cannot be used, and there is nobody to warn, or only some names are unknown.
    """
    if samples.labels is None:
        return samples
    names = class_names_of(samples)
    try:
        if names is None:
            check_numbers(samples.labels, classes.count)
            return samples
        numbers = number_names(names, classes)
    except DataError as error:
        some = names is not None and classes.names is not None and len(_unknown(names, classes.names)) < len(names)
        if warn is None or (some and strict):
            raise DataError(f"{where}: {error}") from error
        warn(f"the labels of {where} are not used: {error}")
        return relabel(samples, None, None)
    return relabel(samples, numbers[samples.labels], classes.names or _in_order(names, numbers, classes.count))


def relabel(samples: Samples, labels: NDArray[np.int64] | None, names: tuple[str, ...] | None) -> Samples:
    """The same samples with other labels, or none."""
    if isinstance(samples, ArraySamples | PictureSamples):
        return replace(samples, labels=labels, class_names=names)
    raise TypeError(f"{type(samples).__name__} has no labels to change")


def number_names(found: Sequence[str], classes: Classes) -> NDArray[np.int64]:
    """The network's class number of each name.

    Raises:
        DataError: A name is unknown, or nobody says which class it is.

    Example:
        >>> number_names(["dog"], Classes(count=2, names=("cat", "dog"))).tolist()
        [1]
    """
    if classes.names is not None:
        unknown = _unknown(found, classes.names)
        if unknown:
            raise DataError(
                f"classes must be among those of the network, but {_list(unknown)} "
                f"{'is' if len(unknown) == 1 else 'are'} not. {suggest(unknown[0], classes.names)}"
            )
        return np.array([find_class(name, classes.names) for name in found], np.int64)
    if all(re.fullmatch(r"[0-9]+", name) for name in found):
        return _number_digits(found, classes.count)
    if len(found) != classes.count:
        raise DataError(
            f"the network tells {classes.count} classes apart, but {len(found)} are here ({_list(sorted(found))}), and "
            "nobody says which. Name all by class_names of optimize.",
            about=["class_names"],
        )
    return np.arange(len(found))


def _number_digits(found: Sequence[str], count: int) -> NDArray[np.int64]:
    """Folders called 3 or 007 are classes 3 and 7, unless who sorts such names as text would number them otherwise."""
    numbers = [int(name) for name in found]
    width = len(found[0]) if len({*map(len, found)}) == 1 else 1
    every = [f"{at:0{width}}" for at in range(count)]
    if max(numbers) >= count or len(set(numbers)) < len(found) or sorted(every) != every:
        raise DataError(
            f"classes named by numbers must be 0 to {count - 1} in text order too, but {_list(sorted(found))} "
            "can be read in two ways. Name all by class_names of optimize.",
            about=["class_names"],
        )
    return np.array(numbers, np.int64)


def _in_order(names: Sequence[str], numbers: NDArray[np.int64], count: int) -> tuple[str, ...] | None:
    """All names by number, if all are there."""
    by_number = dict(zip(numbers.tolist(), names, strict=True))
    return tuple(by_number[at] for at in range(count)) if len(by_number) == count else None


def _unknown(found: Sequence[str], known: Sequence[str]) -> list[str]:
    return [name for name in found if find_class(name, known) is None]


def find_class(name: str, known: Sequence[str]) -> int | None:
    """Where a name stands; spaces around it, the form of its accents and, if that is clear, its case do not matter."""
    for form in (str, plain, lambda text: plain(text).casefold()):
        same = [at for at, one in enumerate(known) if form(one) == form(name)]
        if len(same) == 1:
            return same[0]
    return None


def plain(name: str) -> str:
    """A name without spaces around it, with accents in one form: folders from a Mac have them in another."""
    return unicodedata.normalize("NFC", name.strip())


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(repr(name) for name in names[:SHOWN]) + more


def check_numbers(labels: NDArray[np.int64], count: int, *, named: bool = False) -> None:
    """Refuse numbers that are no classes, or that look like a column nobody filled in: all the same, without a name.

    Raises:
        DataError: So they are.
    """
    if not len(labels):
        return
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= count:
        raise DataError(
            f"labels must lie in 0 .. {count - 1}, but run from {low} to {high}. "
            "Renumber them or take a network with more classes."
        )
    if low == high and len(labels) > 1 and not named:
        raise DataError(f"labels must name two classes at least, but all {len(labels)} are {low}. Add other classes.")
