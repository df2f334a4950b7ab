"""Where the module calls of a captured network begin and end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch.fx import Node

from ._trace import Call, calls_around


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Positions of the first and the last node of a module call; `inner` if other calls happen inside."""

    call: Call
    first: int
    last: int
    inner: bool


def find_spans(nodes: Sequence[Node]) -> tuple[Span, ...]:
    """The spans of all module calls, outer ones before those inside them.

    Args:
        nodes: Operations in the order in which they run.

    Returns:
        One span per call.
    """
    first: dict[Call, int] = {}
    last: dict[Call, int] = {}
    inner: set[Call] = set()
    for at, node in enumerate(nodes):
        around = calls_around(node)
        inner.update(around[:-1])
        for call in around:
            first.setdefault(call, at)
            last[call] = at
    return tuple(Span(call=call, first=first[call], last=last[call], inner=call in inner) for call in first)


def pick_name(spans: Sequence[Span]) -> str | None:
    """The name of the outermost of these modules that is more than a container.

    Args:
        spans: Calls of modules.

    Returns:
        A dotted name; None without spans.
    """
    telling = [span for span in spans if not span.call.container] or list(spans)
    return min((span.call.name for span in telling), key=lambda name: name.count("."), default=None)
