"""Measured times, each kept with the point that it belongs to: thresholds, and who left where with them.

`times` of a record holds all that were measured, the newest last; what `chosen` and `baseline` show are those of the
chosen point alone, or none.
"""

from __future__ import annotations

from collections.abc import Sequence

from offramp.store.record import AloneTimes, BenchRecord, PointTimes, RunRecord, TimesRecord

NO_POINT_TIMES, NO_ALONE_TIMES = PointTimes(), AloneTimes()


def first_times(run: RunRecord) -> tuple[TimesRecord, ...]:
    """The times that a run measured when it was made; none if there are none."""
    if not run.chosen.latency_s:
        return ()
    return (mark_times(run, run, chosen=times_of(run.chosen), baseline=alone_of(run.baseline)),)


def times_of(chosen: PointTimes) -> PointTimes:
    """The times of a point without the point."""
    return PointTimes(**{name: getattr(chosen, name) for name in PointTimes.model_fields})


def alone_of(baseline: AloneTimes) -> AloneTimes:
    """The times of the network alone without the rest."""
    return AloneTimes(**{name: getattr(baseline, name) for name in AloneTimes.model_fields})


def mark_times(
    run: RunRecord,
    made: RunRecord | BenchRecord,
    *,
    chosen: PointTimes,
    baseline: AloneTimes,
    data: str | None = None,
) -> TimesRecord:
    """Times with the chosen point that they were measured at.

    Args:
        run: Whose point it is.
        made: Says by which command, where and with what.
        chosen: Times of the network with exits.
        baseline: Times of the network alone.
        data: The samples that were timed, if they are not those of the run.
    """
    return TimesRecord(
        thresholds=run.chosen.thresholds,
        exit_rates=run.chosen.exit_rates,
        relative_macs=run.chosen.relative_macs,
        samples=run.options.samples,
        command=made.command,
        machine=made.machine,
        versions=made.versions,
        engine=made.engine,
        precision=run.precision,
        threads=made.threads,
        data=data,
        chosen=chosen,
        baseline=baseline,
    )


def show_times(run: RunRecord, times: Sequence[TimesRecord]) -> RunRecord:
    """The run with these times, of which it shows the newest that belong to its point; or none.

    Times of the network alone depend on no threshold: without others the last ones stay, to compare with by eye.
    """
    own = find_times(run, times)
    last = own or (times[-1] if times else None)
    chosen = NO_POINT_TIMES if own is None else own.chosen
    baseline = alone_of(run.baseline) if last is None else last.baseline
    return run.model_copy(
        update={
            "times": tuple(times),
            "chosen": run.chosen.model_copy(update={name: getattr(chosen, name) for name in PointTimes.model_fields}),
            "baseline": run.baseline.model_copy(
                update={name: getattr(baseline, name) for name in AloneTimes.model_fields}
            ),
        }
    )


def find_times(run: RunRecord, times: Sequence[TimesRecord]) -> TimesRecord | None:
    """The newest times of the chosen point."""
    point = run.chosen.thresholds, run.chosen.exit_rates, run.options.samples
    return next((one for one in reversed(times) if _point_of(one) == point), None)


def add_times(times: Sequence[TimesRecord], newest: TimesRecord) -> tuple[TimesRecord, ...]:
    """With the newest in the place of others of the same point."""
    return (*(one for one in times if _point_of(one) != _point_of(newest)), newest)


def _point_of(times: TimesRecord) -> tuple[tuple[float, ...], tuple[float, ...], str]:
    """What makes it another point: other thresholds, or other samples that decide who leaves where."""
    return times.thresholds, times.exit_rates, times.samples
