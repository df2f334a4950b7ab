"""Write docs/reference/record.md anew: what `result.json` and `--json` hold, as their types say it.

`python tools/record_reference.py`; a test compares the page with the types.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from offramp.store.record import BenchRecord, CheckRecord, Part, RunRecord, SweepRecord

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "record.md"
TOP = {
    RunRecord: "`result.json`",
    SweepRecord: "`offramp sweep --json`",
    CheckRecord: "`offramp check --json`",
    BenchRecord: "`offramp bench --json`",
}
PLAIN: dict[Any, str] = {float: "number", int: "whole number", str: "text", bool: "true or false", Any: "anything"}
HEAD = """# What a record holds

`result.json` is the text of a `RunRecord`; `run.record` of `offramp.load(FOLDER)` is the record itself, typed. What
the commands after a run print with `--json`, and the methods of a run give, are the other three. All names are always
there: what is not known, or does not apply, is `null`, and a table of what was not measured is empty. Numbers are never
NaN or infinite. `schema` is the version of the record: it rises when a name changes its meaning or goes. Records
without it, from before it was introduced, are still read.

This page is made by `tools/record_reference.py` from `offramp.store.record`.
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The whole page as Markdown."""
    sections = [f"{HEAD}"]
    for kind in ordered():
        where = f"The text of {TOP[kind]}. " if kind in TOP else ""
        sections.append(f"## {kind.__name__}\n\n{where}{first_words(kind)}\n\n{table(kind)}")
    return "\n".join(sections)


def ordered() -> list[type[Part]]:
    """All kinds of parts, those at the top first, each other where it is first named."""
    found: list[type[Part]] = list(TOP)
    for kind in found:  # it grows while we go through it
        new = [part for field in kind.model_fields.values() for part in parts_of(field.annotation)]
        found += [part for part in dict.fromkeys(new) if part not in found]
    return found


def parts_of(hint: Any) -> Iterator[type[Part]]:
    """The parts that a type names."""
    if inspect.isclass(hint) and issubclass(hint, Part):
        yield hint
    for one in typing.get_args(hint):
        yield from parts_of(one)


def first_words(kind: type[Part]) -> str:
    """The docstring without its list of attributes."""
    return inspect.cleandoc(kind.__doc__ or "").partition("\n\nAttributes:")[0]


def table(kind: type[Part]) -> str:
    """Name, type and meaning of each field."""
    told = {name: text for parent in reversed(kind.__mro__) for name, text in attributes(parent).items()}
    rows = [
        f"| `{field.alias or name}` | {say(field.annotation)} | {told[name]} |"
        for name, field in kind.model_fields.items()
    ]
    return "\n".join(["| name | type | meaning |", "|---|---|---|", *rows, ""])


def attributes(kind: type) -> dict[str, str]:
    """Name of an attribute -> what the docstring says of it."""
    _, _, told = inspect.cleandoc(kind.__doc__ or "").partition("\n\nAttributes:\n")
    entries = re.findall(r"^    (\w+): (.*?)(?=^    \w|\Z)", told.partition("\n\n")[0] + "\n", re.MULTILINE | re.DOTALL)
    return {name: " ".join(text.split()) for name, text in entries}


def say(hint: Any) -> str:
    """A type in words."""
    origin, of = typing.get_origin(hint), typing.get_args(hint)
    if hint in PLAIN:
        return PLAIN[hint]
    if origin is typing.Annotated:
        return say(of[0])
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in of)
    if origin in (typing.Union, types.UnionType):
        return f"{' or '.join(say(one) for one in of if one is not type(None))} or null"
    if origin is tuple:
        many = f"{say(of[0])}s" if of[0] in (float, int, str) else say(of[0])
        return f"list of {many}" if of[-1] is Ellipsis else f"list of {len(of)} {many}"
    if origin is dict:
        return f"{say(of[0])} → {say(of[1])}"
    return f"[{hint.__name__}](#{hint.__name__.lower()})"


if __name__ == "__main__":
    main()
