"""Records drawn at random from what their fields say."""

from __future__ import annotations

import types
import typing
from typing import Any, Literal

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from offramp.store.record import Part

FINITE = st.floats(allow_nan=False, allow_infinity=False)
PLAIN: dict[Any, SearchStrategy[Any]] = {  # Any: types, and what they hold
    float: FINITE, int: st.integers(0, 10**9), bool: st.booleans(), str: st.text(max_size=5), type(None): st.none(),
}  # fmt: skip
DEEPEST = 5  # where optional parts end, since a record may hold one of its own kind


def parts(kind: type[Part], depth: int = 0) -> SearchStrategy[Any]:
    """Any record of a kind."""
    fields = {name: values(field.annotation, depth) for name, field in kind.model_fields.items()}
    names = {name: field.alias or name for name, field in kind.model_fields.items()}
    return st.fixed_dictionaries({names[name]: fields[name] for name in fields}).map(kind.model_validate)


def values(hint: Any, depth: int) -> SearchStrategy[Any]:
    """Any value that a type allows."""
    origin, of = typing.get_origin(hint), typing.get_args(hint)
    if hint in PLAIN:
        return PLAIN[hint]
    if origin is typing.Annotated:
        return values(of[0], depth)
    if origin is Literal:
        return st.sampled_from(of)
    if origin in (typing.Union, types.UnionType):
        kept = of if depth < DEEPEST else [one for one in of if one is type(None)] or of
        return st.one_of(*(values(one, depth) for one in kept))
    if origin is tuple and of[-1] is Ellipsis:
        return st.lists(values(of[0], depth), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*(values(one, depth) for one in of))
    if origin is dict:
        return st.dictionaries(values(of[0], depth), values(of[1], depth), max_size=2)
    return st.deferred(lambda: parts(hint, depth + 1))
