"""The network: what it reads, and what it is without exits."""

from __future__ import annotations

from ._part import Known, Part
from ._point import AloneTimes


class ModelRecord(Part):
    """The network with its exits.

    Attributes:
        reference: The reference by which it was named.
        classes: Number of classes that it tells apart.
        class_names: What they are called, in the order of the outputs; null if nobody said.
        inputs: Name of an input -> shape of one sample.
        dtypes: Name of an input -> type of its numbers.
        exits: Names of the exits in graph order, the final one last.
        cuts: Names of the places where early exits hang.
    """

    reference: str
    classes: int
    class_names: tuple[str, ...] | None = None
    inputs: dict[str, tuple[int, ...]]
    dtypes: dict[str, str]
    exits: tuple[str, ...]
    cuts: tuple[str, ...]


class InPrecisionRecord(Part):
    """The network alone in the precision of the file, on the test samples.

    Attributes:
        accuracy: Share of right answers; null without labels.
        agreement: Share of answers equal to its own in f32.
    """

    accuracy: Known
    agreement: float


class BaselineRecord(AloneTimes):
    """The network alone, which everything is compared with; it also has the times of `AloneTimes`.

    Attributes:
        accuracy: Share of right answers on the test samples; null without labels.
        macs: Multiply-accumulates per sample.
        parameters: Number of its weights.
        in_precision: The same network in the precision of the file; null in older results.
    """

    accuracy: Known
    macs: float
    parameters: int
    in_precision: InPrecisionRecord | None = None


class AloneRecord(Part):
    """One exit as a network of its own: if everybody answered here.

    Attributes:
        exit: Which exit, counted from 0.
        agreement: Share of answers equal to those of the original network, on all held-out samples.
        accuracy: Share of right answers there; null without labels.
        relative_macs: Its multiply-accumulates as a share of the original network's.
    """

    exit: int
    agreement: float
    accuracy: Known
    relative_macs: float


class ClockRecord(Part):
    """Seconds by exit, if the point was chosen by time.

    Attributes:
        exit_s: Seconds per sample that leaves at each exit, the final one last.
        baseline_s: Seconds per sample of the network alone.
    """

    exit_s: tuple[float, ...]
    baseline_s: float
