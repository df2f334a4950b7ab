"""The folder of a finished run, read without PyTorch: its record, its evidence and what its exits cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from offramp.decide import Target
from offramp.errors import DataError, OptionError
from offramp.measure import Costs, Evidence
from offramp.store._folder import repair
from offramp.store.record import RunRecord, read_run

from ._search import Search

PARTS = ("tune", "calibrate", "test")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opened:
    """A finished run as its folder held it when it was read.

    Attributes:
        folder: That `offramp optimize` wrote.
        text: What `result.json` said, by which one sees whether it was changed since.
        record: The same, typed.
        parts: Evidence by part: tune, calibrate, test.
    """

    folder: Path
    text: str
    record: RunRecord
    parts: dict[str, Evidence]

    @property
    def costs(self) -> Costs:
        """Multiply-accumulates by exit."""
        return Costs(per_exit=np.array(self.record.exit_macs), baseline=self.record.baseline.macs, unit="macs")

    @property
    def clock(self) -> Costs | None:
        """Seconds by exit, if the point was chosen by time."""
        told = self.record.clock
        return None if told is None else Costs(per_exit=np.array(told.exit_s), baseline=told.baseline_s, unit="seconds")

    @property
    def goal(self) -> Target:
        """What the file's point was chosen by."""
        return Target.from_json(self.record.goal.model_dump())

    @property
    def search(self) -> Search:
        """How the file's curve was drawn."""
        return Search(**self.record.search.model_dump())


def open_run(folder: Path) -> Opened:
    """Read the folder of a finished run.

    Args:
        folder: That `offramp optimize` wrote; a result that an interrupted command left beside it is put back first.

    Raises:
        DataError: The folder lacks a file, or the record is broken.
        EvidenceError: The evidence is broken.
    """
    repair(folder)
    missing = [name for name in ("model.onnx", "result.json", "evidence.npz") if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"{folder} must hold {', '.join(missing)}, but does not. Name a folder that `offramp optimize` wrote."
        )
    text = text_of(folder)
    record = read_run(text, str(folder / "result.json"))
    seen = Evidence.load(folder / "evidence.npz")
    counts = [getattr(record.samples, name) for name in PARTS]
    if len(seen) != sum(counts):
        raise DataError(
            f"{folder} must hold evidence of {sum(counts)} samples, but holds {len(seen)}. "
            "Run `offramp optimize` again."
        )
    opened = Opened(folder=folder, text=text, record=record, parts=part(seen, counts))
    _check_numbers(opened)
    return opened


def text_of(folder: Path) -> str:
    """What `result.json` of a folder says.

    Raises:
        DataError: It cannot be read.
    """
    path = folder / "result.json"
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} must be written by this version, but cannot be read. Run `offramp optimize` again."
        ) from error


def _check_numbers(opened: Opened) -> None:
    """Refuse numbers that fit their types and yet cannot be."""
    try:
        _ = opened.costs, opened.clock, opened.goal, opened.search
    except OptionError as error:
        raise DataError(f"{opened.folder / 'result.json'} must be written by this version, but: {error}") from error


def check_exits(opened: Opened) -> None:
    """Refuse a run that kept no early exit, where there is nothing to look after.

    Raises:
        DataError: So it is.
    """
    if not opened.record.chosen.thresholds:
        raise DataError(
            f"{opened.folder} must hold a network with early exits, but no exit paid there: it answers as the original "
            "always did, whatever the samples. Leave it."
        )


def part(seen: Evidence, counts: Sequence[int]) -> dict[str, Evidence]:
    """Evidence of tune, calibrate and test, which lie in it one after the other."""
    ends = np.cumsum(counts)
    return {name: seen.subset(slice(end - count, end)) for name, count, end in zip(PARTS, counts, ends, strict=True)}
