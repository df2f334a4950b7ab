"""The grammar of data references."""

from __future__ import annotations

import pytest

from offramp.data._reference import Reference, parse
from offramp.errors import UnknownReference


@pytest.mark.parametrize(
    ("text", "kind", "place", "part"),
    [
        ("digits", "digits", "", None),
        ("digits@train", "digits", "", "train"),
        ("npz:a.npz", "npz", "a.npz", None),
        ("npz:a.npz@test", "npz", "a.npz", "test"),
        ("npz:home@me/a.npz", "npz", "home@me/a.npz", None),
        ("npz:a@b.npz@val", "npz", "a@b.npz", "val"),
        ("torchvision:CIFAR10:/data@test", "torchvision", "CIFAR10:/data", "test"),
        (r"imagefolder:C:\pictures", "imagefolder", r"C:\pictures", None),
    ],
)
def test_a_reference_is_kind_place_and_part(text: str, kind: str, place: str, part: str | None) -> None:
    assert parse(text) == Reference(kind=kind, place=place, part=part)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("digts", "Did you mean 'digits'"),
        ("imgfolder:x", "Did you mean 'imagefolder'"),
        ("zzz", "Check the spelling"),
        ("digits@tst", "Did you mean 'test'"),
        ("npz", "npz:FILE"),
        ("npz:", "npz:FILE"),
        ("npy", "npy:FILE"),
        ("digits:here", "digits"),
    ],
)
def test_what_names_nothing_is_refused_with_the_nearest_name(text: str, said: str) -> None:
    with pytest.raises(UnknownReference, match=said):
        parse(text)
