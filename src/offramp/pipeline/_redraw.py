"""The report of a finished run, drawn again from what lies in its folder; no PyTorch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from offramp import report
from offramp.errors import GraphError, OfframpError, OutputError
from offramp.graph import from_json
from offramp.measure import Evidence
from offramp.report._drawing import draw_shipped
from offramp.run import ArraySamples, Samples

from ._samples import load_samples
from ._screen import Screen

LIGHT = ("digits", "mnist", "npz", "imagefolder")  # kinds of data that are read without PyTorch


def redraw(
    folder: Path, result: Mapping[str, Any], test: Evidence, sweep: Mapping[str, Any] | None, screen: Screen
) -> None:
    """Write `report.html` whole or not at all.

    Args:
        folder: Of the run.
        result: What the page shall say; not necessarily what `result.json` says yet.
        test: Evidence of the test samples.
        sweep: What was found by a sweep, if there was one.
        screen: Is told if the pictures of the samples cannot be found again.

    Raises:
        OutputError: The page cannot be written.
    """
    samples = find_samples(result, test)
    if samples is None:
        screen.warn("the test samples of the run are not found again, so the report shows none of them.")
    scratch = folder / ".report.html.partial"
    try:
        report.html(result, scratch, drawing=_drawing(folder), evidence=test, samples=samples, sweep=sweep)
        scratch.replace(folder / "report.html")
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{folder} must be writable, but: {error.strerror}. Change its rights.") from error
    finally:
        with suppress(OSError):
            scratch.unlink()


def find_samples(result: Mapping[str, Any], test: Evidence) -> Samples | None:  # Any: JSON
    """The samples of this evidence, in its order, from where the run had them; None if they are not all there."""
    options, model = result["options"], result["model"]
    held_out = options["held_out"]
    reference, splits = (options["data"], ("train", "test")) if held_out is None else (held_out, ("test",))
    if reference.partition(":")[0].partition("@")[0] not in LIGHT:
        return None
    shapes = {name: tuple(shape) for name, shape in model["inputs"].items()}
    found = []
    for split in splits:
        try:
            samples = load_samples(reference, shapes, model["classes"], split=split, warn=_say_nothing)
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
