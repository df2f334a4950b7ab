"""The report of a finished run, drawn again from what lies in its folder; no PyTorch."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np

from offramp import report
from offramp.errors import GraphError, OfframpError, OutputError
from offramp.graph import from_json
from offramp.measure import Evidence
from offramp.report._drawing import draw_shipped
from offramp.run import ArraySamples, Samples
from offramp.store.record import RunRecord, SweepRecord

from ._samples import load_samples
from ._screen import Screen

LIGHT = ("digits", "mnist", "npz", "imagefolder")  # kinds of data that are read without PyTorch


def redraw(folder: Path, record: RunRecord, test: Evidence, sweep: SweepRecord | None, screen: Screen) -> None:
    """Write `report.html` of a folder whole or not at all; arguments as for `draw_report`."""
    draw_report(folder / "report.html", folder, record, test, sweep, screen)


def draw_report(
    path: Path, folder: Path, record: RunRecord, test: Evidence, sweep: SweepRecord | None, screen: Screen
) -> None:
    """Write the page of a run whole or not at all.

    Args:
        path: Of the page.
        folder: Of the run, where its graph is drawn from.
        record: What the page shall say; not necessarily what `result.json` says yet.
        test: Evidence of the test samples.
        sweep: What was found by a sweep, if there was one.
        screen: Is told if the pictures of the samples cannot be found again.

    Raises:
        OutputError: The page cannot be written.
    """
    samples = find_samples(record, test)
    if samples is None:
        screen.warn("the test samples of the run are not found again, so the report shows none of them.")
    scratch = path.with_name(f".{path.name}.partial")
    try:
        report.html(record, scratch, drawing=_drawing(folder), evidence=test, samples=samples, sweep=sweep)
        scratch.replace(path)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{path.parent} must be writable, but: {error.strerror}. Change its rights.") from error
    finally:
        with suppress(OSError):
            scratch.unlink()


def find_samples(record: RunRecord, test: Evidence) -> Samples | None:
    """The samples of this evidence, in its order, from where the run had them; None if they are not all there."""
    options, model = record.options, record.model
    reference, splits = options.samples, ("train", "test") if options.held_out is None else ("test",)
    if reference.partition(":")[0].partition("@")[0] not in LIGHT:
        return None
    found = []
    for split in splits:
        try:
            samples = load_samples(reference, model.inputs, model.classes, split=split, warn=_say_nothing)
        except OfframpError:
            continue
        _, here, there = np.intersect1d(samples.ids, test.ids, return_indices=True)
        if len(here) == len(test):
            return samples.subset(here[np.argsort(there)])
        found.append(samples.subset(here))
    return _join(found, test)


def _join(found: list[Samples], test: Evidence) -> Samples | None:
    """Samples of several parts as one set in the order of the evidence, if that is complete."""
    ids = np.concatenate([part.ids for part in found]) if found else np.zeros(0, np.str_)
    if not np.array_equal(np.sort(ids), np.sort(test.ids)):
        return None
    taken = [part.take(slice(None)) for part in found]
    joined = ArraySamples(
        inputs={name: np.concatenate([one[name] for one in taken]) for name in taken[0]}, ids=ids, labels=None
    )
    place = {name: at for at, name in enumerate(ids.tolist())}
    return joined.subset([place[name] for name in test.ids.tolist()])


def _say_nothing(text: str) -> None:
    """Labels are those of the evidence; what the source thinks of them was said when that was made."""


def _drawing(folder: Path) -> str | None:
    try:
        return draw_shipped(from_json(json.loads((folder / "config.json").read_text(encoding="utf-8"))["graph"]))
    except (OSError, ValueError, KeyError, GraphError):
        return None
