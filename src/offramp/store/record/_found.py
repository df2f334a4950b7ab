"""What the commands that come after a run found: `--json` prints these."""

from __future__ import annotations

from ._made import MachineRecord, SamplesRecord, Versions
from ._part import Known, Part
from ._point import LatencyRecord, PointRecord
from ._promise import GoalRecord, GuaranteeRecord, KindName, LossRecord, SearchRecord

Interval = tuple[float, float]


class SweepRecord(Part):
    """A point that was chosen again from the evidence of a run.

    Attributes:
        folder: The folder of the run.
        command: The command line that did it.
        engine: Name of the engine that the evidence comes from.
        precision: What the file computes in.
        samples: How many samples each part has.
        score: Name of the score that the gates would compare.
        search: How points were looked for.
        goal: What the point was chosen by.
        kind: What a loss is.
        confidence: How sure each promise is.
        quality: What a point of the curve keeps.
        points: The points of the curve, on the tuning samples, from safest to cheapest.
        knee: Place of the knee on the curve, counted from 0; null if it has none.
        losses: What each acceptable loss would cost.
        chosen: The chosen point on the test samples.
        guarantee: What is promised of it; null if nothing was asked.
        in_file: Thresholds that the file had.
        applied: Whether the point was written to the folder.
    """

    folder: str
    command: str
    engine: str
    precision: str
    samples: SamplesRecord
    score: str
    search: SearchRecord
    goal: GoalRecord
    kind: KindName
    confidence: float
    quality: str
    points: tuple[PointRecord, ...]
    knee: int | None
    losses: tuple[LossRecord, ...]
    chosen: PointRecord
    guarantee: GuaranteeRecord | None
    in_file: tuple[float, ...]
    applied: bool = False

    @property
    def is_refused(self) -> bool:
        """Whether a promise was asked for and could not be made."""
        return self.guarantee is not None and self.guarantee.status == "refused"


class BatchRecord(Part):
    """What was timed at one number of samples per call; null where it could not be.

    Attributes:
        ours: The file with the chosen thresholds.
        nobody_leaves: The file with thresholds at which nobody leaves early.
        alone: The network alone in the precision of the file.
        floating: The network alone in f32, if the file is in another precision.
        gain: Mean time of `alone` divided by that of `ours`.
        gain_interval: Its 95 % interval.
        gain_to_float: Mean time of `floating` divided by that of `ours`.
        gain_to_float_interval: Its 95 % interval.
        ratio: Mean time of `nobody_leaves` divided by that of `ours`.
        ratio_interval: Its 95 % interval.
        float_gain_interval: 95 % interval of what the network alone gains by the precision.
        exit_rates: Share of the samples that left at each exit.
    """

    ours: LatencyRecord
    nobody_leaves: LatencyRecord
    alone: LatencyRecord | None = None
    floating: LatencyRecord | None = None
    gain: float | None = None
    gain_interval: Interval | None = None
    gain_to_float: float | None = None
    gain_to_float_interval: Interval | None = None
    ratio: float | None = None
    ratio_interval: Interval | None = None
    float_gain_interval: Interval | None = None
    exit_rates: tuple[float, ...]


class BenchRecord(Part):
    """A file that was timed again.

    Attributes:
        folder: The folder of the run.
        command: The command line that did it.
        machine: The machine that it was done on.
        versions: Versions of Python and of the packages that decide numbers.
        engine: Name of the engine.
        precision: What it computed in.
        threads: CPU threads per call.
        samples: Number of different samples.
        data: Reference to the samples, if they were others than those of the run.
        batches: Samples per call -> what was timed.
        applied: Whether the times were written to the folder.
    """

    folder: str
    command: str
    machine: MachineRecord
    versions: Versions
    engine: str
    precision: str
    threads: int
    samples: int
    data: str | None = None
    batches: dict[int, BatchRecord]
    applied: bool = False


class CheckedSamplesRecord(Part):
    """How many samples a check compared.

    Attributes:
        new: New samples.
        to_the_end: Of them, samples that were run to the end.
        expected: Calibration samples.
    """

    new: int
    to_the_end: int
    expected: int


class CheckedExitRecord(Part):
    """One exit, then and now.

    Attributes:
        name: Name of the exit.
        expected_rate: Share of the calibration samples that leave here.
        rate: Share of the new samples that leave here.
        scores_p: p-value of the comparison of its scores; null for the final exit.
    """

    name: str
    expected_rate: float
    rate: float
    scores_p: Known


class CheckedWorkRecord(Part):
    """Work per sample as a share of the network alone, then and now.

    Attributes:
        expected: The work on the calibration samples.
        new: The work on the new samples.
    """

    expected: float
    new: float


class CheckedLossRecord(Part):
    """What was lost on the new samples, and what that means for the promise.

    Attributes:
        kind: What was counted as a loss.
        promised_kind: What the promise calls a loss; null if nothing was promised.
        max_loss: What was promised; null if nothing was.
        mean: Share that was lost.
        interval: Limits between which the loss of all such samples lies.
        confidence: How sure these limits are.
        final_exit_differs: Share of the calibration samples on which the final exit differs from the original network.
        is_stand_in: Whether answers that change were counted since labels for the promised kind are missing.
        verdict: What became of the promise.
        needed: Samples that would tell more, if more would.
        remedy: What would help; empty if nothing need be done.
    """

    kind: KindName
    promised_kind: KindName | None
    max_loss: float | None
    mean: float
    interval: Interval
    confidence: float
    final_exit_differs: float
    is_stand_in: bool
    verdict: str
    needed: int | None
    remedy: str | None


class CheckedAccuracyRecord(Part):
    """Share of right answers on the samples that were run to the end.

    Attributes:
        ours: The share with the chosen thresholds.
        final: The share if nobody left early.
    """

    ours: Known
    final: float


class CheckRecord(Part):
    """New samples compared with those that the promise was made for.

    Attributes:
        folder: The folder of the run.
        data: Reference to the new samples; null if they were given as an object.
        command: The command line that did it.
        machine: The machine that it was done on.
        versions: Versions of Python and of the packages that decide numbers.
        engine: Name of the engine.
        precision: What it computed in.
        seed: The seed by which samples were drawn.
        score: Name of the score that the gates compare.
        thresholds: The thresholds of the file.
        alarm: Whether the samples look different, or the promise is broken.
        shifted: Whether the samples look different.
        p_value: The p-value of the whole comparison.
        exits_p: The p-value of the comparison of exit rates alone.
        alpha: How rarely samples that did not change may raise the alarm.
        change: By how much an exit rate changes at most.
        samples: How many samples were compared.
        exits: Each exit, then and now.
        relative_macs: Work per sample, then and now.
        loss: What was lost, and what that means for the promise.
        accuracy: Share of right answers; null without labels.
        verdict: What that means, one sentence each.
        warnings: What was warned of, one sentence each.
    """

    folder: str
    data: str | None
    command: str
    machine: MachineRecord
    versions: Versions
    engine: str
    precision: str
    seed: int
    score: str
    thresholds: tuple[float, ...]
    alarm: bool
    shifted: bool
    p_value: float
    exits_p: float
    alpha: float
    change: float
    samples: CheckedSamplesRecord
    exits: tuple[CheckedExitRecord, ...]
    relative_macs: CheckedWorkRecord
    loss: CheckedLossRecord
    accuracy: CheckedAccuracyRecord | None
    verdict: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
