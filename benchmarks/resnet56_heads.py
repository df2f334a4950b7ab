"""Exits of the public ResNet-56, trained in an hour on two cores without AMX; benchmarks/heads/resnet56.safetensors.

Run, one after the other (what is in --work is not made again; parts of one line may run side by side):
  python benchmarks/resnet56_heads.py --cifar npz:cifar10.npz --weights FOLDER --work FOLDER --parts views [--views 0 1]
  python benchmarks/resnet56_heads.py ... --parts large small late
  python benchmarks/resnet56_heads.py ... --parts keep

benchmarks/pteenet.py trains the same candidates for 80 epochs and asks the network again in each: half of the time goes
there. Here the network answers each picture once in 12 versions, cropped, mirrored and mostly mixed with another one,
and in 4 that are not mixed; heads go over the 12 twice, then over the 4, and the small students twice more over
all that, at smaller steps. No label is read, and no test picture.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _resnet56_heads import KEPT, NAME, PLAN, candidates
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import nn

from offramp import data, learn, zoo
from offramp.graph import DataEdge, Graph, Node, Tensor
from offramp.learn import FrozenBackbone, augment, mixup, shuffle, take_batch
from offramp.run import ArraySamples, Samples
from offramp.zoo import LoadedModel

MIXTURES = range(12)
PLAIN = range(12, 16)  # not mixed
WITH_MAPS = 4  # of the views: they also keep what the late heads read, 1.2 GB each
MIXED = 0.75
BATCH = 128
HEADS = {"large": (2,), "small": (0, 1), "late": (3, 4, 5)}  # by part, of all six
ROUNDS = learn.DistillSettings(epochs=2, batch=BATCH, learning_rate=5e-3, augment="none")
POLISH = replace(ROUNDS, epochs=1, learning_rate=1e-3)
AGAIN = replace(ROUNDS, learning_rate=3e-3)


def make_view(graph: Graph, samples: Samples, view: int, folder: Path, seed: int) -> None:
    """One version of each picture and what the network answers, as arrays in `folder`."""
    done = folder / f"answer{view}.npy"
    if done.is_file():
        return
    frozen = FrozenBackbone(graph, "float32")
    maps = [node.name for node in frozen.nodes if node.name.startswith("stage") and node.name != frozen.teacher]
    given: dict[str, list[NDArray[Any]]] = {"picture": [], "answer": [], **{name: [] for name in maps}}
    random = np.random.default_rng([seed, view])
    torch.manual_seed(int(random.integers(2**63)))
    order = shuffle(len(samples), seed=seed, epoch=view)
    for start in range(0, len(order), BATCH):
        batch = take_batch(samples, order[start : start + BATCH], frozen.device, graph)
        share = MIXED if view in MIXTURES else 0.0
        (name, pictures), *_ = mixup(augment(batch, "crop_flip", random), share).items()
        pixels = (pictures * 255).round()
        values = frozen({name: pixels / 255})
        given["picture"].append(pixels.to(torch.uint8).permute(0, 2, 3, 1).numpy())
        given["answer"].append(values[frozen.teacher][0].numpy())
        for name in maps if view < WITH_MAPS else []:
            given[name].append(values[name][0].half().contiguous().numpy())
    for name, parts in given.items():
        if parts and name != "answer":
            np.save(folder / f"{name}{view}.npy", np.concatenate(parts))
    np.save(done, np.concatenate(given["answer"]))
    print("view", view, flush=True)


def load_views(folder: Path, files: Mapping[str, str], views: Sequence[int]) -> ArraySamples:
    """Samples of several views, by input name."""
    inputs = {
        name: np.concatenate([np.load(folder / f"{file}{view}.npy", mmap_mode="r") for view in views])
        for name, file in files.items()
    }
    return ArraySamples(inputs=inputs, ids=np.arange(len(inputs["answer"])).astype(str))


def told(graph: Graph, heads: Sequence[int]) -> tuple[Graph, dict[str, str]]:
    """A graph whose last exit is an input, what the network said; and the file of each input."""
    names = [f"exit{at}/head" for at in heads]
    read = list(dict.fromkeys(graph[name].inputs[0].source for name in names))
    first = graph.inputs[0]
    inputs, between, files = [], [], {"answer": "answer"}
    for source in read:
        if source == "normalize":
            inputs.append(first)
            between.append(graph[source])
            files[first.name] = "picture"
        else:
            inputs.append(Node(name=source, kind="input", outputs=graph[source].outputs))
            files[source] = source
    inputs.append(Node(name="answer", kind="input", outputs=(Tensor(shape=(10,)),)))
    teacher = Node(name="taught", kind="function", inputs=(DataEdge(source="answer"),), outputs=(Tensor(shape=(10,)),))
    bodies = {name: graph.bodies[name] for name in [*names, *(node.name for node in between)]}
    nodes = (*inputs, *between, *(graph[name] for name in names), teacher)
    return Graph(nodes=nodes, answer="taught", bodies={**bodies, "taught": nn.Identity()}), files


def train(part: str, loaded: LoadedModel, folder: Path, seed: int) -> None:
    """The heads of one part, into a file of their weights: mixtures first, then the pictures themselves."""
    graph, files = told(candidates(loaded, seed), HEADS[part])
    if part == "late":
        rounds = {part: (range(WITH_MAPS), ROUNDS)}
    else:
        rounds = {part: (MIXTURES, ROUNDS), f"{part}-plain": (PLAIN, POLISH)}
    if part == "small":
        for word in ("again", "more"):
            rounds |= {f"{part}-{word}": (MIXTURES, AGAIN), f"{part}-{word}-plain": (PLAIN, POLISH)}
    for name, (views, settings) in rounds.items():
        samples = load_views(folder, files, views)
        graph = learn.distill_heads(
            graph, samples, settings, checkpoint=folder / f"{name}.ckpt", resume=True, progress=True
        )
    save_file(weights(graph, HEADS[part]), folder / f"{part}.safetensors")


def weights(graph: Graph, heads: Sequence[int]) -> dict[str, torch.Tensor]:
    """Of some heads, by name and entry, as float16."""
    found = {}
    for at in heads:
        body = graph.bodies[f"exit{at}/head"]
        assert isinstance(body, nn.Module), "a head learns"
        for entry, tensor in body.state_dict().items():
            short = tensor.half() if tensor.is_floating_point() else tensor
            found[f"exit{at}/head.{entry}"] = short.contiguous()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cifar", required=True, help="npz:cifar10.npz")
    parser.add_argument("--weights", required=True, help="folder of the public weights")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints and 7 GB of views")
    parser.add_argument("--parts", nargs="+", choices=["views", *HEADS, "keep"], required=True)
    parser.add_argument("--views", type=int, nargs="+", default=[*MIXTURES, *PLAIN])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.work.mkdir(parents=True, exist_ok=True)
    loaded = zoo.load_model(f"zoo:{NAME}", weights=Path(options.weights) / PLAN.weights)
    for part in options.parts:
        if part == "views":
            samples = data.load(f"{options.cifar}@train")
            graph = candidates(loaded, options.seed)
            for view in options.views:
                make_view(graph, samples, view, options.work, options.seed)
        elif part == "keep":
            KEPT.parent.mkdir(exist_ok=True)
            save_file({k: v for one in HEADS for k, v in load_file(options.work / f"{one}.safetensors").items()}, KEPT)
        else:
            train(part, loaded, options.work, options.seed)


if __name__ == "__main__":
    main()
