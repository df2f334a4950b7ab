"""The model card that lies beside the file: what it is, what was promised, and how to run it without offramp."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

from offramp.store.record import RunRecord

from ._table import ENGINES, draw_table, percent


def model_card(result: RunRecord) -> str:
    """The card of a run as Markdown.

    Args:
        result: Of the run.
    """
    environment = Environment(  # Markdown, and nothing in it comes from strangers
        loader=PackageLoader("offramp.report", "."), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True,
    )  # fmt: skip
    environment.filters["percent"] = percent
    return environment.get_template("model_card.md.j2").render(
        result=result, table=draw_table(result), engines=ENGINES, in_8_bits=result.precision.startswith("int8")
    )
