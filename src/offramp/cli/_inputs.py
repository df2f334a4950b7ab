"""From references to a network and four disjoint sets of samples."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from offramp import build, data
from offramp.errors import DataError
from offramp.run import Samples

from ._options import Options

SIZED = ("zoo:", "torchvision:", "timm:", "hf:")  # references that know the shape of their input
HELD_OUT = (0.30, 0.35, 0.35)  # tune, calibrate, test
SET_ASIDE = 0.40  # of --data, if there is no --held-out


@dataclass(frozen=True, slots=True, kw_only=True)
class Sets:
    """Disjoint samples: to train the heads, to draw the frontier, to prove, to report."""

    train: Samples
    tune: Samples
    calibrate: Samples
    test: Samples

    def sizes(self) -> dict[str, int]:
        """Number of samples by name of the set."""
        return {name: len(getattr(self, name)) for name in ("train", "tune", "calibrate", "test")}


def load_inputs(options: Options) -> tuple[build.LoadedModel, Sets]:
    """The network and its samples, checked against each other.

    Raises:
        OfframpError: Whatever is wrong with a reference, the weights or the samples.
    """
    if options.model.startswith(SIZED):
        loaded = build.load_model(options.model, weights=options.weights, seed=options.seed)
        shape = next(iter(loaded.shapes.values()))
        samples = _load(options.data, "train", options, shape)
    else:
        samples = _load(options.data, "train", options, None)
        first = next(iter(samples.take(range(1)).values()))
        loaded = build.load_model(options.model, weights=options.weights, shape=first.shape[1:], seed=options.seed)
        shape = first.shape[1:]
    held_out = _load(options.held_out, "test", options, shape) if options.held_out else None
    for part in (samples, held_out):
        if part is not None:
            data.check_samples(part, loaded.shapes if len(loaded.shapes) > 1 else shape, loaded.classes)
    return loaded, divide(samples, held_out, options.seed)


def divide(samples: Samples, held_out: Samples | None, seed: int) -> Sets:
    """Four disjoint sets: without held-out samples, 40 % are set aside first."""
    if held_out is None:
        samples, held_out = data.split(samples, (1 - SET_ASIDE, SET_ASIDE), seed)
    shared = set(samples.ids.tolist()) & set(held_out.ids.tolist())
    if shared:
        raise DataError(
            f"--held-out must be samples that --data lacks, but {len(shared)} are in both, such as {sorted(shared)[0]!r}: "
            "leave --held-out out, or name another part."
        )
    tune, calibrate, test = data.split(held_out, HELD_OUT, seed)
    return Sets(train=samples, tune=tune, calibrate=calibrate, test=test)


def find_normalize(loaded: build.LoadedModel, options: Options) -> build.Normalize | None:
    """Mean and deviation of the options, else of the model; None (with a warning where it may matter) if nobody knows."""
    mean, std = (options.mean, options.std) if options.mean else (loaded.mean, loaded.std)
    if mean and std:
        return build.Normalize(mean, std)
    pictures = len(next(iter(loaded.shapes.values()))) == 3
    if pictures and not options.model.startswith("zoo:"):
        logging.getLogger("offramp").warning("no mean and std are known for %s: plain pixels in [0, 1] go in.", options.model)
    return None


def _load(reference: str, split: str, options: Options, shape: tuple[int, ...] | None) -> Samples:
    if shape is not None and len(shape) == 3:
        return data.load(
            reference, split=split, tokenizer=options.tokenizer, image_size=(shape[1], shape[2]), channels=shape[0]
        )
    return data.load(reference, split=split, tokenizer=options.tokenizer)
