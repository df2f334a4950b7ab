"""A demonstration: the whole chain on data that ships with scikit-learn, in a minute or two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from offramp import data, learn, zoo
from offramp.decide import Target
from offramp.run import ArraySamples, Samples
from offramp.store._folder import check_killed, check_out, reserve

from ._exits import Exits
from ._optimize import run_chain
from ._problem import Problem
from ._progress import Listener
from ._request import Request
from ._run import Run
from ._screen import Screen
from ._training import Training

TRAIN = 800
PARTS = (0.3, 450 / 997, 1 - 0.3 - 450 / 997)  # of the other 997: tune, calibrate, test
EPOCHS = 60  # of the LeNet-5


def demo(out: Path, *, seed: int = 0, fresh: bool = False, on_progress: Listener | None = None) -> Run:
    """Train a LeNet-5 on 800 digits, add one exit, promise 1 % on 450 others, and write everything to `out`.

    A demo that was killed goes on where it was.

    Args:
        out: Folder to write.
        seed: The seed of everything random.
        fresh: True throws away what a killed run left instead.
        on_progress: Is told how far it is.

    Returns:
        The run.
    """
    screen = Screen(on_progress)
    request = _request(out, seed, fresh=fresh)
    with reserve(out):
        check_out(out)
        check_killed(out, request.deciding(), resume=request.resume, fresh=fresh)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # several get into each other's way on networks this small
        try:
            run_chain(request, _train_network(request, screen), screen, again="without fresh=True")
        finally:
            torch.set_num_threads(threads)
    return Run(out)


def _request(out: Path, seed: int, *, fresh: bool) -> Request:
    return Request(
        model="zoo:lenet5",
        train="digits",
        out=out,
        target=Target(max_loss=0.01, confidence=0.95, kind="agreement"),
        exits=Exits(count=1, placement=("pool1",), head="light:width=24,blocks=2"),
        training=Training(epochs=80),
        seed=seed,
        resume=not fresh,
        fresh=fresh,
    )


def _train_network(request: Request, screen: Screen) -> Problem:
    train, held = _digits()
    with screen.step(f"LeNet-5 on {len(train)} digits"):
        loaded = zoo.load_model(request.model, seed=request.seed)
        module = learn.train_classifier(loaded.module, train, epochs=EPOCHS, seed=request.seed)
    tune, calibrate, test = data.split(held, PARTS, request.seed)
    return Problem(
        model=zoo.LoadedModel(
            module=module,
            reference=loaded.reference,
            arguments=loaded.arguments,
            example=loaded.example,
            classes=loaded.classes,
        ),
        train=train,
        tune=tune,
        calibrate=calibrate,
        test=test,
        held_out=True,
    )


def _digits() -> tuple[Samples, Samples]:
    """800 digits to learn from, and the other 997."""
    known, other = data.load("digits@train"), data.load("digits@test")
    spare = known.subset(slice(TRAIN, None))
    return known.subset(slice(TRAIN)), _joined(spare, other)


def _joined(*sets: Samples) -> ArraySamples:
    """Sets of pictures as one."""
    taken = [one.take(slice(None)) for one in sets]
    labels = [one.labels for one in sets if one.labels is not None]
    return ArraySamples(
        inputs={name: np.concatenate([one[name] for one in taken]) for name in taken[0]},
        ids=np.concatenate([one.ids for one in sets]),
        labels=np.concatenate(labels),
    )
