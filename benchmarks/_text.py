"""The classifier of SST-2 with exits, as the benchmarks text and runtime train it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from _cpu import PRECISION
from _results import RESULTS

from offramp import attach, data, learn, zoo
from offramp.graph import Graph
from offramp.run import Samples

PLACES: list[str | int] = ["input", *(f"bert.encoder.layer.{at}" for at in range(5))]
HEADS = ["student", *["token"] * 5]
SCORES = ("max_probability", "entropy", "margin", "patience", "confidence")


def train(options: argparse.Namespace) -> Graph:
    """The network with trained exits; a finished training leaves a checkpoint that is at its end."""
    loaded = zoo.load_model(f"hf:{options.folder / 'network'}")
    graph = attach.exits(loaded.module, loaded.example, placement=PLACES, head=HEADS, scores=SCORES)
    settings = learn.DistillSettings(
        epochs=options.epochs, learning_rate=options.rate, precision=options.precision, seed=options.seed
    )
    samples = load(options, "unlabelled")
    return learn.distill_heads(graph, samples, settings, checkpoint=options.folder / "text.ckpt", resume=True)


def load(options: argparse.Namespace, name: str) -> Samples:
    """One of the files of text_network.py."""
    folder = options.folder
    return data.load(f"tsv:{folder / name}.tsv", tokenizer=str(folder / "network"), max_length=options.tokens)


def parse_options(arguments: Sequence[str] | None = None, *, about: str | None = None) -> argparse.Namespace:
    """Options from the command line, or from a list."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="what text_network.py wrote")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=5e-3)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--precision", default=PRECISION, choices=["float32", "bfloat16"])
    parser.add_argument("--score", default="max_probability", choices=SCORES)
    parser.add_argument("--no-clock", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "text.json")
    return parser.parse_args(arguments)
