"""Which samples leave where: shares by class, and the easiest and hardest of each exit as pictures.

Shape letters: C channels, H W space, S samples.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from offramp.measure import Evidence, exits_taken
from offramp.run import Samples

SHOWN = 8  # samples per row
SIZE = 72  # pixels of the longer side


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One sample on the page.

    Attributes:
        picture: A data URI, or None if it is no picture.
        caption: What was answered, and what would have been right.
        text: Of samples that are no pictures.
        wrong: Whether the answer differs from the network's.
    """

    picture: str | None
    caption: str
    text: str
    wrong: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitRow:
    """The samples that leave at an exit.

    Attributes:
        name: "exit 0" or "final".
        count: How many leave here.
        easiest: The surest of them, by this exit's score; for the final exit by that of the last gate.
        hardest: The least sure.
    """

    name: str
    count: int
    easiest: tuple[Shown, ...]
    hardest: tuple[Shown, ...]


def shares_by_class(
    evidence: Evidence, thresholds: Sequence[float], score: str, names: Sequence[str] | None = None
) -> tuple[NDArray[np.float64], list[str]]:
    """[classes, exits] shares of each class, by label or else by the network's answer, and the classes' names.

    Args:
        evidence: Of samples.
        thresholds: The chosen ones.
        score: Name of the score that the gates compare.
        names: What all classes are called; their numbers if None.
    """
    taken = exits_taken(evidence, thresholds, score)
    classes = evidence.reference if evidence.labels is None else evidence.labels
    present = np.unique(classes)
    shares = [np.bincount(taken[classes == one], minlength=evidence.exits) / (classes == one).sum() for one in present]
    return np.stack(shares), [call_class(int(one), names) for one in present]


def find_rows(
    evidence: Evidence, samples: Samples, thresholds: Sequence[float], score: str, names: Sequence[str] | None = None
) -> list[ExitRow]:
    """The easiest and hardest samples of each exit.

    Args:
        evidence: Of these samples, in the same order.
        samples: What is shown.
        thresholds: The chosen ones.
        score: Name of the score that the gates compare.
        names: What the classes are called; their numbers if None.
    """
    taken = exits_taken(evidence, thresholds, score)
    sureness = evidence.scores[score] * (1 if evidence.gates[score].direction == "higher" else -1)
    rows = []
    for at in range(evidence.exits):
        here = np.flatnonzero(taken == at)
        ordered = here[np.argsort(-sureness[here, min(at, evidence.exits - 2)], kind="stable")]
        hard = ordered[SHOWN:][-SHOWN:][::-1]
        rows.append(
            ExitRow(
                name="final" if at == evidence.exits - 1 else f"exit {at}",
                count=len(here),
                easiest=tuple(_show(evidence, samples, (int(one), at), names) for one in ordered[:SHOWN]),
                hardest=tuple(_show(evidence, samples, (int(one), at), names) for one in hard),
            )
        )
    return rows


def call_class(number: int, names: Sequence[str] | None) -> str:
    """What a class is called: its name, or its number."""
    return str(number) if names is None else names[number]


def _show(evidence: Evidence, samples: Samples, place: tuple[int, int], names: Sequence[str] | None) -> Shown:
    position, exit = place
    answer, reference = int(evidence.predictions[position, exit]), int(evidence.reference[position])
    truth = None if evidence.labels is None else int(evidence.labels[position])
    said, true = call_class(answer, names), None if truth is None else call_class(truth, names)
    return show(samples, position, answer=said, truth=true, wrong=answer != reference)


def show(samples: Samples, position: int, *, answer: int | str, truth: int | str | None, wrong: bool) -> Shown:
    """One sample as it stands on the page.

    Args:
        samples: Among which it is.
        position: Of it.
        answer: The class that was answered.
        truth: The true one, or None.
        wrong: Whether it is marked.
    """
    array = next(iter(samples.take([position]).values()))[0]
    return Shown(
        picture=as_picture(array),
        caption=f"says {answer}" + ("" if truth is None else f", is {truth}"),
        text=_as_text(array, str(samples.ids[position])),
        wrong=wrong,
    )


def as_picture(array: NDArray[Any]) -> str | None:  # Any: pixels or tokens
    """A PNG as data URI of pixels [C, H, W] in [0, 1]; None for anything else."""
    if array.ndim != 3 or array.shape[0] not in (1, 3) or not np.issubdtype(array.dtype, np.floating):
        return None
    pixels = np.rint(np.clip(array, 0, 1) * 255).astype(np.uint8)
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    scale = SIZE / max(image.size)
    resample = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
    image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), resample)
    target = io.BytesIO()
    image.save(target, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(target.getvalue()).decode()


def _as_text(array: NDArray[Any], name: str) -> str:  # Any: tokens or features
    """The name of the sample and its first numbers."""
    values = " ".join(f"{value:g}" for value in array.ravel()[:8])
    return f"{name}: {values} ..."
