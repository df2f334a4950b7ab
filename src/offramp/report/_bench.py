"""What a bench found: time per call beside the network alone, and with nobody leaving."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from offramp.store.record import BatchRecord, BenchRecord

from ._gain import describe_gain
from ._table import milliseconds, shares

COLUMNS = ("batch", "ours ms", "p50", "p95", "alone ms", "gain", "nobody leaves ms", "ratio", "Exit %")


def print_times(found: BenchRecord, console: Console) -> None:
    """Print the times as a table on a console, and what they allow to say."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name in COLUMNS:
        table.add_column(name, justify="right", no_wrap=True)
    for batch, row in found.batches.items():
        table.add_row(str(batch), *_cells(row))
    console.print(table)
    for line in (*_describe_floats(found), _describe_setting(found)):
        console.print(line, markup=False, soft_wrap=True)


def _cells(row: BatchRecord) -> tuple[str, ...]:
    ours = [milliseconds(seconds) for seconds in (row.ours.mean, row.ours.p50, row.ours.p95)]
    alone = "-" if row.alone is None else milliseconds(row.alone.mean)
    return (
        *ours, alone, _ratio(row.gain, row.gain_interval), milliseconds(row.nobody_leaves.mean),
        _ratio(row.ratio, row.ratio_interval), shares(row.exit_rates),
    )  # fmt: skip


def _describe_floats(found: BenchRecord) -> Iterator[str]:
    """What is gained over the network alone in f32, if that was timed beside another precision."""
    timed = {batch: row for batch, row in found.batches.items() if row.floating is not None}
    for batch, row in timed.items():
        assert row.floating is not None, "so they were chosen"
        gain = _ratio(row.gain_to_float, row.gain_to_float_interval)
        yield f"the network alone in f32 takes {milliseconds(row.floating.mean)} ms at batch {batch}: gain {gain}"
    if found.precision == "int8" and not timed:
        yield "the file holds the network in 8 bits only, so that in f32 it is not timed"


def _describe_setting(found: BenchRecord) -> str:
    """Where and with what, and how to read the ratios."""
    threads = "1 thread" if found.threads == 1 else f"{found.threads} threads"
    return (
        f"{found.engine} {found.precision}, {threads}, {found.samples:,} samples, "
        f"{found.machine.cpu}; ratios with 95 % intervals: one that holds 1 is no difference"
        f"{'; written to the folder' if found.applied else ''}"
    )


def _ratio(ratio: float | None, interval: tuple[float, float] | None) -> str:
    return "-" if ratio is None else describe_gain(ratio, interval)
