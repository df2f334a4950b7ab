"""A trained module, samples as arrays, and all that a run can do: progress, a promise, other thresholds, new samples.

Run it with `python examples/optimize.py`; it takes a minute.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from sklearn.datasets import load_digits
from torch import nn

from offramp import Exits, Progress, Target, Training, learn, load, optimize


def show(event: Progress) -> None:
    """One line for each step that is done."""
    if event.state == "done" and event.is_titled:
        print(f"{event.step}: {event.seconds:.1f} s", file=sys.stderr)


def main(out: Path, epochs: int = 20) -> None:
    """Make a run, and ask it."""
    x, y = load_digits(return_X_y=True)
    x = (x / 16).astype("float32")
    network = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    network = learn.train_classifier(network, (x[:1000], y[:1000]), epochs=epochs)

    run = optimize(
        network,
        x[:1000],  # heads learn from the network's own answers: no labels
        held_out=(x[1000:1600], y[1000:1600]),
        target=Target(max_loss=0.05, kind="agreement"),
        exits=Exits(count=1, head="light"),
        training=Training(epochs=epochs),
        out=out,
        on_progress=show,
    )
    print(run)
    print(run.guarantee)

    stricter = run.sweep(target=Target(max_loss=0.03, kind="agreement"))
    print("at 3 %:", stricter.chosen.relative_macs, "of the work")

    again = load(out)  # without PyTorch
    print(again.predict(x[1600:1605]).answer, "should be", y[1600:1605])
    print("alarm:", again.check(x[1600:]).alarm)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        main(Path(folder) / "run")
