"""A finished run: what its folder holds, and what can be done with it without PyTorch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from offramp.decide import Target
from offramp.measure import Costs, Evidence
from offramp.run import Runtime, Samples
from offramp.store._folder import check_out, reserve
from offramp.store.record import BenchRecord, CheckRecord, GuaranteeRecord, PointRecord, RunRecord, SweepRecord

from ._opened import Opened, open_run, text_of
from ._progress import Listener
from ._screen import Screen
from ._search import Search

if TYPE_CHECKING:  # reports load matplotlib, engines themselves
    from offramp.data import Given

    from ._predict import Predictions


class Run:
    """A finished run in its folder. Its table is its repr.

    Methods that write, such as `sweep(apply=True)`, change the folder, and the run is then what the folder holds.
    Warnings are those of Python.

    Args:
        folder: Of the run.

    Attributes:
        folder: The same.

    Raises:
        DataError: The folder lacks a file, or its record is broken or of another version.
        EvidenceError: The evidence is broken.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._opened = open_run(folder)

    @property
    def record(self) -> RunRecord:
        """Every number of the run, typed; `result.json` is its text."""
        return self._opened.record

    @property
    def frontier(self) -> tuple[PointRecord, ...]:
        """Operating points that none beats on the tuning samples, from safest to cheapest."""
        return self.record.frontier

    @property
    def guarantee(self) -> GuaranteeRecord | None:
        """What is promised of samples to come; None if nothing was asked."""
        return self.record.guarantee

    @property
    def goal(self) -> Target:
        """What the point of the file was chosen by."""
        return self._opened.goal

    @property
    def search(self) -> Search:
        """How the frontier was drawn."""
        return self._opened.search

    @property
    def evidence(self) -> Mapping[str, Evidence]:
        """Part of the held-out samples, tune, calibrate or test -> what every exit says of its samples."""
        return self._opened.parts

    @property
    def costs(self) -> Costs:
        """Multiply-accumulates by exit."""
        return self._opened.costs

    def __repr__(self) -> str:
        from offramp import report

        return report.draw_table(self.record).rstrip("\n")

    def _repr_html_(self) -> str:
        from offramp import report

        return report.draw_html_table(self.record)

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same numbers, wherever they lie."""
        if not isinstance(other, Run):
            return NotImplemented
        return self.record == other.record and all(
            _same_evidence(self.evidence[name], other.evidence[name]) for name in self.evidence
        )

    __hash__ = None  # type: ignore[assignment]  # a run changes with its folder

    def to_frame(self) -> Any:  # Any: a pandas.DataFrame; offramp does not need pandas
        """The table as a pandas data frame, with numbers instead of texts.

        Raises:
            MissingExtra: pandas is not installed.
        """
        from offramp import report

        return report.to_frame(self.record)

    def runtime(self, *, engine: str | None = None, threads: int = 1) -> Runtime:
        """The network, ready to answer.

        Args:
            engine: "openvino" or "onnxruntime"; that of the promise if None.
            threads: CPU threads per call.

        Raises:
            EngineError: The engine fails.
        """
        from ._predict import open_runtime

        return open_runtime(self.folder, engine=engine, threads=threads)

    def read(self, samples: Given, *, tokenizer: str | None = None) -> Samples:
        """Samples in the form that the network reads, with labels that are its own class numbers, or none.

        Args:
            samples: Samples, or a reference to them such as "npz:FILE@test".
            tokenizer: Folder of a Hugging Face tokenizer, for texts; that of the run if None.

        Raises:
            DataError: The samples do not fit.
        """
        from ._predict import open_samples

        known = tokenizer or self.record.options.tokenizer
        return open_samples(samples, self.runtime(), tokenizer=known, warn=Screen().warn)

    def predict(
        self,
        samples: Given,
        *,
        engine: str | None = None,
        threads: int = 1,
        tokenizer: str | None = None,
        batch: int = 64,
    ) -> Predictions:
        """Answers to samples.

        Args:
            samples: Samples, or a reference to them such as "npz:FILE@test".
            engine: "openvino" or "onnxruntime"; that of the promise if None.
            threads: CPU threads per call.
            tokenizer: Folder of a Hugging Face tokenizer, for texts; that of the run if None.
            batch: Samples per call.

        Returns:
            Class, exit and score of each sample.

        Raises:
            DataError: The samples do not fit.
            EngineError: The engine fails.
        """
        from ._predict import predict_all

        return predict_all(self.folder, samples, engine=engine, threads=threads, tokenizer=tokenizer, batch=batch)

    def sweep(
        self,
        *,
        target: Target | None = None,
        score: str | None = None,
        search: Search | None = None,
        apply: bool = False,
        on_progress: Listener | None = None,
    ) -> SweepRecord:
        """Choose again from the evidence, say what each loss would cost, and draw the report anew.

        No network runs.

        Args:
            target: What to choose by; that of the run if None.
            score: Name of one of the scores in the evidence; the one that gates if None.
            search: How points are looked for; as in the run if None.
            apply: Write thresholds and promise to the folder too, unless the promise is refused.
            on_progress: Is told how far it is, by `Progress` events.

        Returns:
            The curve, the chosen point, and what each loss would cost.

        Raises:
            OptionError: Another score than the one that gates was to be applied.
            OfframpError: The evidence does not hold what is asked for.
            OutputError: The folder cannot be written; then it is as it was.
        """
        from ._sweep import sweep

        screen = Screen(on_progress)
        with self._held(needed=apply) as opened:
            return sweep(opened, screen, goal=target, score=score, search=search, apply=apply)

    def check(  # noqa: PLR0913  (each is a question of its own)
        self,
        samples: Given,
        *,
        count: int = 2000,
        confidence: float | None = None,
        alpha: float = 0.01,
        seed: int = 0,
        threads: int = 1,
        tokenizer: str | None = None,
        on_progress: Listener | None = None,
    ) -> CheckRecord:
        """Whether new samples still look like the calibration samples, and whether the promise stands on them.

        Args:
            samples: New samples, or a reference to them; labels are not needed.
            count: How many of them, drawn at random, run to the end.
            confidence: How sure the limits of the loss are; as the promise if None.
            alpha: How rarely samples that did not change may raise the alarm.
            seed: By which samples are drawn.
            threads: CPU threads per call.
            tokenizer: Folder of a Hugging Face tokenizer, for texts; that of the run if None.
            on_progress: Is told how far it is, by `Progress` events.

        Returns:
            What was found; `alarm` says the most important.

        Raises:
            DataError: There is no early exit, or the samples do not fit.
            OptionError: A number lies outside its range.
        """
        from ._check import Question, check

        question = Question(samples=count, confidence=confidence, alpha=alpha, seed=seed)
        screen = Screen(on_progress)
        return check(self._opened, samples, screen, question=question, threads=threads, tokenizer=tokenizer)

    def recalibrate(  # noqa: PLR0913  (each is a question of its own)
        self,
        samples: Given,
        *,
        target: Target | None = None,
        search: Search | None = None,
        out: str | Path | None = None,
        seed: int = 0,
        threads: int = 1,
        tokenizer: str | None = None,
        on_progress: Listener | None = None,
    ) -> Run:
        """Choose and prove thresholds on new samples, and write them to the folder, or to another.

        Nothing is trained. If nothing can be promised, nobody leaves early.

        Args:
            samples: New samples, or a reference to them; labels are not needed.
            target: What to choose by; that of the run if None.
            search: How points are looked for; as in the run if None.
            out: Folder to write; that of the run if None.
            seed: By which the samples are divided.
            threads: CPU threads per call.
            tokenizer: Folder of a Hugging Face tokenizer, for texts; that of the run if None.
            on_progress: Is told how far it is, by `Progress` events.

        Returns:
            The run in the folder that was written; without `out` it is this one.

        Raises:
            DataError: The samples are too few or do not fit, or there is no early exit.
            OutputError: The folder cannot be written; then it is as it was.
        """
        from ._recalibrate import Renewal, recalibrate

        there = None if out is None else Path(out)
        renewal = Renewal(
            data=samples, goal=target, search=search, out=there, seed=seed, threads=threads, tokenizer=tokenizer
        )
        screen = Screen(on_progress)
        with self._held(needed=there is None) as opened:
            if there is None or there.resolve() == self.folder.resolve():
                recalibrate(opened, renewal, screen)
                return self
            with reserve(there):
                recalibrate(opened, renewal, screen)
        return Run(there)

    def bench(
        self,
        samples: Given | None = None,
        *,
        batches: tuple[int, ...] = (1, 64),
        engine: str | None = None,
        threads: int = 1,
        apply: bool = False,
        on_progress: Listener | None = None,
    ) -> BenchRecord:
        """Time the file again, here, beside the network alone and with nobody leaving.

        Args:
            samples: Samples to time, or a reference to them; those of the run if None.
            batches: Samples per call, each timed by itself.
            engine: "openvino" or "onnxruntime"; that of the promise if None.
            threads: CPU threads per call.
            apply: Write the times to result, report and model card.
            on_progress: Is told how far it is, by `Progress` events.

        Returns:
            Seconds per call, and gains with their 95 % intervals.

        Raises:
            DataError: The samples of the run cannot be found again.
            EngineError: The engine fails.
            OutputError: The folder cannot be written; then it is as it was.
        """
        from ._bench import Measurement, bench

        asked = Measurement(batches=batches, data=samples, engine=engine, threads=threads, apply=apply)
        screen = Screen(on_progress)
        with self._held(needed=apply) as opened:
            return bench(self.folder, asked, screen, opened=opened)

    def report(self, path: str | Path, *, on_progress: Listener | None = None) -> None:
        """Write the report as one page that opens offline.

        Args:
            path: Of the page.
            on_progress: Is told how far it is, by `Progress` events.

        Raises:
            OutputError: The page cannot be written.
        """
        from ._redraw import draw_report

        draw_report(Path(path), self.folder, self.record, self.evidence["test"], None, Screen(on_progress))

    def save(self, folder: str | Path) -> Run:
        """Write the run to another folder, whole or not at all; an earlier run there is replaced.

        Args:
            folder: To write.

        Returns:
            The run in that folder.

        Raises:
            OutputError: The folder holds something else, or cannot be written.
        """
        from ._apply import change_folder

        there = Path(folder)
        check_out(there)
        if there.resolve() != self.folder.resolve():
            with reserve(there):
                change_folder(self.folder, lambda whole: None, to=there)
        return Run(there)

    @contextmanager
    def _held(self, *, needed: bool) -> Iterator[Opened]:
        """The folder to oneself, as it is now; afterwards the run is what the folder holds."""
        with reserve(self.folder, needed=needed):
            self._read_again()
            yield self._opened
            self._read_again()

    def _read_again(self) -> None:
        """Open the folder again if somebody changed it."""
        if text_of(self.folder) != self._opened.text:
            self._opened = open_run(self.folder)


def _same_evidence(one: Evidence, other: Evidence) -> bool:
    names = ("ids", "predictions", "reference", "labels")
    return (
        one.scores.keys() == other.scores.keys()
        and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)
        and all(np.array_equal(one.scores[name], other.scores[name], equal_nan=True) for name in one.scores)
    )
