"""The grammar of data references: KIND[:PLACE][@PART]."""

from __future__ import annotations

from dataclasses import dataclass

from offramp.errors import UnknownReference, suggest

PARTS = ("train", "val", "test")
FORMS = {
    "digits": "digits",
    "mnist": "mnist:DIR",
    "npz": "npz:FILE",
    "npy": "npy:FILE",
    "imagefolder": "imagefolder:DIR",
    "torchvision": "torchvision:NAME:DIR",
    "tsv": "tsv:FILE",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A data reference, taken apart.

    Attributes:
        kind: One of `FORMS`.
        place: What stands behind the colon, or "".
        part: "train", "val" or "test" if the reference says so.
    """

    kind: str
    place: str
    part: str | None


def parse(text: str) -> Reference:
    """Take a data reference apart.

    Raises:
        UnknownReference: No such kind or part, or the place is missing.

    Example:
        >>> parse("npz:pictures.npz@test")
        Reference(kind='npz', place='pictures.npz', part='test')
    """
    body, part = _cut_part(text)
    kind, _, place = body.partition(":")
    if kind not in FORMS:
        raise UnknownReference(
            f"a data reference must be one of {', '.join(FORMS.values())}, but is {text!r}. {suggest(kind, FORMS)}"
        )
    if bool(place) != (":" in FORMS[kind]):
        raise UnknownReference(f"{kind} data must be named as {FORMS[kind]}[@PART], but is {text!r}. Rewrite it.")
    return Reference(kind=kind, place=place, part=part)


def _cut_part(text: str) -> tuple[str, str | None]:
    body, at, part = text.rpartition("@")
    if not at or "/" in part or "." in part:  # no part, or an @ inside a path
        return text, None
    if part not in PARTS:
        raise UnknownReference(
            f"the part behind @ must be one of {', '.join(PARTS)}, but is {part!r} in {text!r}. {suggest(part, PARTS)}"
        )
    return body, part
