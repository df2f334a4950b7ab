"""A D2NN as a text: one line per node, with what it reads, its layers and the nodes that it opens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from offramp.errors import OptionError
from offramp.nn import Join

DUMMY = "dummy"

_NAME = r"[A-Za-z]\w*(?:/\w+)*"
_LINE = re.compile(rf"\s*(?P<name>{_NAME})\s*:(?P<rest>.*)")
_READ = re.compile(rf"(?P<name>{_NAME})(?:\s*=\s*(?P<fill>-?\d+(?:\.\d+)?))?")
_JOINS: dict[str, Join | Literal["first"]] = {"or": "first", "+": "sum", ",": "concat"}
_FORM = "name: reads | layers -> targets"


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A data edge.

    Attributes:
        name: Name of the node that is read.
        fill: Default value where that node did not run; None if there is none.
    """

    name: str
    fill: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One node of the text.

    Attributes:
        name: Name of the node.
        reads: What it reads, in order.
        join: How several tensors that are read are joined; "first" makes a select node.
        layers: The layers, as `nn.build_layers` reads them.
        targets: Names of the nodes that it opens; "dummy" for one that does nothing. Empty if it is no control node.
    """

    name: str
    reads: tuple[Read, ...]
    join: Join | Literal["first"]
    layers: str = ""
    targets: tuple[str, ...] = ()


def parse_lines(table: str) -> tuple[Line, ...]:
    """The nodes that a text names, in its order.

    A line that begins without a name and a colon goes on with the layers of the one before it.

    Args:
        table: The text, one node per line.

    Returns:
        One entry per node.

    Raises:
        OptionError: A line that is written in another way.

    Example:
        >>> [line.name for line in parse_lines("q1: n1 | fc 8 | relu -> n2, dummy")]
        ['q1']
    """
    return tuple(_parse(name, rest) for name, rest in _whole_lines(table))


def _whole_lines(table: str) -> Iterator[tuple[str, str]]:
    name, rest = "", ""
    for text in filter(str.strip, table.splitlines()):
        found = _LINE.fullmatch(text)
        if found is None and not name:
            raise OptionError(f"a node is written like '{_FORM}', but got {text.strip()!r}. Begin with its name.")
        if found is None:
            rest = f"{rest} | {text}"
            continue
        if name:
            yield name, rest
        name, rest = found["name"], found["rest"]
    if not name:
        raise OptionError(f"a D2NN has at least one node, but the text is empty. Write '{_FORM}'.")
    yield name, rest


def _parse(name: str, rest: str) -> Line:
    body, arrow, opened = rest.partition("->")
    given, _, layers = body.partition("|")
    targets = tuple(target.strip() for target in opened.split(",")) if arrow else ()
    wrong = [target for target in targets if not re.fullmatch(_NAME, target)]
    if wrong or name == DUMMY:
        raise OptionError(
            f"control edges are written like '-> n2, n3' or '-> n2, dummy', and no other node is called dummy, but "
            f"{name!r} is written {rest.strip()!r}."
        )
    reads, join = _parse_reads(name, given.strip())
    if join == "first" and (layers.strip() or targets):
        raise OptionError(f"a select has no layers and no control edges, but {name!r} has. Put them on a next line.")
    return Line(name=name, reads=reads, join=join, layers=layers, targets=targets)


def _parse_reads(name: str, text: str) -> tuple[tuple[Read, ...], Join | Literal["first"]]:
    sign = next((sign for sign in _JOINS if re.search(_split(sign), text)), ",")
    parts = [(part, _READ.fullmatch(part)) for part in re.split(_split(sign), text)]
    wrong = [part for part, found in parts if found is None]
    if wrong:
        raise OptionError(
            f"what a node reads is written like 'n1', 'n2=0 + n3=0' (their sum, 0 where one did not run), 'n2, n3' or "
            f"'n2 or n3' (the first that ran), but {name!r} reads {text!r}."
        )
    reads = tuple(
        Read(name=found["name"], fill=None if found["fill"] is None else float(found["fill"]))
        for _, found in parts
        if found is not None
    )
    return reads, _JOINS[sign]


def _split(sign: str) -> str:
    return r"\s+or\s+" if sign == "or" else rf"\s*{re.escape(sign)}\s*"
