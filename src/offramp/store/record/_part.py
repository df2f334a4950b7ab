"""What all parts of a record have in common: they cannot change, and say in a sentence what is wrong with a text."""

from __future__ import annotations

import math
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from offramp.errors import DataError


class Part(BaseModel):
    """A part of a record: frozen, refuses names that it does not know, and holds finite numbers only."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


AnyPart = TypeVar("AnyPart", bound=Part)


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


Known = Annotated[float | None, BeforeValidator(_finite)]  # None if nobody knows it, or if it is not finite
ByBatch = dict[int, float]  # samples per call -> a number
IntervalsByBatch = dict[int, tuple[float, float]]  # samples per call -> lower and upper limit


def to_json(part: Part, *, indent: int | None = 1) -> str:
    """The text of a record, as it is written to `result.json` and printed with `--json`.

    Args:
        part: A record, or a part of one.
        indent: Spaces by level; None writes one line.

    Returns:
        JSON without NaN or infinities; all names are there, and what is not known is null.
    """
    return part.model_dump_json(by_alias=True, indent=indent)


def parse(kind: type[AnyPart], text: str, where: str) -> AnyPart:
    """A record from its text.

    Args:
        kind: Which record the text is of.
        text: JSON.
        where: Names the text in the sentence of an error.

    Returns:
        The record; `to_json` of it gives the same data again.

    Raises:
        DataError: A name is missing or unknown, or a value is not of its type; the first of them is named.
    """
    try:
        return kind.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise DataError(
            f"{where} must be written by this version, but {_explain(error)}. Run `offramp optimize` again."
        ) from error


def _explain(error: ValidationError) -> str:
    """The first thing that is wrong, with the name of its field as one would index it."""
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    name = ".".join(map(str, first["loc"])) or "it"
    if first["type"] == "missing":
        return f"'{name}' is missing"
    if first["type"] == "extra_forbidden":
        return f"'{name}' is unknown"
    return f"'{name}' is broken: {first['msg'][0].lower()}{first['msg'][1:]}"
