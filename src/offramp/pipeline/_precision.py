"""What the shipped file computes in: as asked, or what is expected to take least time at the accepted loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from offramp import compress, decide, transform
from offramp.compress import Quantized
from offramp.decide import Target
from offramp.errors import ExportError, GraphError, MissingExtra
from offramp.graph import Graph
from offramp.measure import Costs, Evidence, latency
from offramp.run import openvino
from offramp.transform import backbone

from ._batches import draw_batches
from ._chain import candidates, collect
from ._choice import draw, name_kind
from ._engine import Engine
from ._exports import Exports
from ._placement import Placed, place
from ._price import CALLS, SECONDS, price
from ._problem import Problem
from ._request import Request
from ._screen import Screen

INT8_FALLBACK = "int8+f32"  # 8 bits, and behind them the network as it was trained for those that are not sure
TRIED = ("f32", "bf16", "int8")  # by auto, as far as the CPU has them, and INT8_FALLBACK with int8


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A precision, and all that is needed to write and run files in it.

    Attributes:
        name: As `Engine.precision` takes it.
        graph: With exits or candidates for them, bodies in 8 bits if that is the precision, and the fallback if there
            is one.
        engine: That runs them.
        exports: That writes them.
        quantized: The pass that made bodies of 8 bits, if there are any.
    """

    name: str
    graph: Graph
    engine: Engine
    exports: Exports
    quantized: Quantized | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantResult:
    """A variant with the exits that suit it.

    Attributes:
        variant: The precision.
        placed: The exits, if they were chosen among candidates.
        expected_s: Seconds per call on the tuning samples at the accepted loss; None if nothing was compared.
        loss: What is lost there, against the network in float.
        allowed: What may be.
    """

    variant: Variant
    placed: Placed | None
    expected_s: float | None = None
    loss: float = 0.0
    allowed: float = 0.0

    @property
    def precision(self) -> str:
        """Its name."""
        return self.variant.name


def check_precision(precision: str, graph: Graph) -> None:
    """Refuse a precision that the network is too large for, before anything is trained.

    Raises:
        ExportError: So it is.
    """
    if precision in ("int8", INT8_FALLBACK):
        compress.check_sizes(graph)


def choose_precision(
    request: Request, graph: Graph, problem: Problem, exports: Exports, screen: Screen
) -> list[VariantResult]:
    """All precisions that were tried, first the one to take.

    They are compared on the tuning samples alone, so that the promise that is then proven on others is one promise.

    Args:
        request: Of the run.
        graph: With trained exits, or candidates for them.
        problem: Of the run.
        exports: Of the run, in float.
        screen: Where progress and warnings go.

    Raises:
        OptionError: The CPU does not compute in this precision.
        MissingExtra: NNCF is not installed, and int8 was asked for.
        GraphError: The network can have no fallback, and one was asked for.
    """
    variants = _open_all(request, graph, problem, exports, screen)
    alone = _time_alone(request, problem, variants) if len(variants) > 1 else {}
    results = []
    for variant in variants:
        with screen.step(f"exits: {request.engine.name} {variant.name}"):
            results.append(evaluate(request, problem, variant, alone.get(variant.engine.precision)))
    return sorted(results, key=lambda one: (max(0.0, one.loss - one.allowed), one.expected_s or 0.0))


def describe(asked: str, results: Sequence[VariantResult]) -> dict[str, Any]:  # Any: JSON
    """What was tried and what stays in float, for `result.json`."""
    quantized = results[0].variant.quantized
    return {
        "asked": asked,
        "tried": [
            {"precision": one.precision, "expected_s": one.expected_s, "loss": one.loss, "allowed_loss": one.allowed}
            for one in results
            if one.expected_s is not None
        ],
        "bodies": [] if quantized is None else [asdict(one) for one in quantized.sensitivity],
        "agreement": {} if quantized is None else dict(quantized.agreement),
    }


def describe_passes(quantized: Quantized | None) -> list[dict[str, Any]]:  # Any: JSON
    """What was done to the weights after training, for the card of the file and `config.json`."""
    if quantized is None:
        return []
    kept = {one.name: list(one.in_float) for one in quantized.sensitivity if one.kept == "part"}
    return [{"pass": "quantize", "by": "nncf", "int8": sorted(quantized.bodies), "layers_in_float": kept}]


def _open_all(request: Request, graph: Graph, problem: Problem, exports: Exports, screen: Screen) -> list[Variant]:
    if request.engine.precision != "auto":
        return [_open(request, request.engine.precision, graph, problem, exports, screen)]
    able = openvino.list_precisions() if request.engine.name == "openvino" else ("f32", "int8")
    variants: list[Variant] = []
    for name in [name for name in TRIED if name in able]:
        try:
            check_precision(name, graph)
            variants.append(_open(request, name, graph, problem, exports, screen))
        except (MissingExtra, ExportError) as error:
            screen.warn(f"int8 was not tried: {error}")
    try:
        variants += [back_up(variant) for variant in variants if variant.quantized]
    except GraphError as error:
        screen.warn(f"{INT8_FALLBACK} was not tried: {error}")
    return variants


def back_up(variant: Variant) -> Variant:
    """The same in 8 bits with the network in float behind it.

    Raises:
        GraphError: This network can have none.
    """
    return replace(variant, name=INT8_FALLBACK, graph=transform.add_fallback(variant.graph))


def _open(
    request: Request, precision: str, graph: Graph, problem: Problem, exports: Exports, screen: Screen
) -> Variant:
    if precision == INT8_FALLBACK:
        return back_up(_open(request, "int8", graph, problem, exports, screen))
    engine = replace(request.engine, precision=precision)
    if precision != "int8":
        return Variant(name=precision, graph=graph, engine=engine, exports=exports)
    with screen.step("int8: ranges, and how the answers suffer"):
        quantized = compress.quantize(graph, exports.trace(graph), problem.train, judge=problem.tune, seed=request.seed)
    if request.engine.name == "onnxruntime" and (kept := quantized.float_kernels):
        screen.warn(
            f"ONNX Runtime computes {sum(map(len, kept.values()))} convolutions of the int8 file in float "
            f"(in {', '.join(kept)}): no integers come out of them. engine.name=openvino does not.",
            about=["engine.name="],
        )
    whole = quantized(graph)
    return Variant(name="int8", graph=whole, engine=engine, exports=exports.passing(None), quantized=quantized)


def _time_alone(request: Request, problem: Problem, variants: Sequence[Variant]) -> dict[str, float]:
    """Median seconds of the network alone in each precision, side by side: what else the machine does is equal."""
    systems = {
        variant.engine.precision: variant.engine.load_static(
            variant.exports.save_dense(backbone(variant.graph), f"alone-{at}")
        )
        for at, variant in enumerate(
            variant for variant in variants if variant.name != INT8_FALLBACK
        )  # in front it is the one in 8 bits
    }
    batches, repeats = draw_batches(
        systems, problem.tune, request.engine.batch, seed=request.seed, seconds=SECONDS, most=CALLS
    )
    times = latency(systems, batches, repeats=repeats, seed=request.seed)
    return {name: timing.p50_s for name, timing in times.items()}


def evaluate(request: Request, problem: Problem, variant: Variant, alone_s: float | None) -> VariantResult:
    """The exits that suit a precision, and what a call is expected to take; None for that if nothing is compared."""
    placed = place(request, variant.graph, problem, variant.engine, variant.exports) if request.exits.is_auto else None
    if alone_s is None:
        return VariantResult(variant=variant, placed=placed)
    seen, clock, score = _observe(request, problem, variant, placed)
    share, loss, allowed = _expect(request, seen, clock, score, calibration=len(problem.calibrate))
    return VariantResult(variant=variant, placed=placed, expected_s=share * alone_s, loss=loss, allowed=allowed)


def _observe(
    request: Request, problem: Problem, variant: Variant, placed: Placed | None
) -> tuple[Evidence, Costs, str]:
    """Evidence of the tuning samples, times and the score of the exits: what placing them knows, or seen now."""
    if placed is None:
        graph, score, clock = variant.graph, candidates(request)[0], None
        seen = collect(graph, problem, variant.engine, variant.exports, parts=["tune"])["tune"]
    else:
        graph, score, clock = placed.graph, placed.score, placed.clock
        seen = placed.seen.keep([exit.cut for exit in graph.exits if exit.cut is not None])
    if clock is None:
        gated = transform.gate_by(graph, score)
        timed = price(
            gated, problem.tune, variant.engine, variant.exports, batch=request.engine.batch, seed=request.seed
        )
        clock = timed.costs(range(len(graph.exits) - 1))
    return seen, clock, score


def _expect(
    request: Request, seen: Evidence, clock: Costs, score: str, *, calibration: int
) -> tuple[float, float, float]:
    """Time as a share of the network alone, and loss, of the quickest certifiable point on tune; and what may be lost.

    Without a promise, of the loss that is promised if nothing else is asked.
    """
    asked = request.target if request.target.mode == "promise" else Target(kind="agreement")
    goal = name_kind(asked, seen)
    assert goal.max_loss is not None, "a promise has it"
    assert goal.kind is not None, "named above"
    allowed = decide.certifiable_loss(
        calibration, goal.kind, max_loss=decide.aim_at(goal.max_loss, goal.margin), confidence=goal.confidence
    )
    drawn = draw(request.search, seen, clock.expect("seconds"), score=score, quality=decide.quality_for(goal.kind))
    points = list(zip(drawn.losses.tolist(), drawn.macs.tolist(), strict=True))
    loss, seconds = min(points, key=lambda point: (max(0.0, point[0] - allowed), point[1]))
    return seconds / clock.baseline, loss, allowed
