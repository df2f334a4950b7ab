"""A network and the samples it is optimized with, checked against each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from offramp import data, decide, zoo
from offramp.errors import DataError, OptionError
from offramp.run import Samples

from ._request import Request
from ._samples import Reads, drop_repeats
from ._screen import Screen

KNOWN = ("zoo", "torchvision", "timm", "hf")  # origins that say what their networks read
PARTS = (0.30, 0.35, 0.35)  # tune, calibrate, test
SET_ASIDE = 0.4  # of `train`, if nothing else is held out
FEWEST = 3  # samples per part
SHARED = 0.01  # of the held-out samples that `train` may hold too, and that are then left out: public sets have a few


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What a run is made of.

    Attributes:
        model: The network.
        mean: Per channel, or None for plain pixels.
        std: As `mean`.
        class_names: What the outputs are called, in their order; None if nobody said.
        train: Samples on which heads learn.
        tune: On which the frontier is drawn.
        calibrate: On which the promise is proven.
        test: On which everything is reported.
        held_out: Whether the last three come from samples of their own.
    """

    model: zoo.LoadedModel
    train: Samples
    tune: Samples
    calibrate: Samples
    test: Samples
    held_out: bool
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    class_names: tuple[str, ...] | None = None

    @property
    def parts(self) -> dict[str, Samples]:
        """The four sets by name."""
        return {"train": self.train, "tune": self.tune, "calibrate": self.calibrate, "test": self.test}


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """What was given itself, and not by a reference.

    Attributes:
        module: The network; None loads the one that the request names.
        reference: How it can be built again; None if nobody can say.
        train: The samples that exits learn from; None loads those that the request names.
        held_out: The samples to choose, prove and test on; None the same.
    """

    module: nn.Module | None = None
    reference: str | None = None
    train: Samples | None = None
    held_out: Samples | None = None


def gather(request: Request, screen: Screen, objects: Objects | None = None) -> Problem:
    """Load everything that the options name, and refuse what does not fit.

    Everything that can be seen without running the network is looked at: numbers of samples, labels, and every file to
    its end.

    Args:
        request: What is asked for.
        screen: Where progress and warnings go.
        objects: What was given itself; None if everything is named.

    Raises:
        OfframpError: Any of it is missing or wrong; the sentence says what.
    """
    objects = objects or Objects()
    with screen.step(f"model {request.model}"):
        model = load_model(request, objects)
    with screen.step(f"data {request.train}"):
        classes, samples, held = _read(request, model, screen, objects)
        _divide(request, _set_aside(request, samples)[1] if held is None else held)  # before every file is read
        train, held = _know_by_content(request, samples, held, screen)
    tune, calibrate, test = _divide(request, held)
    if model.classes > len(train):
        screen.warn(
            f"{request.model} tells {model.classes} classes apart, but learns from {len(train)} samples. If these are "
            "features, name its logits with logits=, or build it with its classifier.",
            about=["logits="],
        )
    mean, std = _normalization(request, model, screen, said=objects.train is not None)
    if request.held_out is None:
        screen.warn(
            "no held_out: 40 % of train is set aside. If the network was trained on it, no promise holds.",
            about=["held_out", "train"],
        )
    return Problem(
        model=model,
        train=train,
        tune=tune,
        calibrate=calibrate,
        test=test,
        held_out=request.held_out is not None,
        mean=mean,
        std=std,
        class_names=classes.names,
    )


def check_counts(request: Request, problem: Problem) -> None:
    """Refuse a promise that so few samples cannot prove even if nothing is lost, before anything is trained.

    What a promise of the net loss needs depends on what is gained, so of that nothing can be said yet.

    Raises:
        DataError: So few they are; the sentence says how many would do.
    """
    goal, calibrate = request.target, len(problem.calibrate)
    if goal.max_loss is None or goal.kind == "net":
        return
    needed = decide.needed_samples((1 - goal.margin) * goal.max_loss, goal.confidence)
    if calibrate >= needed:
        return
    held = len(problem.tune) + calibrate + len(problem.test)
    source = "held_out" if problem.held_out else "train"
    wanted = math.ceil((needed + 1) * held / calibrate / (1 if problem.held_out else SET_ASIDE))
    raise DataError(
        f"target.max_loss {goal.max_loss:g} at target.confidence {goal.confidence:g} needs {needed} calibration "
        f"samples, but {calibrate} of {held} held out are. Give {source} {wanted:,} samples, or accept a loss of "
        f"{_least_loss(calibrate, goal.confidence) / (1 - goal.margin):.3g}.",
        about=["target.max_loss", "target.confidence", source],
    )


def _least_loss(samples: int, confidence: float) -> float:
    """The smallest loss that so many samples can prove if nothing is lost on them, rounded up to a thousandth."""
    return math.ceil(1000 * (1 - math.pow(1 - confidence, 1 / samples))) / 1000


def load_model(request: Request, objects: Objects) -> zoo.LoadedModel:
    """The network; one of the user's own code is told the shape that all samples have."""
    if objects.module is not None:
        return zoo.take_module(
            objects.module, _two_samples(request, objects), reference=objects.reference, weights=request.weights,
            logits=request.logits,
        )  # fmt: skip
    shape = request.shape
    if shape is None and objects.train is not None and request.model.partition(":")[0] not in KNOWN:
        shape = tuple(next(iter(objects.train.take([0]).values())).shape[1:])
    if shape is None and request.model.partition(":")[0] not in KNOWN:
        shape = find_shape(request)
    return zoo.load_model(request.model, weights=request.weights, shape=shape, seed=request.seed, logits=request.logits)


def _two_samples(request: Request, objects: Objects) -> torch.Tensor | dict[str, torch.Tensor]:
    """Two samples as a module of the user's reads them, by name if there are several inputs."""
    samples = objects.train
    if samples is None:
        shape = request.shape or find_shape(request)
        samples = data.load(
            request.train, split="train", tokenizer=request.tokenizer, warn=_say_nothing,
            image_size=(shape[1], shape[2]) if len(shape) == 3 else None,
        )  # fmt: skip
    taken = {
        name: torch.from_numpy(np.array(array)) for name, array in samples.take([0, min(1, len(samples) - 1)]).items()
    }
    return taken if len(taken) > 1 else next(iter(taken.values()))


def find_shape(request: Request) -> tuple[int, ...]:
    """What one sample looks like, for a network that does not say what it reads.

    Raises:
        OptionError: Pictures have several sizes, so that nobody knows which the network was trained with.
    """
    first = data.load(request.train, split="train", tokenizer=request.tokenizer, warn=_say_nothing)
    sizes = data.stored_sizes(first)
    if sizes and request.held_out is not None:
        held = data.load(request.held_out, split="test", tokenizer=request.tokenizer, warn=_say_nothing)
        sizes |= data.stored_sizes(held)
    if len(sizes) > 1:
        some = " and ".join(f"{height} x {width}" for height, width in (min(sizes), max(sizes)))
        raise OptionError(
            f"pictures must have one size if {request.model} does not say what it reads, but there are {len(sizes)}, "
            f"such as {some}. Give shape=3,224,224 or another.",
            about=["shape="],
        )
    return tuple(next(iter(first.take([0]).values())).shape[1:])


def _say_nothing(text: str) -> None:
    """Labels do not matter yet."""


def _read(
    request: Request, model: zoo.LoadedModel, screen: Screen, objects: Objects
) -> tuple[data.Classes, Samples, Samples | None]:
    """What the classes are called, `train`, and `held_out` if it is named; labels are class numbers of the network.

    Classes are called as `class_names` says, else as the network does, else as they are in the first set that names as
    many as the network has outputs.

    Raises:
        OfframpError: Samples do not fit, or something was asked for that needs labels, and they cannot be used.
    """
    known = data.Classes(count=model.classes, names=request.class_names or model.class_names)
    reads = Reads(shapes=model.shapes, classes=known, tokenizer=request.tokenizer, vocabulary=model.vocabulary)
    learns, proves = request.asked_labels
    asked = [(request.train, "train", learns, learns or request.held_out is None)]  # is it asked, and is it strict?
    asked += [] if request.held_out is None else [(request.held_out, "test", proves, True)]
    warn = {True: None, False: screen.warn}
    objects_given = (objects.train, objects.held_out)[: len(asked)]
    raw = [
        reads.read(place, split=split, warn=warn[need], strict=strict) if given is None else given
        for given, (place, split, need, strict) in zip(objects_given, asked, strict=True)
    ]
    asked = [  # errors speak of what was given itself by the argument's name
        (place if given is None else name, split, need, strict)
        for name, given, (place, split, need, strict) in zip(("train", "held_out"), objects_given, asked, strict=False)
    ]
    reads = replace(reads, classes=_name_classes(raw, known))
    fitted = [
        reads.fit(one, place, warn=warn[need], strict=strict)
        for one, (place, _, need, strict) in zip(raw, asked, strict=True)
    ]
    for one, (place, _, need, _) in zip(fitted, asked, strict=True):
        if need and one.labels is None:
            raise DataError(
                f"target.kind harm and net, and training.regime frozen, mixed and joint need labels, but {place} has "
                "none. Add some, or ask for agreement and regime post.",
                about=["target.kind", "training.regime"],
            )
    return reads.classes, fitted[0], fitted[1] if len(fitted) > 1 else None


def _name_classes(sets: Sequence[Samples], classes: data.Classes) -> data.Classes:
    """The classes with the names of the first set that has one for every output, unless they have names."""
    if classes.names is not None:
        return classes
    settled = (data.settle_labels(one, classes, "", warn=_say_nothing) for one in sets)
    names = next((found for one in settled if (found := data.class_names_of(one)) is not None), None)
    return replace(classes, names=names)


def _set_aside(request: Request, samples: Samples) -> tuple[Samples, Samples]:
    """What is learned from, and what is held out, if nothing else is."""
    train, held = data.split(samples, (1 - SET_ASIDE, SET_ASIDE), request.seed)
    return train, held


def _know_by_content(
    request: Request, samples: Samples, held: Samples | None, screen: Screen
) -> tuple[Samples, Samples]:
    """What is learned from and what is held out, without samples that are in both, or twice in the latter.

    Raises:
        DataError: A file is broken, or the two share more than a few samples.
    """
    known = data.fingerprint(samples, meter=screen.progress)
    if held is None:
        return _set_aside(request, drop_repeats(samples, known, request.train, screen)[0])
    assert request.held_out is not None
    held, contents = drop_repeats(held, data.fingerprint(held, meter=screen.progress), request.held_out, screen)
    shared = np.isin(contents, known)
    if shared.sum() > SHARED * len(held):
        raise DataError(
            f"held_out must hold other samples than train, but {shared.sum()} of {len(held)} are in both, such as "
            f"{held.ids[np.argmax(shared)]}. Name another part or file.",
            about=["held_out", "train"],
        )
    if shared.any():
        screen.warn(
            f"{shared.sum()} of {len(held)} samples of {request.held_out} are in train too, such as "
            f"{held.ids[np.argmax(shared)]}: nothing is chosen or proven on them.",
            about=["train"],
        )
    return samples, held.subset(np.flatnonzero(~shared))


def _divide(request: Request, held: Samples) -> tuple[Samples, ...]:
    """Tune, calibrate and test.

    Raises:
        DataError: They are too few.
    """
    parts = data.split(held, PARTS, request.seed)
    if min(map(len, parts)) < FEWEST:
        raise DataError(
            f"tuning, proving and testing need {3 * FEWEST + 1} samples, but {len(held)} are held out. Add some."
        )
    return parts


def _normalization(
    request: Request, model: zoo.LoadedModel, screen: Screen, *, said: bool
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Mean and standard deviation: of the options, else of the network's origin, else none.

    Args:
        request: What is asked for.
        model: The network.
        screen: Where warnings go.
        said: Whether samples were given as the network reads them, so that no warning is due.
    """
    shape = next(iter(model.shapes.values()))
    mean, std = (request.mean, request.std) if request.mean is not None else (model.mean, model.std)
    if mean is None:
        if len(shape) == 3 and not said and not request.model.startswith("zoo:"):
            screen.warn(f"{request.model} does not say its mean and std, so pixels in [0, 1] go in as they are.")
        return None, None
    wide = tuple(mean * shape[0] if len(mean) == 1 else mean)
    if len(wide) != shape[0]:
        raise OptionError(
            f"mean and std must have {shape[0]} numbers, one per channel, but have {len(mean)}. Fix them.",
            about=["mean", "std"],
        )
    assert std is not None
    return wide, tuple(std * shape[0] if len(std) == 1 else std)
