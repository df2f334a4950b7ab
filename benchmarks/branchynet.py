"""BranchyNet's table, made honest: accuracy, time, gain, thresholds and exit rates of three networks.

Run: python benchmarks/branchynet.py --mnist mnist:DIR --cifar npz:cifar10.npz --weights FOLDER [--networks b_lenet ...]
(writes benchmarks/results/branchynet.json and pictures beside it; --work keeps checkpoints, and what is there is not
trained again).

Published: Teerapittayanon, McDanel and Kung, "BranchyNet", ICPR 2016, table I. There the heads ran outside the timed
region and thresholds were chosen on the test set. Here everything that runs is charged and timed, and thresholds are
chosen on images held out of training (B-LeNet, B-AlexNet: 5,000 of the training images) or on the other two thirds of
the test images (ResNet-56, whose public weights saw all training images), never on the images that they are judged by.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _branchynet_alexnet import Augment, alexnet
from _branchynet_lenet import lenet, study_depth, study_regimes
from _branchynet_networks import Parts
from _branchynet_pages import CURVES, draw_curves, draw_study, write_table
from _branchynet_resnet import resnet
from _branchynet_table import right_alone, table
from _results import open_results, write_parts
from _stamp import stamp


def main() -> None:
    """Parse options, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mnist", required=True)
    parser.add_argument("--cifar", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--work", required=True, help="folder for checkpoints and files")
    parser.add_argument("--networks", nargs="+", default=[name for name in TABLES if name != "b_alexnet_augmented"],
                        choices=list(TABLES), help="default: all but b_alexnet_augmented")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="default: benchmarks/results/branchynet.json")
    options = parser.parse_args()
    out, known = open_results(options, "branchynet")
    for name in options.networks:
        known[name] = {**stamp(options.seed), "rows": TABLES[name](options, Path(options.work))}
        write_parts(out, known, latest=name)
    rows = {name: part["rows"] for name, part in known.items()}
    if curves := {name: rows[name] for name in CURVES if len(rows.get(name, [])) > 1}:
        draw_curves(curves, out.with_suffix(".png"))
    write_table(rows, out.with_suffix(".md"))
    for name, by in {"depths": "depth", "regimes": "regime"}.items():
        if name in rows:
            draw_study(rows[name], by, out.with_name(f"{out.stem}-{name}.png"))


def _lenet(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    parts = Parts.load(options.mnist, options.seed)
    return table(lenet(parts, work, options.seed), parts, work, options.seed)


def _alexnet(options: argparse.Namespace, work: Path, augment: Augment) -> list[dict[str, Any]]:
    parts = Parts.load(options.cifar, options.seed)
    return table(alexnet(parts, work, options.seed, augment), parts, work, options.seed)


def _augmented(options: argparse.Namespace, work: Path) -> list[dict[str, Any]]:
    """What augmentation does to the baseline."""
    parts = Parts.load(options.cifar, options.seed)
    base = next(alexnet(parts, work, options.seed, "crop_flip"))
    accuracy = float(right_alone(base, parts.test, work).mean())
    return [{"network": base.name, "accuracy": accuracy, "relative_macs": 1.0, "training": base.note}]


TABLES: dict[str, Callable[[argparse.Namespace, Path], list[dict[str, Any]]]] = {
    "b_lenet": _lenet,
    "b_alexnet": lambda options, work: _alexnet(options, work, "none"),
    "b_alexnet_augmented": lambda options, work: _alexnet(options, work, "crop_flip"),
    "alexnet_augmented": _augmented,
    "resnet56": lambda options, work: resnet(options.cifar, Path(options.weights), work, options.seed),
    "depths": lambda options, work: study_depth(Parts.load(options.mnist, options.seed), work, options.seed),
    "regimes": lambda options, work: study_regimes(Parts.load(options.mnist, options.seed), work, options.seed),
}
if __name__ == "__main__":
    main()
