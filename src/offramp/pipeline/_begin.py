"""From the arguments of `offramp.optimize` to a request and the objects that were given, and from there to a run."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from offramp import data
from offramp.decide import Target
from offramp.errors import OptionError
from offramp.run import Samples

from ._engine import Engine
from ._exits import Exits
from ._optimize import optimize
from ._problem import Objects
from ._progress import Listener
from ._request import Request, find_tokenizer
from ._run import Run
from ._samples import call_samples
from ._screen import Screen
from ._search import Search
from ._training import Training


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The arguments of `offramp.optimize`, as they came; see there."""

    model: nn.Module | str
    train: data.Given
    held_out: data.Given | None
    target: Target | None
    exits: Exits | None
    training: Training | None
    engine: Engine | None
    search: Search | None
    seed: int
    out: str | Path | None
    resume: bool
    fresh: bool
    reference: str | None
    weights: str | Path | None
    class_names: Sequence[str] | None
    tokenizer: str | None
    shape: tuple[int, ...] | None
    logits: str | int | None
    mean: Sequence[float] | None
    std: Sequence[float] | None


def begin(asked: Asked, listener: Listener | None) -> Run:
    """The finished run.

    Args:
        asked: What was asked for.
        listener: Is told how far it is.

    Raises:
        OfframpError: Something does not fit; then nothing is written.
    """
    if asked.out is not None:
        return _run(asked, Path(asked.out), listener)
    if asked.resume or asked.fresh:
        name = "resume=True" if asked.resume else "fresh=True"
        raise OptionError(f"{name} needs the folder of the killed run, but out is None. Give out.", about=[name, "out"])
    scratch = Path(tempfile.mkdtemp(prefix="offramp-"))
    try:
        run = _run(asked, scratch / "run", listener)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    weakref.finalize(run, shutil.rmtree, scratch, ignore_errors=True)
    return run


def _run(asked: Asked, out: Path, listener: Listener | None) -> Run:
    objects = _take_objects(asked)
    optimize(_make_request(asked, objects, out), Screen(listener), objects)
    return Run(out)


def _take_objects(asked: Asked) -> Objects:
    """What was given itself, in the form in which the chain reads it.

    Raises:
        OptionError: The model is neither a module nor a reference.
        DataError: Samples cannot be read.
    """
    if not isinstance(asked.model, str | nn.Module):
        raise OptionError(
            f"model must be a torch.nn.Module or a reference, but is {type(asked.model).__name__}. Give one of them.",
            about=["model"],
        )
    return Objects(
        module=None if isinstance(asked.model, str) else asked.model,
        reference=asked.reference,
        train=_as_samples(asked.train, "train"),
        held_out=None if asked.held_out is None else _as_samples(asked.held_out, "held_out"),
    )


def _as_samples(given: data.Given, name: str) -> Samples | None:
    """The samples, or None for a reference: how it is read depends on what the network reads."""
    return None if isinstance(given, str) else data.as_samples(given, name)


def _make_request(asked: Asked, objects: Objects, out: Path) -> Request:
    """What the record says of the run."""
    model = asked.model if isinstance(asked.model, str) else asked.reference or type(asked.model).__name__
    return Request(
        model=model,
        train=asked.train if isinstance(asked.train, str) else call_samples(objects.train),
        held_out=asked.held_out if isinstance(asked.held_out, str | None) else call_samples(objects.held_out),
        out=out,
        target=asked.target or Target(),
        exits=asked.exits or Exits(),
        training=asked.training or Training(),
        engine=asked.engine or Engine(),
        search=asked.search or Search(),
        weights=None if asked.weights is None else Path(asked.weights),
        tokenizer=find_tokenizer(asked.tokenizer, model),
        shape=None if asked.shape is None else tuple(asked.shape),
        logits=None if asked.logits is None else str(asked.logits),
        mean=None if asked.mean is None else tuple(asked.mean),
        std=None if asked.std is None else tuple(asked.std),
        class_names=None if asked.class_names is None else tuple(asked.class_names),
        seed=asked.seed,
        resume=asked.resume,
        fresh=asked.fresh,
    )
