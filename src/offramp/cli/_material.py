"""A network and the samples it is optimized with, checked against each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from offramp import build, data
from offramp.errors import DataError, OptionError
from offramp.run import Samples

from ._request import Request
from ._samples import load_samples
from ._screen import Screen

KNOWN = ("zoo", "torchvision", "timm", "hf")  # origins that say what their networks read
PARTS = (0.30, 0.35, 0.35)  # tune, calibrate, test
SET_ASIDE = 0.4  # of --data, if nothing else is held out
FEWEST = 3  # samples per part


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What a run is made of.

    Attributes:
        model: The network.
        mean: Per channel, or None for plain pixels.
        std: As `mean`.
        train: Samples on which heads learn.
        tune: On which the frontier is drawn.
        calibrate: On which the promise is proven.
        test: On which everything is reported.
        held_out: Whether the last three come from samples of their own.
    """

    model: build.LoadedModel
    train: Samples
    tune: Samples
    calibrate: Samples
    test: Samples
    held_out: bool
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @property
    def parts(self) -> dict[str, Samples]:
        """The four sets by name."""
        return {"train": self.train, "tune": self.tune, "calibrate": self.calibrate, "test": self.test}


def gather(request: Request, screen: Screen) -> Material:
    """Load everything that the options name, and refuse what does not fit.

    Raises:
        OfframpError: Any of it is missing or wrong; the sentence says what.
    """
    with screen.step(f"model {request.model}"):
        model = load_model(request)
    with screen.step(f"data {request.data}"):
        samples = load_samples(request.data, model.shapes, model.classes, split="train", tokenizer=request.tokenizer)
        train, held = _set_aside(request, samples, model)
    tune, calibrate, test = data.split(held, PARTS, request.seed)
    if min(len(tune), len(calibrate), len(test)) < FEWEST:
        raise DataError(
            f"tuning, proving and testing need {3 * FEWEST + 1} samples, but {len(held)} are held out. Add some."
        )
    if model.classes > len(train):
        screen.warn(
            f"{request.model} tells {model.classes} classes apart, but learns from {len(train)} samples. If these are "
            "features, name its logits with --logits, or build it with its classifier."
        )
    mean, std = _normalization(request, model, screen)
    if request.held_out is None:
        screen.warn("no --held-out: 40 % of --data is set aside. If the network was trained on it, no promise holds.")
    return Material(
        model=model,
        train=train,
        tune=tune,
        calibrate=calibrate,
        test=test,
        held_out=request.held_out is not None,
        mean=mean,
        std=std,
    )


def load_model(request: Request) -> build.LoadedModel:
    """The network; one of the user's own code is told the shape of the first sample."""
    shape = request.shape
    if shape is None and request.model.partition(":")[0] not in KNOWN:
        first = data.load(request.data, split="train", tokenizer=request.tokenizer)
        shape = next(iter(first.take([0]).values())).shape[1:]
    return build.load_model(
        request.model, weights=request.weights, shape=shape, seed=request.seed, logits=request.logits
    )


def _set_aside(request: Request, samples: Samples, model: build.LoadedModel) -> tuple[Samples, Samples]:
    """What is learned from, and what is held out."""
    if request.held_out is None:
        train, held = data.split(samples, (1 - SET_ASIDE, SET_ASIDE), request.seed)
        return train, held
    held = load_samples(request.held_out, model.shapes, model.classes, split="test", tokenizer=request.tokenizer)
    shared = np.intersect1d(samples.ids, held.ids)
    if len(shared):
        raise DataError(
            f"--held-out must hold other samples than --data, but {len(shared)} are in both, such as {shared[0]!r}. "
            "Name another part or file."
        )
    return samples, held


def _normalization(
    request: Request, model: build.LoadedModel, screen: Screen
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Mean and standard deviation: of the options, else of the network's origin, else none."""
    shape = next(iter(model.shapes.values()))
    mean, std = (request.mean, request.std) if request.mean is not None else (model.mean, model.std)
    if mean is None:
        if len(shape) == 3 and not request.model.startswith("zoo:"):
            screen.warn(f"{request.model} does not say its mean and std, so pixels in [0, 1] go in as they are.")
        return None, None
    wide = tuple(mean * shape[0] if len(mean) == 1 else mean)
    if len(wide) != shape[0]:
        raise OptionError(
            f"--mean and --std must have {shape[0]} numbers, one per channel, but have {len(mean)}. Fix them."
        )
    assert std is not None
    return wide, tuple(std * shape[0] if len(std) == 1 else std)
