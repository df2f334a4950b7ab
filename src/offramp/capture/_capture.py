"""Capture: from any classifier to a chain of stages that can be cut."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import torch
from torch import fx, nn

from offramp.errors import CaptureError, OfframpError
from offramp.graph import Tensor
from offramp.measure.torch import warn_uncounted

from ._answer import Answer, Logits, Path, list_outputs, locate_logits, pick, read_answer, read_logits
from ._copied import brief, copy_module, first_line
from ._cuts import CutPoint, find_cuts, find_entry
from ._export import trace_by_export
from ._features import warn_of_features
from ._float32 import (
    ROUNDING,
    Watch,
    in_float32,
    inputs_in_float32,
    other_floats,
    refuse_other_numbers,
    trace_in_float32,
    warn_of_floats,
)
from ._fx import TraceFailure, trace_symbolically
from ._inputs import Example, Inputs, read_example
from ._rows import check_rows
from ._stages import build_stage
from ._trace import Trace, with_logarithm
from ._values import Value, find_values

_TOLERANCE = 1e-3  # of the largest logit: a wrong capture is off by more, another order of sums by less
_ROWS = 2  # of the example that are run: sizes of 1 are taken as fixed by torch.export
_OPAQUE = 0.5  # a module that is kept whole and does more of the work than this hides its cut points


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """A network that can be cut at its cut points.

    Attributes:
        cuts: The places where it can be cut, in order.
        entry: The place before the first layer, a cut point too, named "input"; its index is -1.
        inputs: Type and shape of one sample of each input, by name.
        logits: Type and shape of the answer to one sample.
        answer: Which of its outputs holds the logits, and whether it was probabilities.
        macs: Multiply-accumulates per sample.
        eval_only: True if training mode changes nothing in its stages.
        trace: The network as one graph of operations.
        values: What each operation gives and costs.
    """

    cuts: tuple[CutPoint, ...]
    entry: CutPoint
    inputs: Mapping[str, Tensor]
    logits: Tensor
    answer: Answer
    macs: int
    eval_only: bool
    trace: Trace = field(repr=False)
    values: Mapping[fx.Node, Value] = field(repr=False)

    def split(self, cuts: Sequence[CutPoint]) -> list[nn.Module]:
        """The stages between these cut points, in order: one more than there are cut points.

        Each takes what the cut point before it carries (the first takes the inputs) and gives a tuple of what the cut
        point after it carries; the last gives the logits. What ends at `entry` passes the inputs on. Weights keep
        their dotted names, and are copies.

        Args:
            cuts: Cut points of this network, in order and once each; none gives the whole network.

        Returns:
            Modules in evaluation mode.

        Raises:
            CaptureError: The cut points are not in order, or not of this network.
        """
        if any(cut not in (self.entry, *self.cuts) for cut in cuts) or any(
            before.index >= after.index for before, after in pairwise(cuts)
        ):
            names = ", ".join(cut.name for cut in cuts)
            raise CaptureError(f"cut points must come from `capture.cuts`, in order and once each, but are {names}.")
        root = copy.deepcopy(self.trace.module)
        nodes = tuple(self.values)
        given = tuple(node for node in nodes if node.op == "placeholder")
        carried = [given, *(cut.nodes for cut in cuts), self._answer()]
        ends = [0, *(cut.position + 1 for cut in cuts), len(nodes)]
        return [
            build_stage(root, self.values, inputs=inputs, nodes=nodes[start:end], outputs=outputs)  # type: ignore[arg-type]  # only the last one is a single node
            for inputs, outputs, start, end in zip(carried, carried[1:], ends, ends[1:], strict=False)
        ]

    def table(self) -> list[tuple[int, str, tuple[int, ...], float]]:
        """The cut points as a table.

        Returns:
            One row per cut point: its index, its name, the shape that a head reads there, and the share of the
            multiply-accumulates done before it, in [0, 1].
        """
        return [(cut.index, cut.name, cut.carried[0].shape, cut.share) for cut in self.cuts]

    def _answer(self) -> fx.Node:
        node = next(node for node in self.trace.module.graph.nodes if node.op == "output").args[0]
        assert isinstance(node, fx.Node)
        return node


def capture(model: nn.Module, example: Example, *, whole: bool = False, logits: Logits = None) -> Capture:
    """A copy of a classifier that can be cut; the model itself stays as it is.

    By symbolic tracing where that works: layers stay layers, and training mode means something. Else by
    `torch.export`, whose stages know evaluation mode alone. Sizes other than the batch stay those of the example.

    Args:
        model: Classifier that answers with logits [B, K]: a tensor, the entry or attribute `logits`, or the only output
            of that shape. One that answers with probabilities is captured with their logarithm as its answer, and a
            warning.
        example: One or more samples as the model takes them: a tensor, a tuple of tensors, or a dictionary by argument
            name; batch first.
        whole: True if the network will not be cut, and needs no cut point.
        logits: Name or position of the output that holds the logits, if there are several.

    Returns:
        The captured network, in evaluation mode.

    Raises:
        CaptureError: The model cannot be captured, has no cut point, or does not answer each sample by itself (see
            `check_rows`); the message names the module.
        OptionError: There is no such output.

    Example:
        >>> net = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
        >>> [(cut.name, cut.macs) for cut in capture(net, torch.zeros(2, 8)).cuts]
        [('1', 128)]
    """
    inputs = read_example(example)
    inputs = inputs.rows(_ROWS)
    copied: nn.Module | None = copy_module(model)
    assert copied is not None
    refuse_other_numbers(copied)
    first = _answer_of(copied, inputs, read_logits(logits))
    in_own_numbers = first.model is copied
    _check_first(first, read_example(example) if in_own_numbers else inputs_in_float32(read_example(example)))
    if not in_own_numbers:  # the copy in float32 answers, the one in its own numbers does not
        model, copied = first.model, None
    inputs = first.inputs
    answer = read_answer(first.logits, read_logits(logits), type(model).__name__)
    failures: list[str] = []
    best: Capture | None = None
    for way, tracer in _WAYS.items():
        try:
            found = _assemble(tracer(copied or copy_module(model), inputs, first.path), first, answer)
        except Exception as reason:  # tracing runs code of the user's, which may raise anything
            failures.append(f"{way}: {_brief(reason)}")
            copied = None  # what a way that failed has done to its copy is unknown
            continue
        copied = None
        if best is None or len(found.cuts) > len(best.cuts):
            best = found
        if whole or (best.cuts and not _hides_work(best)):
            break
    captured = _required(best, type(model).__name__, failures, whole=whole)
    _warn(model, captured, first)
    return captured


def _check_first(first: _First, inputs: Inputs) -> None:
    """Refuse a network that does not answer each row of the example by itself."""
    given = dict(zip(inputs.names, inputs.tensors, strict=True)) if inputs.keyword else inputs.tensors
    check_rows(first.model, given, answer=lambda result: pick(result, first.path))


def _required(best: Capture | None, name: str, failures: Sequence[str], *, whole: bool) -> Capture:
    """The best capture, if there is one that can be cut or need not be."""
    if best is None:
        raise CaptureError(
            f"{name} cannot be captured: {'; '.join(failures)}. "
            "Move Python branches on tensor values out of that module's forward, or into a submodule of their own."
        )
    if not (best.cuts or whole):
        raise CaptureError(
            f"{name} has no cut point: nowhere do later layers need just a few batch-first tensors. "
            "Make it a chain of modules that pass such tensors on."
        )
    return best


def _warn(model: nn.Module, found: Capture, first: _First) -> None:
    """All that one should know of a network that was captured."""
    warn_of_floats(type(model).__name__, first.floats)
    warn_of_features(model, found.trace.module, found.values, found.logits.shape[-1])
    warn_uncounted(name for value in found.values.values() if value.role != "free" for name in value.uncounted)


_WAYS: Mapping[str, Callable[[nn.Module, Inputs, Path], Trace]] = {
    "torch.fx": trace_symbolically,
    "torch.export": trace_by_export,
    "torch.fx with opaque modules": lambda model, inputs, path: trace_symbolically(model, inputs, path, whole=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _First:
    """What a model answers to the example, which every capture must reproduce.

    Attributes:
        model: That answered: the model, or a copy in float32.
        inputs: That it was called with.
        path: Where in its answer the logits are.
        logits: The answer, in float32.
        floats: Types other than float32 in which it computes or whose weights it has.
    """

    model: nn.Module
    inputs: Inputs
    path: Path
    logits: torch.Tensor
    floats: frozenset[torch.dtype]


def _answer_of(model: nn.Module, inputs: Inputs, answer: Answer) -> _First:
    """The logits of the example, from the model as it is or, where that does not run on it, in float32."""
    try:
        first = _try(model, inputs, answer)
    except OfframpError:
        raise
    except Exception as reason:  # the model's own complaint about its input
        if not other_floats(model):
            raise _not_answered(model, reason) from reason
        try:
            first = _try(in_float32(model), inputs_in_float32(inputs), answer)
        except OfframpError:
            raise
        except Exception:  # then what it said first is what matters
            raise _not_answered(model, reason) from reason
        return replace(first, floats=other_floats(model))
    return first


def _try(model: nn.Module, inputs: Inputs, answer: Answer) -> _First:
    with torch.no_grad(), torch.random.fork_rng(devices=[]), Watch() as watch:
        result = inputs.call(model)
    path = locate_logits(result, answer.where)
    logits = pick(result, path)
    if not isinstance(logits, torch.Tensor) or logits.ndim != 2 or len(logits) != len(inputs.tensors[0]):
        raise CaptureError(
            f"{type(model).__name__} must answer with logits [B, K], but gives {list_outputs(result)}. "
            "Wrap it, or name the output: logits=NAME or INDEX.",
            about=["logits="],
        )
    floats = frozenset(watch.seen | {tensor.dtype for tensor in inputs.tensors} & ROUNDING.keys())
    logits = logits.float() if logits.dtype in ROUNDING else logits
    return _First(model=model, inputs=inputs, path=path, logits=logits, floats=floats)


def _not_answered(model: nn.Module, reason: Exception) -> CaptureError:
    return CaptureError(
        f"{type(model).__name__} must answer the example, but raised {_brief(reason)}. Check its shapes and types."
    )


def _assemble(trace: Trace, first: _First, answer: Answer) -> Capture:
    """Check a trace against the original's answer and find its cut points."""
    inputs, expected = first.inputs, first.logits
    if first.floats:
        trace, inputs = trace_in_float32(trace), inputs_in_float32(inputs)
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        logits = trace.module(*inputs.tensors)
    largest = float(expected.abs().max().clamp(min=1e-6))
    tolerance = max(_TOLERANCE, *(ROUNDING[kind] for kind in first.floats), 0.0)
    if logits.shape != expected.shape or float((logits - expected).abs().max()) > tolerance * largest:
        raise CaptureError("it answers differently from the original")
    if answer.probabilities:
        trace = replace(trace, module=with_logarithm(trace.module))
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")
        values = find_values(trace, inputs)
    described = {
        name: Tensor(shape=tuple(tensor.shape[1:]), dtype=str(tensor.dtype).removeprefix("torch."))
        for name, tensor in zip(inputs.names, inputs.tensors, strict=True)
    }
    return Capture(
        cuts=find_cuts(values),
        entry=find_entry(values),
        inputs=described,
        logits=Tensor(shape=tuple(expected.shape[1:]), dtype=str(expected.dtype).removeprefix("torch.")),
        answer=answer,
        macs=sum(value.macs for value in values.values()),
        eval_only=trace.eval_only,
        trace=trace,
        values=values,
    )


def _hides_work(found: Capture) -> bool:
    """True if one module that was kept whole does most of the work."""
    modules = [node for node in found.values if node.op == "call_module"]
    return any(
        found.values[node].macs > _OPAQUE * found.macs
        and any(True for _ in found.trace.module.get_submodule(str(node.target)).children())
        for node in modules
    )


def _brief(reason: Exception) -> str:
    """Kind and first line of a foreign error, and the module that it came from if known."""
    if isinstance(reason, TraceFailure):
        return f"stops in {f'module {reason.path!r}' if reason.path else 'its own forward'}: {first_line(reason)}"
    return brief(reason)
