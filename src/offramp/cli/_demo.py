"""The main job on what ships with the package: a LeNet-5, trained on the digits of scikit-learn."""

from __future__ import annotations

import numpy as np

from offramp import build, data, learn
from offramp.run import ArraySamples, Samples

from ._inputs import Sets
from ._optimize import Json, Say, run_chain
from ._options import Options

TRAIN, TUNE, CALIBRATE = 800, 299, 450  # of 1,797 digits; the rest is for the test


def run_demo(options: Options, *, say: Say, progress: bool) -> Json:
    """Train a LeNet-5 on 800 digits, then run the chain of `offramp optimize` on it."""
    sets = _divide(options.seed)
    say(f"training lenet5 on {TRAIN} digits")
    loaded = build.load_model("zoo:lenet5", seed=options.seed)
    module = learn.train_classifier(loaded.module, sets.train, epochs=20, seed=options.seed)
    loaded.module.load_state_dict(module.state_dict())
    return run_chain(options, loaded, sets, held_out=True, resume=False, say=say, progress=progress)


def _divide(seed: int) -> Sets:
    digits = _all_digits()
    order = np.random.default_rng(seed).permutation(len(digits))
    train, tune, calibrate, test = np.split(order, np.cumsum([TRAIN, TUNE, CALIBRATE]))
    return Sets(
        train=digits.subset(train), tune=digits.subset(tune), calibrate=digits.subset(calibrate), test=digits.subset(test)
    )


def _all_digits() -> Samples:
    parts = [data.load("digits@train"), data.load("digits@test")]
    arrays = [part.take(range(len(part))) for part in parts]
    return ArraySamples(
        inputs={name: np.concatenate([array[name] for array in arrays]) for name in arrays[0]},
        ids=np.concatenate([part.ids for part in parts]),
        labels=np.concatenate([np.asarray(part.labels) for part in parts]),
    )
