"""D2NN: control nodes that choose what runs, on four tasks, against what the same nodes can do without them.

Run: python benchmarks/d2nn.py --parts faces --faces npz:fer2013.npz --cifar npz:cifar10.npz --work FOLDER
(parts: faces mnist hierarchy resnet56; see --help for the data that each needs. Writes benchmarks/results/d2nn.json, a
table and pictures beside it; --work keeps checkpoints, and what is there is not trained again. --quick sees in a few
minutes that all runs; its numbers mean nothing and lie in --work.)

Published: Liu and Deng, "Dynamic Deep Neural Networks: Optimizing Accuracy-Efficiency Trade-offs by Selective
Execution", AAAI 2018. Its tasks are made anew: faces of FER-2013 within CIFAR-10 scenes, and four times as many scenes
within scenes, in the place of LFW-B (where faces fill the picture the cheapest network is right already), cluttered
MNIST with our seed, CIFAR-10 in a tree of 2 - 5 - 10 classes in the place of ILSVRC-10, and the public ResNet-56 in the
place of ResNet-110.

Lambdas and thresholds are chosen on tuning samples; all rows are of test samples. Networks are charged with their
control nodes; fixed ways, random edges and thresholds are not, because they need none.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from shutil import copyfile
from typing import Any

import torch
from _cpu import PRECISION
from _d2nn_pages import draw_curves, draw_times, write_table
from _d2nn_resnet import NETWORK as RESNET
from _d2nn_resnet import run_resnet
from _d2nn_routes import PICTURE
from _d2nn_study import Goal, Parts, Study, run_study
from _d2nn_tasks import load_cifar, load_clutter, load_faces, shorten
from _results import check_needs, open_results, write_parts
from _stamp import stamp

from offramp import attach, learn
from offramp.graph import Graph
from offramp.nn import Normalize

Run = tuple[str, Callable[[], dict[str, Any]]]  # a study's name, and what runs it; Any: JSON
SHORT = 150  # samples of each part of a quick run
BUDGET = 2.66e7  # multiplications of the published chain on cluttered MNIST


def learning(**known: Any) -> learn.QSettings:  # Any: of QSettings
    """Settings that all Q-learning here shares, and some of one."""
    return learn.QSettings(**{"batch": 100, "precision": PRECISION, "regular": "cross_entropy", **known})


def choosing(**known: Any) -> learn.QSettings:  # Any: of QSettings
    """Of control nodes while all else stays as it is; each sample goes two ways."""
    return learning(**{"regular": "frozen", "counterfactual": True, **known})


def alone(**known: Any) -> learn.JointSettings:  # Any: of JointSettings
    """Settings of plain networks."""
    return learn.JointSettings(**{"regime": "joint", "batch": 100, "precision": PRECISION, **known})


# ---- faces ----

GREY_FACE = (1, 48, 48)
GREY = Normalize([0.5], [0.25])
FACE: dict[str, Any] = {"bag": 1, "metric": "f1", "positive": 1, "batch": 100, "augment": "none"}
FACES = Study(
    name="faces, high-low",
    make=lambda: attach.d2nn_high_low(GREY_FACE, normalize=GREY),
    ways=learning(epochs=6, warm_epochs=0, **FACE),
    sweep=choosing(epochs=4, warm_epochs=12, **FACE),
    sweep_on=25_000,
    alone=alone(epochs=5, learning_rate=3e-3, augment="none"),
    lambdas=(0.99, 0.97, 0.95, 0.9, 0.8, 0.65),
    turns=((1,), (0,)),
    positive=1,
    goals=(Goal(name="at most 1 point of F1 lost", max_loss=0.01), Goal(name="no F1 lost", max_loss=0.0)),
)


def faces(options: argparse.Namespace, work: Path) -> Iterator[Run]:
    """The three structures that the paper tries on faces."""
    parts = load_faces(options.faces, options.cifar, options.seed, times=4)
    yield task(replace(FACES, bags=(1, 5)), parts, options, work)
    cascade = replace(
        FACES, name="faces, cascade", make=lambda: attach.d2nn_cascade(GREY_FACE, normalize=GREY),
        turns=((0, 2, 2), (1, 0, 2), (1, 1, 0), (1, 1, 1)), ways=None, plain=FACES.alone, each_way=True, alone=None,
    )  # fmt: skip
    yield task(cascade, parts, options, work)
    chain = replace(
        FACES,
        name="faces, chain",
        make=lambda: attach.d2nn_chain(GREY_FACE, classes=2, normalize=GREY),
        turns=((0, 0, 0), (1, 1, 1)),
    )
    yield task(chain, parts, options, work)


# ---- cluttered MNIST ----

# The paper's form and budget, other layers: few features at full size, strides early, batch normalization.
CHAIN = """
    n1: x             | conv 7x7 24 stride 3 pad 3 | bn | relu | conv 3x3 40 stride 2 pad 1 | bn | relu
    q1: n1            | pool 4 | conv 3x3 8 pad 1 | relu | fc 32 | relu    -> n2, n3
    n2: n1            | conv 1x1 40 | bn | relu
    n3: n1            | conv 3x3 40 pad 1 | bn | relu
    n4: n2=0 + n3=0   | conv 3x3 80 stride 2 pad 1 | bn | relu
    q2: n4            | pool 3 | conv 3x3 8 pad 1 | relu | fc 32 | relu    -> n5, n6
    n5: n4            | conv 1x1 80 | bn | relu
    n6: n4            | conv 3x3 80 pad 1 | bn | relu
    n7: n5=0 + n6=0   | conv 3x3 128 stride 2 pad 1 | bn | relu
    q3: n7            | conv 1x1 8 | relu | fc 32 | relu                   -> n8, n9
    n8: n7            | conv 1x1 128 | bn | relu
    n9: n7            | conv 3x3 128 pad 1 | bn | relu
    n10: n8=0 + n9=0  | pool 5 | fc 10
"""
CLUTTERED = (1, 100, 100)
TIMES = 3  # places of each digit
CLUTTER = Study(
    name="cluttered MNIST, our chain",
    make=lambda: attach.d2nn(CHAIN, CLUTTERED),
    ways=learning(epochs=5, warm_epochs=0, batch=50, augment="none"),  # new clutter says more than crops
    again=learning(epochs=3, warm_epochs=0, batch=50, augment="none", learning_rate=1.5e-3),
    sweep=choosing(epochs=2, warm_epochs=2, augment="none"),
    sweep_on=16_000,
    lambdas=(0.999, 0.995, 0.98, 0.95),
    turns=((0, 0, 0), (1, 1, 1)),
    goals=(
        Goal(name="best below 2.66e7", budget=BUDGET),
        Goal(name="at most 0.2 points lost", max_loss=0.002),
    ),
)
PUBLISHED_CLUTTER = [
    {"method": "published: D2NN", "accuracy": 0.9698, "macs": 2.66e7},
    {"method": "published: DCN", "accuracy": 0.9861, "macs": 2.77e7},
]


def mnist(options: argparse.Namespace, work: Path) -> Iterator[Run]:
    """Our chain, which fits the published budget, and the published one with the widths of the slides: a seventh."""
    count = SHORT if options.quick else options.clutter
    parts = load_clutter(options.mnist, options.seed, train=count, times=TIMES)
    yield task(CLUTTER, parts, options, work, PUBLISHED_CLUTTER)
    study = replace(
        CLUTTER, name="cluttered MNIST, published chain", lambdas=(0.99, 0.95, 0.9, 0.8, 0.65),
        make=lambda: attach.d2nn_chain(normalize=Normalize([0.02], [0.13])),  # nothing else in it normalizes
        plain=alone(epochs=5, learning_rate=1e-3, batch=50, augment="none"),
        ways=learning(epochs=3, warm_epochs=0, learning_rate=5e-4, batch=50, augment="none"), again=None,
    )  # fmt: skip
    yield task(study, parts, options, work, PUBLISHED_CLUTTER)


# ---- hierarchy ----

# Airplane and ship, automobile and truck; bird and frog, cat and dog, deer and horse.
LEAVES = (((0, 8), (1, 9)), ((2, 6), (3, 5), (4, 7)))
ABOVE = "conv 3x3 8 stride 2 pad 1 | relu | pool 3/2 | fc 32 | relu"
COARSE = "conv 3x3 48 pad 1 | bn | relu"
LEAF = "pool 3/2 | conv 3x3 64 pad 1 | bn | relu | conv 3x3 64 pad 1 | bn | relu | pool 3/2 | fc 128 | relu | fc 2"


def make_hierarchy() -> Graph:
    """As `attach.d2nn_hierarchy`, with layers for 32x32 pictures and small control nodes."""
    lines = ["n1: x | conv 5x5 32 stride 2 pad 2 | bn | relu"]
    above = []
    for at, coarse in enumerate(LEAVES):
        lines += [f"q{at + 1}: n1 | {ABOVE} -> n{at + 2}, dummy", f"n{at + 2}: n1 | {COARSE}"]
        above += [at + 2] * len(coarse)
    first = len(LEAVES) + 1
    for at, parent in enumerate(above, start=first):
        lines += [f"q{at}: n{parent} | {ABOVE} -> n{at + 1}, dummy", f"n{at + 1}: n{parent} | {LEAF}"]
    classes = [number for coarse in LEAVES for leaf in coarse for number in leaf]
    order = " ".join(str(classes.index(number)) for number in range(len(classes)))
    read = ", ".join(f"n{first + 1 + at}=-20" for at in range(len(above)))
    return attach.d2nn("\n".join([*lines, f"answer: {read} | take {order}"]), (3, 32, 32))


HIERARCHY = Study(
    name="CIFAR-10, hierarchy",
    make=make_hierarchy,
    plain=alone(epochs=8, learning_rate=3e-3),
    sweep=choosing(epochs=3, warm_epochs=10),
    sweep_on=16_000,
    lambdas=(0.95, 0.9, 0.8, 0.7, 0.6),
    goals=(Goal(name="nothing lost", max_loss=0.0), Goal(name="at most half a point lost", max_loss=0.005)),
    named_ways=False,
)


def hierarchy(options: argparse.Namespace, work: Path) -> Iterator[Run]:
    """The full graph is trained first; control nodes then learn which branches it can do without."""
    yield task(HIERARCHY, load_cifar(options.cifar, options.seed), options, work)


# ---- all ----


def resnet56(options: argparse.Namespace, work: Path) -> Iterator[Run]:
    """See _d2nn_resnet.py."""
    heads = Path(options.heads or work / "heads")
    folder = folder_of(RESNET, options, work)
    yield RESNET, partial(run_resnet, options.cifar, Path(options.weights), folder, heads, options.seed, options.quick)


def task(
    study: Study, parts: Parts, options: argparse.Namespace, work: Path, published: Sequence[Mapping[str, Any]] = ()
) -> Run:  # Any: JSON
    """A study in a folder of its own, beside rows from the paper."""
    return study.name, partial(measure_study, study, parts, options, work, published)


def measure_study(
    study: Study, parts: Parts, options: argparse.Namespace, work: Path, published: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:  # Any: JSON
    """What a study finds."""
    started = time.monotonic()
    if options.quick:
        study, parts = study.shrunk(), shorten(parts, SHORT)
    found = run_study(study, parts, folder_of(study.name, options, work), options.seed)
    return found | {
        "samples": {name: len(getattr(parts, name)) for name in ("train", "tune", "test")},
        "seconds": round(time.monotonic() - started), **({"published": list(published)} if published else {}),
    }  # fmt: skip


def folder_of(study: str, options: argparse.Namespace, work: Path) -> Path:
    """Where the checkpoints and files of a study lie."""
    return work / ("quick" if options.quick else "full") / slug(study)


def slug(study: str) -> str:
    """The name of a study in the name of a file."""
    return study.replace(", ", "-").replace(" ", "-")


PARTS: dict[str, Callable[[argparse.Namespace, Path], Iterator[Run]]] = {
    "faces": faces,
    "mnist": mnist,
    "hierarchy": hierarchy,
    "resnet56": resnet56,
}
NEEDS = {"faces": ("faces", "cifar"), "mnist": ("mnist",), "hierarchy": ("cifar",), "resnet56": ("cifar", "weights")}


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--studies", nargs="+", help="only these of the parts, by their names in the table")
    parser.add_argument("--faces", help="npz:fer2013.npz; for faces")
    parser.add_argument("--cifar", help="npz:cifar10.npz; for faces, hierarchy and resnet56")
    parser.add_argument("--mnist", help="mnist:FOLDER; for mnist")
    parser.add_argument("--weights", help="folder of the public weights; for resnet56")
    parser.add_argument(
        "--heads", help="--work of a run of pteenet.py, whose heads resnet56 takes; else they are trained"
    )
    parser.add_argument("--work", required=True, help="folder for checkpoints and files")
    parser.add_argument("--clutter", type=int, default=55_000, help="training samples of cluttered MNIST")
    parser.add_argument("--quick", action="store_true", help="few samples and epochs: does it run?")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="default: benchmarks/results/d2nn.json; with --quick d2nn.json in --work")
    options = parser.parse_args()
    check_needs(parser, options, options.parts, NEEDS)
    return options


def main() -> None:
    """Parse options, run, write after each study."""
    options = parse_options()
    torch.set_num_threads(1)
    work = Path(options.work)
    out, known = open_results(options, "d2nn")
    for name in options.parts:
        for study, run in PARTS[name](options, work):
            if options.studies and study not in options.studies:
                continue
            known[f"{name}/{study}"] = {**stamp(options.seed), "quick": options.quick, **run()}
            write_parts(out, known, latest=f"{name}/{study}")
            copyfile(folder_of(study, options, work) / PICTURE, out.with_name(f"{out.stem}-{slug(study)}.png"))
    studies = [study for name in PARTS for part, study in known.items() if part.startswith(f"{name}/")]
    draw_curves(studies, out.with_suffix(".png"))
    draw_times(studies, out.with_name(f"{out.stem}-times.png"))
    write_table(studies, out.with_suffix(".md"))


if __name__ == "__main__":
    main()
