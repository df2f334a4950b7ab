"""Another point, or other times, put in every file of a run's folder, all at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from offramp import report
from offramp.measure import Evidence
from offramp.store._folder import copy_folder, replace_text
from offramp.store.record import RunRecord, SweepRecord, to_json

from ._card import write_card
from ._opened import Opened
from ._redraw import redraw
from ._screen import Screen
from ._times import show_times


def apply_choice(
    opened: Opened, found: SweepRecord, screen: Screen, *, evidence: Evidence | None = None, to: Path | None = None
) -> RunRecord:
    """Put the thresholds and the promise in every file of the folder, all at once.

    Args:
        opened: What the folder holds, or is to hold.
        found: The choice.
        screen: Is told if the pictures of the samples cannot be found again.
        evidence: On which the choice was made, if it is not that of the folder.
        to: Another folder, if the run's shall stay as it is.

    Returns:
        The new record.

    Raises:
        OutputError: The folder cannot be written.
    """
    record = _with_choice(opened.record, found)

    def change(whole: Path) -> None:
        promise = None if found.guarantee is None else found.guarantee.model_dump(mode="json")
        write_card(whole / "model.onnx", {"thresholds": list(found.chosen.thresholds), "guarantee": promise})
        _replace_thresholds(whole / "config.json", found.chosen.thresholds)
        if evidence is not None:
            evidence.save(whole / "evidence.npz")
        replace_result(whole, record)
        redraw(whole, record, opened.parts["test"], found, screen)

    change_folder(opened.folder, change, to=to)
    return record


def apply_times(opened: Opened, record: RunRecord, screen: Screen) -> None:
    """Put a record that differs by its times in result, model card and report of the folder, all at once.

    Args:
        opened: What the folder holds.
        record: The new one.
        screen: Is told if the pictures of the samples cannot be found again.

    Raises:
        OutputError: The folder cannot be written.
    """

    def change(whole: Path) -> None:
        replace_result(whole, record)
        redraw(whole, record, opened.parts["test"], None, screen)

    change_folder(opened.folder, change)


def change_folder(folder: Path, change: Callable[[Path], None], *, to: Path | None = None) -> None:
    """Change a copy of a folder and put it in its place, or in another; what fails leaves everything as it was.

    Args:
        folder: Of a run.
        change: Is given the copy.
        to: The other place.

    Raises:
        OutputError: The place cannot be written.
    """
    work = copy_folder(folder, to)
    try:
        change(work.whole)
        work.finish()
    finally:
        work.abandon()


def replace_result(folder: Path, record: RunRecord) -> None:
    """Write the record and the model card that is made of it anew.

    Raises:
        OutputError: The folder cannot be written.
    """
    replace_text(folder / "result.json", to_json(record))
    replace_text(folder / "README.md", report.model_card(record))


def _replace_thresholds(config: Path, thresholds: tuple[float, ...]) -> None:
    if config.is_file():
        told = {**json.loads(config.read_text(encoding="utf-8")), "thresholds": list(thresholds)}
        replace_text(config, json.dumps(told, indent=1, allow_nan=False))


def _with_choice(record: RunRecord, found: SweepRecord) -> RunRecord:
    """The record with another point, and the times that belong to it; others are kept with theirs."""
    point = {name: getattr(found.chosen, name) for name in type(found.chosen).model_fields}
    changed = record.model_copy(
        update={
            "goal": found.goal,
            "search": found.search,
            "chosen": record.chosen.model_copy(update=point),
            "guarantee": found.guarantee,
            "frontier": found.points,
            "frontier_quality": found.quality,
            "knee": found.knee,
            "applied": found.command,
        }
    )
    return report.with_verdict(show_times(changed, record.times))
