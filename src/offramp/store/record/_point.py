"""An operating point, and the times that were measured at it."""

from __future__ import annotations

from pydantic import Field

from ._made import MachineRecord, Versions
from ._part import ByBatch, IntervalsByBatch, Known, Part


class PointRecord(Part):
    """One vector of thresholds, and what it gave on the samples on which it was measured.

    Attributes:
        thresholds: One number per early exit.
        accuracy: Share of right answers; null without labels.
        agreement: Share of answers equal to those of the original network.
        harm: Share of samples that the original network gets right and this point wrong; null without labels.
        macs: Mean multiply-accumulates per sample.
        relative_macs: The same as a share of the original network's.
        exit_rates: Share of samples that answer at each exit, the final one last.
    """

    thresholds: tuple[float, ...]
    accuracy: Known
    agreement: float
    harm: Known
    macs: float
    relative_macs: float
    exit_rates: tuple[float, ...]


class LatencyRecord(Part):
    """Seconds per call.

    Attributes:
        mean: The mean of all calls, in seconds.
        p50: Half of the calls take at most so many seconds.
        p95: 95 % of the calls take at most so many seconds.
        calls: Number of calls that were timed.
    """

    mean: float
    p50: float
    p95: float
    calls: int


Latencies = dict[int, LatencyRecord]  # samples per call -> seconds


class PointTimes(Part):
    """Times of the network with exits, by samples per call; empty where nothing was measured.

    Attributes:
        latency_s: Seconds per call.
        gain: Mean time of the network alone, in the precision of the file, divided by that of the file.
        gain_interval: Limits between which the gain lies with 95 % confidence.
        gain_to_float: Mean time of the network alone in f32 divided by that of the file.
        gain_to_float_interval: Limits between which that gain lies with 95 % confidence.
        efficiency: Time that the same work would take without conditions, divided by the measured time.
        ideal_latency_s: Seconds that the same work would take without conditions.
        empty_latency_s: Seconds that a call of a network that does nothing takes.
    """

    latency_s: Latencies = Field(default_factory=dict)
    gain: ByBatch = Field(default_factory=dict)
    gain_interval: IntervalsByBatch = Field(default_factory=dict)
    gain_to_float: ByBatch = Field(default_factory=dict)
    gain_to_float_interval: IntervalsByBatch = Field(default_factory=dict)
    efficiency: dict[int, Known] = Field(default_factory=dict)
    ideal_latency_s: ByBatch = Field(default_factory=dict)
    empty_latency_s: ByBatch = Field(default_factory=dict)


class AloneTimes(Part):
    """Times of the network alone, by samples per call; empty where nothing was measured.

    Attributes:
        latency_s: Seconds per call in the precision of the file.
        float_latency_s: Seconds per call in f32, if the file is in another precision.
        float_gain_interval: Limits between which the gain by that precision alone lies with 95 % confidence.
    """

    latency_s: Latencies = Field(default_factory=dict)
    float_latency_s: Latencies = Field(default_factory=dict)
    float_gain_interval: IntervalsByBatch = Field(default_factory=dict)


class ChosenRecord(PointRecord, PointTimes):
    """The chosen point on the test samples, with the times that were measured at it."""


class TimesRecord(Part):
    """Times with the point that they were measured at.

    Attributes:
        thresholds: The thresholds of the point.
        exit_rates: Share of the samples that leave at each exit there.
        relative_macs: Work at the point, as a share of the network alone.
        samples: Reference to the samples that decide who leaves where, or the name of what was none.
        command: The command line that measured the times.
        machine: The machine that they were measured on.
        versions: Versions of Python and of the packages that decide numbers.
        engine: Name of the engine.
        precision: What the engine computed in.
        threads: CPU threads per call.
        data: Reference to the samples that were timed, if they were others than those of the run.
        chosen: Times of the network with exits.
        baseline: Times of the network alone.
    """

    thresholds: tuple[float, ...]
    exit_rates: tuple[float, ...]
    relative_macs: float
    samples: str
    command: str
    machine: MachineRecord
    versions: Versions
    engine: str
    precision: str
    threads: int
    data: str | None = None
    chosen: PointTimes
    baseline: AloneTimes
