"""The record of a run: everything that `result.json` holds."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import Field

from offramp.errors import DataError

from ._choices import PlacementRecord, PrecisionsRecord, ScoresRecord
from ._made import MachineRecord, OptionsRecord, SamplesRecord, Versions
from ._migrate import SCHEMA, migrate
from ._network import AloneRecord, BaselineRecord, ClockRecord, ModelRecord
from ._part import Part, parse
from ._point import ChosenRecord, PointRecord, TimesRecord
from ._promise import GoalRecord, GuaranteeRecord, SearchRecord


class FormerRecord(Part):
    """What a run said before it was recalibrated.

    Attributes:
        guarantee: What was promised then.
        samples: How many samples each part had.
        recalibrated: The recalibration before, if there was one.
        held_out: Reference to the samples that it was proven on, or the name of what was none.
        thresholds: The thresholds of the point.
        relative_macs: Work at the point, as a share of the network alone.
        exit_rates: Share of the samples that leave at each exit there.
    """

    guarantee: GuaranteeRecord | None = None
    samples: SamplesRecord
    recalibrated: RecalibratedRecord | None = None
    held_out: str
    thresholds: tuple[float, ...]
    relative_macs: float
    exit_rates: tuple[float, ...]


class RecalibratedRecord(Part):
    """When and on what thresholds were chosen again.

    Attributes:
        data: Reference to the new samples; null if they were given as an object.
        samples: Number of new samples.
        at: Date and time, in UTC.
        command: The command line that did it.
        machine: The machine that it was done on.
        versions: Versions of Python and of the packages that decide numbers.
        seed: The seed by which the samples were divided.
        reference: The network that answers are compared with.
        final_exit_differed: Share of the former calibration samples on which the final exit differed from the original.
        former: What the run said before.
    """

    data: str | None
    samples: int
    at: str
    command: str
    machine: MachineRecord
    versions: Versions
    seed: int
    reference: str
    final_exit_differed: float
    former: FormerRecord


FormerRecord.model_rebuild()  # each of the two may hold the other


class RunRecord(Part):
    """Every number of a run, with how it was come by.

    Attributes:
        schema_version: The version of this record's form; written as `schema`.
        offramp: Version of offramp that made it.
        versions: Versions of Python and of the packages that decide numbers.
        command: The command line that made the run.
        options: What was asked for.
        machine: The machine that the run was made on.
        seed: The seed of everything random.
        engine: Name of the engine that the promise was proven with.
        precision: What the file computes in.
        precisions: What was tried besides, and what stays in float; null in older results.
        threads: CPU threads per call.
        held_out: Whether the samples to choose and prove on were named; else they are a part of those to learn from.
        samples: How many samples each part has.
        model: The network with its exits.
        score: Name of the score that the gates compare.
        scores: All scores side by side.
        goal: What the point was chosen by.
        search: How points were looked for.
        exit_macs: Multiply-accumulates of a sample that leaves at each exit, the final one last.
        clock: Seconds by exit, if the point was chosen by time; null if by work.
        baseline: The network alone.
        chosen: The chosen point on the test samples, with its times.
        guarantee: What is promised; null if nothing was asked.
        frontier: Operating points that none beats on the tuning samples, from safest to cheapest.
        frontier_quality: What a point of the frontier keeps.
        knee: Place of the knee on the frontier, counted from 0; null if it has none.
        exits_alone: Each exit as a network of its own.
        placement: Of which candidates the exits were chosen; null if they were named.
        warnings: What was warned of, one sentence each.
        times: All times that were measured, the newest last.
        applied: Command that chose the point again; null if it is still the first.
        recalibrated: When and on what thresholds were chosen again; null if they were not.
        verdict: What a reader should know before the numbers, one sentence each.
    """

    schema_version: Literal[1] = Field(default=SCHEMA, alias="schema")
    offramp: str
    versions: Versions
    command: str
    options: OptionsRecord
    machine: MachineRecord
    seed: int
    engine: str
    precision: str
    precisions: PrecisionsRecord | None
    threads: int
    held_out: bool
    samples: SamplesRecord
    model: ModelRecord
    score: str
    scores: ScoresRecord
    goal: GoalRecord
    search: SearchRecord
    exit_macs: tuple[float, ...]
    clock: ClockRecord | None
    baseline: BaselineRecord
    chosen: ChosenRecord
    guarantee: GuaranteeRecord | None
    frontier: tuple[PointRecord, ...]
    frontier_quality: str
    knee: int | None
    exits_alone: tuple[AloneRecord, ...]
    placement: PlacementRecord | None
    warnings: tuple[str, ...]
    times: tuple[TimesRecord, ...] = ()
    applied: str | None = None
    recalibrated: RecalibratedRecord | None = None
    verdict: tuple[str, ...] = ()

    @property
    def is_refused(self) -> bool:
        """Whether a promise was asked for and could not be made: then nobody leaves early."""
        return self.guarantee is not None and self.guarantee.status == "refused"


def read_run(text: str, where: str) -> RunRecord:
    """The record of a run from the text of its `result.json`, also of one that an older version wrote.

    Args:
        text: JSON.
        where: Names the file in the sentence of an error.

    Returns:
        The record of today's version.

    Raises:
        DataError: It is no record, a newer version wrote it, or a name in it is missing, unknown or broken.
    """
    try:
        found = json.loads(text)
    except ValueError as error:
        raise DataError(
            f"{where} must be written by this version, but is no JSON. Run `offramp optimize` again."
        ) from error
    if not isinstance(found, dict):
        raise DataError(f"{where} must be written by this version, but is no record. Run `offramp optimize` again.")
    version = found.get("schema", 0)
    if isinstance(version, int) and version > SCHEMA:
        raise DataError(
            f"{where} must have schema {SCHEMA} at most, but a newer offramp wrote {version}. Update offramp."
        )
    return parse(RunRecord, text if version == SCHEMA else json.dumps(migrate(found)), where)
