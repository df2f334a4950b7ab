"""What a reader should know before the numbers, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from offramp.store.record import ChosenRecord, PrecisionsRecord, RunRecord

from ._gain import describe_gains
from ._placement import describe_placement
from ._test_loss import explain_test


def verdict(run: RunRecord) -> tuple[str, ...]:
    """What a reader should know before the numbers.

    Args:
        run: Whose `verdict` may not be there yet, or of another point.

    Returns:
        One sentence each, the worst news first.
    """
    return tuple(_tell(run))


def with_verdict(run: RunRecord) -> RunRecord:
    """The run with the sentences that belong to its numbers."""
    return run.model_copy(update={"verdict": verdict(run)})


def _tell(run: RunRecord) -> Iterator[str]:
    news = [*_describe_leaving(run), *_describe_price(run), *_describe_smaller(run)]
    yield from news or [_describe_work(run.chosen)]
    yield from _describe_doubts(run.chosen, _alone(run))
    yield from explain_test(run.guarantee)
    yield from _describe_precision(run)
    if run.placement:
        yield describe_placement(run.placement, expected=_is_first_point(run))
    yield from _describe_score(run)
    if run.recalibrated:
        told = run.recalibrated
        yield (
            f"Its thresholds were chosen again on {told.samples:,} samples{_of(told.data)}; "
            "agreement there is with the file's own final exit."
        )


def _of(data: str | None) -> str:
    return "" if data is None else f" of {data}"


def _describe_leaving(run: RunRecord) -> Iterator[str]:
    """Why nobody leaves early, if so it is."""
    if run.guarantee is not None and run.is_refused:
        yield f"Nothing could be promised, so nobody leaves early: {run.guarantee.remedy}."
        if run.chosen.thresholds:
            yield "Its heads and gates run for nothing: until a promise holds, use the network alone."
    if not run.chosen.thresholds:
        yield "No exit paid: the file is the network alone, behind the same outputs."


def _describe_price(run: RunRecord) -> Iterator[str]:
    """What the exits cost more than they save, if they do."""
    if not run.chosen.thresholds:
        return
    slower = describe_gains(run.chosen, only="slower")
    if slower:
        yield f"{_alone(run)} is faster: this one gains {slower}. Use the network alone there."
    if run.chosen.relative_macs >= 1:
        yield "It does no less work than the network alone."


def _describe_smaller(run: RunRecord) -> Iterator[str]:
    """The first exit that beats the whole as a network of its own, in a sentence; nothing if none does."""
    if run.is_refused:
        return  # nobody leaves, since nothing could be proven of those that would
    rates, chosen = run.chosen.exit_rates, run.chosen
    if 1.0 in rates[:-1]:
        yield f"Everybody leaves at exit {rates.index(1.0)}: the network cut there does the same without its gates."
        return
    for alone in run.exits_alone[:-1]:
        if alone.agreement >= chosen.agreement and alone.relative_macs <= chosen.relative_macs:
            yield (
                f"A plain smaller network beats it: the network cut at exit {alone.exit} agrees on "
                f"{100 * alone.agreement:.1f} % at {alone.relative_macs:.2f} of the work."
            )
            return


def _describe_work(chosen: ChosenRecord) -> str:
    """Work and, if it was measured, time."""
    work, faster = f"It does {chosen.relative_macs:.2f} of the work", describe_gains(chosen, only="faster")
    return f"{work} and is faster: {faster}." if faster else f"{work}."


def _alone(run: RunRecord) -> str:
    """What gains are over: the network in the precision of the file."""
    name = run.precision.partition("+")[0]  # int8+f32: the network alone is the one in 8 bits
    return "The network alone" + ("" if name == "f32" else f" in {name}")


def _describe_doubts(chosen: ChosenRecord, alone: str) -> Iterator[str]:
    """Gains of which nothing can be said, in a sentence or two."""
    if not chosen.gain:
        yield "Its time was not measured at these thresholds: run `offramp bench --apply`."
    if same := describe_gains(chosen, only="no difference"):
        yield f"No difference in time from {alone[0].lower()}{alone[1:]} was measured: {same}, with 95 % confidence."
    if unknown := describe_gains(chosen, only="unknown"):
        yield f"How sure a gain is was not measured ({unknown}): run `offramp bench --apply`."


def _is_first_point(run: RunRecord) -> bool:
    """Whether the point is still the one for which exits and precision were chosen."""
    if run.placement is not None:
        return run.placement.thresholds == run.chosen.thresholds and run.recalibrated is None
    return run.applied is None and run.recalibrated is None


def _describe_precision(run: RunRecord) -> Iterator[str]:
    """What the precision does, in a sentence or two; nothing if it is f32 and nothing else was tried."""
    told = run.precisions or PrecisionsRecord(asked=run.precision)  # older results have none
    if len(told.tried) > 1 and _is_first_point(run):
        seconds = [f"{one.precision} {1000 * one.expected_s:.3f}" for one in told.tried]
        missed = [one.precision for one in told.tried if one.loss > one.allowed_loss]
        lost = f" ({' and '.join(missed)}: too many answers change)" if missed else ""
        yield f"Estimated ms per call at the accepted loss: {', '.join(seconds)}{lost}; the file is in {run.precision}."
    alone = run.baseline.in_precision
    if run.precision == "f32" or alone is None:
        return
    name = run.precision.partition("+")[0]
    line = f"In {name} the network alone agrees with itself in f32 on {100 * alone.agreement:.2f} %"
    compared = describe_gains(run.chosen, "gain_to_float")
    yield f"{line}; against f32 the file gains {compared}." if compared else f"{line}."
    kept = [one.name for one in told.bodies if one.kept != "int8"]
    if kept:
        yield f"In float, all or in part, since the answers suffer: {', '.join(kept)}."


def _describe_score(run: RunRecord) -> Iterator[str]:
    """Why the gates compare this score, if others could have been chosen."""
    count = sum(one.candidate for one in run.scores.ranked)
    if count > 1:
        best = "costs least with its best exits" if run.placement else "has the largest area under its frontier"
        yield f"Of {count} scores {run.score} {best}: gates compare it."
