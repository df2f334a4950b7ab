"""Wall time of `offramp optimize`, end to end, by this source tree and by another one, in turns on one machine.

Run: python benchmarks/optimize_time.py --before FOLDER [--turns N] [--epochs E] [--work FOLDER]
(FOLDER is a checkout of the commit to compare with; writes benchmarks/results/optimize_time.json).

The task is `zoo:resnet20`, trained here on 800 of scikit-learn's digits at 32x32, with `--exits auto` and 30 epochs, on
as many threads as PyTorch takes by itself. Both trees get the same files, seed and interpreter, and run one after the
other in turns, so that what else the machine does falls on both. Seconds per step are read from the progress lines; the
chosen exits, thresholds and numbers of both stand beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _stamp import stamp
from PIL import Image
from sklearn import datasets
from torch import nn

from offramp import learn, zoo
from offramp.nn import Normalize
from offramp.run import ArraySamples

HERE = Path(__file__).resolve().parent
TRAIN = 800
COMMAND = "import sys; from offramp.cli import main; sys.exit(main())"
FOLDER = re.compile(r"(?<=:)/\S*/")  # of this machine, which nobody needs later
STEP, DONE = re.compile(r"· (.*)"), re.compile(r"\s+done in (.*)")


def make_task(folder: Path, seed: int) -> None:
    """Write the digits and a network that knows them, unless they are there."""
    if (folder / "resnet20.pt").is_file():
        return
    digits = datasets.load_digits()
    order = np.random.default_rng(seed).permutation(len(digits.target))
    pixels = np.stack([_enlarge(image) for image in digits.images[order]])
    labels = digits.target[order].astype(np.int64)
    np.savez(
        folder / "digits.npz",
        x_train=pixels[:TRAIN],
        y_train=labels[:TRAIN],
        x_test=pixels[TRAIN:],
        y_test=labels[TRAIN:],
    )
    loaded = zoo.load_model("zoo:resnet20", seed=seed)
    floats = (pixels[:TRAIN].transpose(0, 3, 1, 2) / 255).astype(np.float32)
    ids = np.array([f"digits/{at}" for at in range(TRAIN)])
    samples = ArraySamples(inputs={"x": floats}, ids=ids, labels=labels[:TRAIN])
    module = nn.Sequential(Normalize(loaded.mean or (), loaded.std or ()), loaded.module)
    trained = learn.train_classifier(module, samples, epochs=8, seed=seed)
    torch.save(trained.get_submodule("1").state_dict(), folder / "resnet20.pt")


def _enlarge(image: np.ndarray) -> np.ndarray:
    """[8, 8] greys from 0 to 16 -> uint8 [32, 32, 3]."""
    grey = Image.fromarray(np.rint(image * (255 / 16)).astype(np.uint8)).resize((32, 32), Image.Resampling.BILINEAR)
    return np.repeat(np.asarray(grey)[..., None], 3, axis=2)


def run(tree: Path, folder: Path, options: argparse.Namespace) -> dict[str, Any]:  # Any: JSON
    """One run of the command line of a tree: seconds in all and by step, and what was chosen."""
    out = folder / "out"
    data = folder / "digits.npz"
    command = [
        sys.executable, "-c", COMMAND, "optimize", "--model", "zoo:resnet20", "--weights", str(folder / "resnet20.pt"),
        "--data", f"npz:{data}@train", "--held-out", f"npz:{data}@test", "--exits", "auto", "--epochs",
        str(options.epochs), "--seed", str(options.seed), "--out", str(out), "--fresh",
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "COLUMNS": "200"}
    start, before = time.perf_counter(), os.times()
    process = subprocess.Popen(
        command, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None, "it is a pipe"
    steps = _watch(process.stderr, start)
    if process.wait():
        sys.exit(f"the run in {tree} failed")
    seconds, after = time.perf_counter() - start, os.times()
    return {
        "tree": _commit(tree), "seconds": seconds, "cpu_seconds": after[2] + after[3] - before[2] - before[3],
        "steps": steps, **_tell(json.loads((out / "result.json").read_text())),
    }  # fmt: skip


def _watch(lines: Any, start: float) -> dict[str, float]:
    """Seconds of each outermost step by its name; what lies before the first and between them is "else"."""
    steps: dict[str, float] = {}
    opened: list[tuple[str, float]] = []
    last = start
    for line in lines:
        now = time.perf_counter()
        if found := STEP.match(FOLDER.sub("", line)):
            if not opened:
                steps["else"] = steps.get("else", 0.0) + now - last
            opened.append((found[1].strip(), now))
        elif DONE.match(line) and opened:
            name, began = opened.pop()
            if not opened:
                steps[name] = steps.get(name, 0.0) + now - began
                last = now
    steps["else"] = steps.get("else", 0.0) + time.perf_counter() - last
    return steps


def _tell(result: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
    """What was chosen and what it is worth."""
    placement, chosen = result["placement"], result["chosen"]
    cuts = [placement["candidates"][at]["cut"] for at in placement["kept"]]
    wanted = ("thresholds", "accuracy", "agreement", "relative_macs", "exit_rates", "gain")
    return {"exits": cuts, "status": result["guarantee"]["status"], **{name: chosen[name] for name in wanted}}


def _commit(tree: Path) -> str:
    asked = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, cwd=tree, check=True).stdout.strip()


def main() -> None:
    """Parse options, run, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "optimize_time.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.work or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        make_task(folder, options.seed)
        rows = []
        for turn in range(options.turns):
            for tree in (options.before, HERE.parent):
                rows.append({"turn": turn, **run(tree.resolve(), folder, options)})
                print(f"turn {turn}: {rows[-1]['tree']} {rows[-1]['seconds']:.1f} s", flush=True)
    options.out.write_text(json.dumps({**stamp(options.seed), "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
