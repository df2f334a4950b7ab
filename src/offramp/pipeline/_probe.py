"""What is found before anything is trained: all checks in one list, in the order in which they are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from offramp import capture, compress
from offramp.errors import EngineError, ExportError
from offramp.export import find_departure, onnx
from offramp.graph import Graph
from offramp.nn import Normalize

from ._chain import logits_in_float
from ._problem import Problem
from ._request import Request
from ._screen import Screen

SAMPLES = 8  # of the training samples, that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is probed.

    Attributes:
        request: Of the run.
        graph: The network with untrained exits, or candidates for them.
        problem: Of the run.
        taken: Some of the training samples, by input name.
        traces: Bodies that were exported; the run goes on with them.
        screen: Where warnings go.
    """

    request: Request
    graph: Graph
    problem: Problem
    taken: Mapping[str, NDArray[Any]]  # Any: pixels are float32, tokens int64
    traces: onnx.Traces
    screen: Screen


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that is checked before any training.

    Attributes:
        name: A word for it.
        finds: What it finds, in a sentence.
        when: Where in the run it is made.
        call: Makes it on a few samples of the user's, and raises what it finds; None if that step of the run does.
    """

    name: str
    finds: str
    when: str
    call: Callable[[Subject], None] | None = None


def probe(request: Request, graph: Graph, problem: Problem, screen: Screen) -> onnx.Traces:
    """Make those checks that need the network, samples and the engine together; gives the bodies that were exported.

    Nothing is written but to a temporary folder, which is gone afterwards.

    Raises:
        OfframpError: A check found something; the sentence says what helps.
    """
    subject = Subject(
        request=request, graph=graph, problem=problem, taken=_take(problem), traces={}, screen=screen
    )  # fmt: skip
    for check in CHECKS:
        if check.call is not None:
            with screen.step(f"probe: {check.name}"):
                check.call(subject)
    return subject.traces


def _take(problem: Problem) -> Mapping[str, NDArray[Any]]:  # Any: as above
    """A few training samples from all over, for samples often lie sorted by class."""
    train = problem.train
    return train.take(np.unique(np.linspace(0, len(train) - 1, min(SAMPLES, len(train))).astype(np.int64)))


def _check_rows(subject: Subject) -> None:
    problem = subject.problem
    tensors = {name: torch.from_numpy(np.array(array)) for name, array in subject.taken.items()}
    first = next(iter(tensors))
    if problem.mean is not None:
        tensors[first] = Normalize(problem.mean, problem.std or ())(tensors[first])
    model = problem.model
    given: torch.Tensor | dict[str, torch.Tensor] = tensors[first]
    if isinstance(
        model.example, dict
    ):  # it is called by keyword, and may name its only input otherwise than samples do
        given = tensors if len(model.example) > 1 else {next(iter(model.example)): tensors[first]}
    capture.check_rows(model.module, given, answer=model.find_logits)


def _check_precision(subject: Subject) -> None:
    if subject.request.engine.precision.startswith("int8"):
        compress.check_installed()


def _check_engine(subject: Subject) -> None:
    request = subject.request
    engine: Any = request.engine.name  # Any: one of ENGINES, checked by the request
    asked = request.engine.precision
    precision: Any = "f32" if asked == "auto" else asked.partition("+")[0]  # Any: one of them
    try:
        found = find_departure(
            subject.graph, subject.taken, logits_in_float(subject.problem, subject.taken),
            engine=engine, precision=precision, traces=subject.traces,
        )  # fmt: skip
    except EngineError as error:
        other = "onnxruntime" if request.engine.name == "openvino" else "openvino"
        lines = [line.strip() for line in str(error.__cause__ or error).splitlines() if line.strip()]
        raise EngineError(
            f"engine.name {request.engine.name} must run this network, but refuses it ({lines[-1][:160]}). "
            f"Try engine.name {other}.",
            about=["engine.name", "engine.name"],
        ) from error
    if found is not None and found.precision == "f32":
        raise ExportError(str(found))
    if found is not None:  # what a coarse precision loses is measured and promised later
        subject.screen.warn(str(found))


CHECKS = (
    Check(
        name="number type",
        finds="A network or a checkpoint that computes in another type than float32.",
        when="when the network is loaded",
    ),
    Check(
        name="logits",
        finds="A network with several outputs of which the first is not the logits, or that gives probabilities.",
        when="when the network is loaded",
    ),
    Check(
        name="sizes",
        finds="Pictures of several sizes, where nobody says which size the network wants.",
        when="when the samples are loaded",
    ),
    Check(
        name="files",
        finds="Files that cannot be read, and too few samples for the promise that is asked.",
        when="when the samples are loaded",
    ),
    Check(
        name="rows",
        finds="Answers that depend on other samples, on chance or on earlier calls; a batch of one that fails.",
        when="when exits are attached, and on training samples",
        call=_check_rows,
    ),
    Check(
        name="precision",
        finds="A precision for which a package is missing.",
        when="before any training",
        call=_check_precision,
    ),
    Check(
        name="engine",
        finds="An operator that cannot be exported, an engine or a precision that cannot run the network, and a layer "
        "that the engine computes otherwise than PyTorch.",
        when="before any training, on training samples",
        call=_check_engine,
    ),
)
