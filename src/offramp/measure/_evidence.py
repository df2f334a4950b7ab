"""Evidence: what every exit would have said about every sample, from one dense pass.

Shape letters: E exits with the final one, N = E - 1 early exits, S samples.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from offramp.errors import EvidenceError, OptionError, OutputError
from offramp.graph import Gate

Ids = NDArray[np.int64] | NDArray[np.str_]


class HasIds(Protocol):
    """Anything that remembers which samples it has seen."""

    @property
    def ids(self) -> Ids:
        """[S] one id per sample."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """Per sample and exit the prediction and every score; all decisions are made from it alone.

    Attributes:
        ids: [S] one id per sample, whole numbers or strings, each once.
        predictions: [S, E] the class that each exit would answer, in graph order, the final exit last.
        scores: Name of the score -> [S, N] what the gates would compare.
        gates: Name of the score -> its direction and extremes.
        reference: [S] the answers of the original float network.
        labels: [S] the true classes, or None.
        contents: [S] what each sample holds, as `run.digest_rows` has it; None if older evidence did not keep it.

    Raises:
        EvidenceError: Shapes disagree, an id occurs twice, or a score has no gate.
    """

    ids: Ids
    predictions: NDArray[np.int64]
    scores: Mapping[str, NDArray[np.float32]]
    gates: Mapping[str, Gate]
    reference: NDArray[np.int64]
    labels: NDArray[np.int64] | None = None
    contents: NDArray[np.uint64] | None = None

    def __post_init__(self) -> None:
        ids = np.asarray(self.ids)
        values = {
            "ids": ids if ids.dtype.kind == "U" else _whole(ids, "ids"),
            "predictions": _whole(self.predictions, "predictions"),
            "scores": {name: np.asarray(value, np.float32) for name, value in self.scores.items()},
            "reference": _whole(self.reference, "reference"),
            "labels": None if self.labels is None else _whole(self.labels, "labels"),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        _check(self)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def exits(self) -> int:
        """Number of exits with the final one."""
        return int(self.predictions.shape[1])

    def subset(self, positions: NDArray[np.integer] | NDArray[np.bool_] | slice) -> Evidence:
        """The same evidence about the samples at these positions.

        Args:
            positions: Positions of the samples to keep, a mask over all samples, or a slice.

        Returns:
            Evidence about these samples, in this order.
        """
        return replace(
            self,
            ids=self.ids[positions],
            predictions=self.predictions[positions],
            scores={name: value[positions] for name, value in self.scores.items()},
            reference=self.reference[positions],
            labels=None if self.labels is None else self.labels[positions],
            contents=None if self.contents is None else self.contents[positions],
        )

    def keep(self, exits: Sequence[int]) -> Evidence:
        """The same evidence about fewer early exits; the final one stays.

        Scores stay as they are, also those that read earlier heads, such as patience: what those would be without the
        other heads only a new pass can say.

        Args:
            exits: The early exits to keep, counted from 0, in order.

        Returns:
            Evidence with these exits and the final one.

        Raises:
            OptionError: There is no such exit, or they are not in order.
        """
        check_exits(exits, self.exits - 1)
        columns = list(exits)
        return replace(
            self,
            predictions=self.predictions[:, [*columns, -1]],
            scores={name: value[:, columns] for name, value in self.scores.items()},
        )

    def save(self, path: str | Path) -> None:
        """Writes one npz file, whole or not at all.

        Args:
            path: The file to write.

        Raises:
            OutputError: The folder cannot be written.
        """
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        arrays: dict[str, Any] = {f"scores/{name}": value for name, value in self.scores.items()}  # Any: savez's stub
        arrays |= {"ids": self.ids, "predictions": self.predictions, "reference": self.reference}
        arrays |= {"gates": np.array(json.dumps({name: asdict(gate) for name, gate in self.gates.items()}))}
        arrays |= {} if self.labels is None else {"labels": self.labels}
        arrays |= {} if self.contents is None else {"contents": self.contents}
        try:
            with temporary.open("wb") as file:
                np.savez_compressed(file, **arrays)
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise OutputError(f"{path} must be writable, but: {error}. Choose another folder.") from error

    @classmethod
    def load(cls, path: str | Path) -> Evidence:
        """Reads what `save` wrote; never unpickles anything.

        Args:
            path: A file that `save` wrote.

        Returns:
            The evidence.

        Raises:
            EvidenceError: The file is missing, broken, or holds no evidence.
        """
        try:
            # a file that NumPy opens itself stays open if the archive is cut
            with Path(path).open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            gates = {name: Gate(**gate) for name, gate in json.loads(str(arrays["gates"])).items()}
            return cls(
                ids=arrays["ids"],
                predictions=arrays["predictions"],
                scores={name.removeprefix("scores/"): a for name, a in arrays.items() if name.startswith("scores/")},
                gates=gates,
                reference=arrays["reference"],
                labels=arrays.get("labels"),
                contents=arrays.get("contents"),
            )
        except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            if isinstance(error, EvidenceError):
                raise
            raise EvidenceError(
                f"{path} must be evidence written by offramp, but: {error}. Run `offramp optimize` again."
            ) from error


def check_exits(exits: Sequence[int], count: int) -> None:
    """Refuses exits that are not among so many, or not in order.

    Raises:
        OptionError: So it is.
    """
    if list(exits) != sorted(set(exits) & set(range(count))):
        raise OptionError(f"exits must be of 0 to {count - 1}, each once and in order, but are {list(exits)}.")


def check_disjoint(*sets: HasIds) -> None:
    """Refuses sets of samples that share one, because what chose must not prove.

    Args:
        sets: Evidence, frontiers, or anything else with `ids`.

    Raises:
        EvidenceError: The same id is in two sets.
    """
    for later in range(1, len(sets)):
        for earlier in range(later):
            shared = np.intersect1d(sets[earlier].ids, sets[later].ids)
            if shared.size:
                some = ", ".join(str(one) for one in shared[:3])
                raise EvidenceError(
                    f"sets {earlier} and {later} must not share samples, but {shared.size} ids are in both "
                    f"({some}, ...). Split the samples before tuning and calibrating."
                )


def _whole(values: Any, name: str) -> NDArray[np.int64]:  # Any: whatever a caller passes as array
    """As int64, if nothing is lost by it."""
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise EvidenceError(f"{name} must be whole numbers, but is {array.dtype}. Convert it without rounding.")
    return array.astype(np.int64)


def _check(evidence: Evidence) -> None:
    """Names all offenders at once."""
    samples = len(evidence.ids) if evidence.ids.ndim == 1 else 0
    shape = evidence.predictions.shape
    exits = shape[1] if len(shape) == 2 else 0
    wanted: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
        "ids": (evidence.ids.shape, (samples,)),
        "predictions": (shape, (samples, max(exits, 1))),
        "reference": (evidence.reference.shape, (samples,)),
        **{f"scores[{name!r}]": (value.shape, (samples, exits - 1)) for name, value in evidence.scores.items()},
    }
    if evidence.labels is not None:
        wanted["labels"] = (evidence.labels.shape, (samples,))
    if evidence.contents is not None:
        wanted["contents"] = (evidence.contents.shape, (samples,))
    wrong = [f"{name} {list(got)} instead of {list(want)}" for name, (got, want) in wanted.items() if got != want]
    if wrong or not samples:
        raise EvidenceError(
            f"evidence must hold the same samples and exits everywhere, but has {samples} samples"
            f"{''.join(', ' + one for one in wrong)}. Collect it again in one pass."
        )
    if set(evidence.scores) != set(evidence.gates):
        odd = sorted(set(evidence.scores) ^ set(evidence.gates))
        raise EvidenceError(f"every score must have a gate and every gate a score, but {odd} miss one. Add it.")
    if len(np.unique(evidence.ids)) != samples:
        ids, counts = np.unique(evidence.ids, return_counts=True)
        raise EvidenceError(
            f"ids must be unique, but {ids[counts > 1][:3].tolist()} occur more than once. Give each sample its own id."
        )
