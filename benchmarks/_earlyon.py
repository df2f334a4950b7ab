"""The package earlyon (0.3.0 on PyPI), given the same network, pictures and engine as ours.

It is no dependency of offramp. To compare with it: pip install earlyon (or, to keep an environment as it is,
pip install --no-deps --target DIR earlyon fvcore iopath yacs portalocker tabulate termcolor, and DIR in PYTHONPATH).

What is compared. `custom_ee` hangs a head (mean over space, 128 hidden units, dropout) behind any named layer of a
frozen network, `stage2_train_exits` trains the heads with labels (Adam at 0.001, 20 epochs, the package's defaults),
and a sample leaves at the first exit whose largest probability reaches a threshold; or, as an option, whose entropy
is low enough. The labels are the network's own answers to the same crops, as our exits need none either. The network
is frozen, so what its heads read, the means over space, is computed once for each of four crops of each picture.
Its factory for CIFAR ResNets, whose shortcuts are others than those of the public weights, has exits behind each of
the three groups; they are `FACTORY` here.

Its heads do not influence each other: the loss is a sum, the network is frozen, and Adam scales each weight by itself.
So one training with many exits (`MANY`) gives every choice among them (`pick`).

It has no batches with samples that leave by themselves: `forward_inference_batched` stops when all samples of a batch
are sure, and its ONNX file runs all exits. `as_graph` therefore also puts its trained heads into our graph, to be
timed on the same engine as ours.

Its curves on the test images: benchmarks/earlyon_curves.py.

Shape letters: B batch, C channels, H W space, K classes, E exits with the final one, N = E - 1 early exits, S samples.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import _operators  # noqa: F401  # earlyon.models imports torchvision
import numpy as np
import torch
from _frozen import as_module
from earlyon import EarlyExitWrapper
from earlyon.core.thresholds import HeadLogits, calibrate_thresholds, collect_head_logits, fit_head_temperatures
from earlyon.models import custom_ee
from earlyon.training.two_stage_trainer import stage2_train_exits
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from offramp import attach
from offramp.graph import Graph
from offramp.learn import augment, shuffle
from offramp.measure import Costs, Evidence, Latency, latency
from offramp.measure import torch as measure_torch
from offramp.nn import Normalize
from offramp.nn.scores import Entropy, MaxProbability, gate_of
from offramp.pipeline import Engine
from offramp.pipeline.parts import Exports, Timing, draw_batches, time_network
from offramp.run import Samples
from offramp.zoo import LoadedModel

Look = tuple[Callable[[NDArray[np.int64]], Tensor], Tensor]  # positions [B] -> inputs [B, ...]; answers [S]
Widths = list[int]
FACTORY = ("layer1.8", "layer2.8", "layer3.8")  # of `cifar_resnet_ee` at depth 56
OURS = ("layer1.4", "layer2.0", "layer3.4")  # where ours are in first.py
MANY = tuple(sorted({*FACTORY, *OURS, "layer1.2", "layer2.4", "layer3.2", "layer3.6"}))
EPOCHS = 20  # default of `stage2_train_exits` and of its command line
BATCH = 128  # of its loader for CIFAR-10
CROPS = 4  # of each picture, in turn
GATES = {score.name: gate_of(score) for score in (MaxProbability, Entropy)}  # its policies "confidence" and "entropy"


class Batches(IterableDataset[tuple[Tensor, Tensor]]):
    """Batches of inputs [B, ...] and of what the network says about them [B].

    Args:
        looks: Inputs and answers [S]; the first is for the first epoch, and so on, and then again from the first.
        seed: Of the order, anew in each epoch; None leaves it as it is.
    """

    def __init__(self, looks: Sequence[Look], seed: int | None) -> None:
        self._looks, self._seed = looks, seed
        self._epoch = 0

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        take, answers = self._looks[self._epoch % len(self._looks)]
        count, seed = len(answers), self._seed
        order = np.arange(count) if seed is None else shuffle(count, seed=seed, epoch=self._epoch)
        self._epoch += 1
        for start in range(0, count, BATCH):
            positions = order[start : start + BATCH]
            yield take(positions), answers[positions]


def load(looks: Sequence[Look], seed: int | None = None) -> DataLoader[tuple[Tensor, Tensor]]:
    """The same as earlyon takes it; the generator keeps PyTorch's own, which dropout reads, as it is."""
    return DataLoader(Batches(looks, seed), batch_size=None, generator=torch.Generator())


def look_at(samples: Samples, answers: NDArray[np.int64]) -> Look:
    """Pictures as they are, with answers [S]."""
    return partial(take_pictures, samples), torch.from_numpy(answers)


def take_pictures(samples: Samples, positions: NDArray[np.int64]) -> Tensor:
    """[B, C, H, W] some pictures."""
    (pictures,) = samples.take(positions).values()
    return torch.from_numpy(pictures)


def wrap(loaded: LoadedModel, places: Sequence[str] = FACTORY) -> EarlyExitWrapper:
    """The network with untrained exits behind the named layers, as its README says."""
    ((channels, height, width),) = loaded.shapes.values()
    layers = [f"network.{place}" for place in places]
    return custom_ee(as_module(loaded), layers, loaded.classes, input_shape=(1, channels, height, width)).eval()


def places_of(model: EarlyExitWrapper) -> list[str]:
    """Behind which layers the exits are, by the network's own names."""
    return [point.layer_name.removeprefix("network.") for point in model.config.exit_points]


class Means(nn.Module):
    """Stands for the network in training: all that its heads read are means over space, and these are known already.

    Args:
        widths: Channels behind each place; then the number of classes.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = list(widths)
        self.places = nn.ModuleList(nn.Identity() for _ in self.widths)

    def forward(self, known: Tensor) -> Tensor:
        """Logits [B, K], the last columns of what is known."""
        for place, piece in zip(self.places, torch.split(known, self.widths, dim=1), strict=True):
            logits: Tensor = place(piece)
        return logits


@torch.inference_mode()
def know(loaded: LoadedModel, samples: Samples, places: Sequence[str], *, seed: int, epoch: int) -> tuple[Look, Widths]:
    """What heads read and what the network says, for one crop of each picture, mirrored or not: as `distill_heads`.

    The network computes in bfloat16, as in our training.
    """
    model = wrap(loaded, places).to(memory_format=torch.channels_last)  # type: ignore[call-overload, unused-ignore]
    for name in model.exit_heads:
        model.exit_heads[name] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    rows: list[Tensor] = []
    with torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(samples), BATCH):
            pictures = take_pictures(samples, np.arange(start, min(start + BATCH, len(samples))))
            crops = augment({"x": pictures}, "crop_flip", np.random.default_rng([seed, epoch, start // BATCH + 1]))["x"]
            pieces = [piece.float() for piece in model(crops, mode="training")]
            rows.append(torch.cat(pieces, dim=1))
    known = torch.cat(rows)
    return (known.__getitem__, known[:, -loaded.classes :].argmax(dim=1)), [piece.shape[1] for piece in pieces]


def train(
    loaded: LoadedModel,
    samples: Samples,
    *,
    places: Sequence[str] = MANY,
    epochs: int = EPOCHS,
    seed: int = 0,
    file: Path | None = None,
) -> EarlyExitWrapper:
    """Exits trained by earlyon, with the network's answers as labels; the network itself stays as it is.

    Args:
        loaded: The network.
        samples: To learn from; their labels are not read.
        places: Behind which layers.
        epochs: Passes over the samples.
        seed: Of weights, dropout, order and crops.
        file: Where the weights of the heads are kept; if it is there, nothing is trained.
    """
    model = wrap(loaded, places)
    if file is not None and file.exists():
        model.exit_heads.load_state_dict(torch.load(file, weights_only=True))
        return model
    known = [know(loaded, samples, places, seed=seed, epoch=epoch) for epoch in range(min(CROPS, epochs))]
    widths = known[0][1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        names = [f"places.{at}" for at in range(len(places))]
        heads = custom_ee(Means(widths), names, loaded.classes, example_args=(torch.zeros(1, sum(widths)),))
        stage2_train_exits(heads, load([look for look, _ in known], seed), epochs=epochs)
    model.exit_heads.load_state_dict(heads.exit_heads.state_dict())
    if file is not None:
        torch.save(model.exit_heads.state_dict(), file)
    return model.eval()


def pick(loaded: LoadedModel, model: EarlyExitWrapper, places: Sequence[str]) -> EarlyExitWrapper:
    """A model with some of the trained exits, and with their temperatures."""
    picked = wrap(loaded, places)
    names = {point.layer_name: point.name for point in model.config.exit_points}
    for point in picked.config.exit_points:
        name = names[point.layer_name]
        picked.exit_heads[point.name].load_state_dict(model.exit_heads[name].state_dict())
        picked.config.temperatures[point.name] = model.config.temperatures[name]
    return picked


# ---- what its exits say ----


def collect(model: EarlyExitWrapper, samples: Samples) -> HeadLogits:
    """Logits of all heads, by its own pass in float32; the network's answers are the targets."""
    known = np.zeros(len(samples), np.int64)
    found = collect_head_logits(model, load([look_at(samples, known)]), "cpu")
    return replace(found, targets=found.logits[-1].argmax(dim=1))


def pick_logits(logits: HeadLogits, model: EarlyExitWrapper, picked: EarlyExitWrapper) -> HeadLogits:
    """What `collect` would give for a picked model, from what it gave for the whole one."""
    found = dict(zip([*places_of(model), ""], zip(logits.logits, logits.flops, strict=True), strict=True))
    chosen = [found[place] for place in [*places_of(picked), ""]]
    return HeadLogits(
        head_names=picked.config.head_names,
        logits=[one for one, _ in chosen],
        targets=logits.targets,
        flops=torch.stack([one for _, one in chosen]),
    )


def evidence(model: EarlyExitWrapper, samples: Samples, logits: HeadLogits | None = None) -> Evidence:
    """What every exit says about every sample; the scores are computed as its gate does, temperatures included.

    Args:
        model: With trained exits.
        samples: Whose ids and labels the evidence keeps.
        logits: By `collect`, if they are at hand.
    """
    answers = torch.stack((logits or collect(model, samples)).logits)
    temperatures = [model.config.temperatures[point.name] for point in model.config.exit_points]
    shares = (answers[:-1] / torch.tensor(temperatures)[:, None, None]).softmax(dim=-1)
    scores = {
        "max_probability": shares.amax(dim=-1),
        "entropy": -(shares * shares.clamp_min(1e-12).log()).sum(dim=-1),
    }
    predictions = answers.argmax(dim=-1).T.numpy()
    return Evidence(
        ids=samples.ids,
        predictions=predictions,
        scores={name: values.T.numpy() for name, values in scores.items()},
        gates=GATES,
        reference=predictions[:, -1],
        labels=samples.labels,
    )


def fit_temperatures(model: EarlyExitWrapper, logits: HeadLogits) -> None:
    """Its option against exits that are too sure: a temperature for each, fitted to the network's answers; in place."""
    fits = fit_head_temperatures(logits)
    for point in model.config.exit_points:
        model.config.temperatures[point.name] = fits[point.name].temperature


def calibrate(
    model: EarlyExitWrapper, samples: Samples, answers: NDArray[np.int64], *, max_loss: float = 0.01
) -> tuple[float, ...]:
    """The thresholds that its own search finds: a grid of nine, exit by exit, without a promise for other samples.

    Args:
        model: With trained exits; its thresholds are set too.
        samples: To choose on.
        answers: [S] of the network, so that what its search calls accuracy is agreement.
        max_loss: Share of answers that may change on these samples.
    """
    found = calibrate_thresholds(model, load([look_at(samples, answers)]), max_loss)
    nobody = GATES["max_probability"].stop_none
    return tuple(
        value if enabled else nobody for value, enabled in zip(found.thresholds, found.enabled_exits, strict=True)
    )


class Cooled(nn.Module):
    """A head whose logits are divided by its temperature, as earlyon's gate does.

    Args:
        head: Features to logits.
        temperature: Positive.
    """

    def __init__(self, head: nn.Module, temperature: float) -> None:
        super().__init__()
        self.head, self.temperature = head, temperature

    def forward(self, features: Tensor) -> Tensor:
        """Logits [B, K]."""
        logits: Tensor = self.head(features)
        return logits / self.temperature


def as_graph(loaded: LoadedModel, model: EarlyExitWrapper, score: str = "max_probability") -> Graph:
    """Its trained heads at their places in our graph: the same answers, and each sample of a batch leaves by itself."""
    heads: list[nn.Module] = []
    for point in model.config.exit_points:
        head, temperature = copy.deepcopy(model.exit_heads[point.name]), model.config.temperatures[point.name]
        heads.append(head if temperature == 1 else Cooled(head, temperature))
    normalize = None
    if loaded.mean is not None and loaded.std is not None:
        normalize = Normalize(loaded.mean, loaded.std)
    return attach.exits(
        loaded.module, loaded.example, placement=places_of(model), head=heads, scores=[score], normalize=normalize
    )


# ---- what its exits cost ----


def costs(loaded: LoadedModel, model: EarlyExitWrapper) -> Costs:
    """Multiply-accumulates by exit, counted as for ours: stages and all heads up to there.

    Its own estimate leaves the heads out.
    """
    return measure_torch.path_costs(as_graph(loaded, model))


@dataclass(frozen=True, slots=True, kw_only=True)
class Eager:
    """Its own forward pass against the network alone, both in eager PyTorch and float32.

    Attributes:
        plain: The network alone.
        earlyon: With exits. At batch 1 a sample leaves by itself, in a batch only with all others.
        left: [E] share of the calls that ended at each exit.
    """

    plain: Latency
    earlyon: Latency
    left: tuple[float, ...]


def clock_eager(
    loaded: LoadedModel, model: EarlyExitWrapper, samples: Samples, thresholds: Sequence[float], *, seed: int = 0
) -> dict[int, Eager]:
    """Its own forward pass: time per call at batch 1 and 64, interleaved, over shuffled samples.

    Args:
        loaded: The network.
        model: With exits.
        samples: In their natural mix.
        thresholds: For the largest probability at each exit; above 1 it is switched off.
        seed: Of the order.
    """
    point_to(model, thresholds)
    plain = as_module(loaded)
    found = {}
    for batch, call in ((1, model), (64, model.forward_inference_batched)):
        systems = {"plain": torch.inference_mode()(partial(_call, plain)), "earlyon": partial(_call, call)}
        batches, repeats = draw_batches(systems, samples, batch, seed=seed)
        times = latency(systems, batches, repeats=repeats, seed=seed)
        taken = np.array([systems["earlyon"](one).exit_taken for one in batches]) % len(model.config.head_names)
        left = np.bincount(taken, minlength=len(model.config.head_names)) / len(taken)
        found[batch] = Eager(plain=times["plain"], earlyon=times["earlyon"], left=tuple(left.tolist()))
    return found


def clock_engine(  # noqa: PLR0913  # all of one row
    loaded: LoadedModel, model: EarlyExitWrapper, samples: Samples, thresholds: Sequence[float], *,
    work: Path, threads: int = 1, seed: int = 0,
) -> dict[int, Timing]:  # fmt: skip
    """Its heads in our graph, on OpenVINO in float32: time per call at batch 1 and 64, as ours are timed.

    Args:
        loaded: The network.
        model: With exits.
        samples: In their natural mix.
        thresholds: For the largest probability at each exit.
        work: For files that nobody keeps.
        threads: Of the engine.
        seed: Of the order.
    """
    graph, exports = as_graph(loaded, model), Exports(work)
    file = exports.save(graph, work / "earlyon.onnx", {"thresholds": [float(value) for value in thresholds]})
    return time_network(
        graph, file, test=samples, evidence=evidence(model, samples), thresholds=thresholds, score="max_probability",
        engine=Engine(name="openvino", threads=threads), exports=exports, seed=seed,
    )  # fmt: skip


def point_to(model: EarlyExitWrapper, thresholds: Sequence[float]) -> None:
    """Set its thresholds for the largest probability, in place; an exit whose threshold is above 1 is switched off."""
    model.config.enabled_exits = [value <= 1 for value in thresholds]
    model.config.confidence_thresholds = [min(float(value), 1.0) for value in thresholds]
    model.config.validate()


def _call(system: Callable[[Tensor], Any], batch: Mapping[str, NDArray[Any]]) -> Any:  # Any: pictures; earlyon's result
    (pictures,) = batch.values()
    return system(torch.from_numpy(pictures))
