"""Open a finished run without PyTorch: read its numbers, answer samples, ask what another loss would cost.

`offramp demo` makes a run in a minute or two; then `python examples/load_a_run.py out/demo digits@test`.
"""

from __future__ import annotations

import sys

import offramp
from offramp import Target


def main(folder: str, samples: str) -> None:
    run = offramp.load(folder)
    print(run)  # the table

    promise = run.guarantee
    if promise is not None and promise.status == "certified":
        print(f"at most {promise.max_loss:.1%} lost ({promise.kind}), {promise.confidence:.0%} confidence")
    print(f"{len(run.frontier)} operating points; the cheapest does {run.frontier[-1].relative_macs:.2f} of the work")

    answers = run.predict(samples)
    early = (answers.exit < len(run.record.chosen.thresholds)).mean()
    print(f"{len(answers)} samples answered, {early:.0%} of them early; the first is class {answers.answer[0]}")

    found = run.sweep(target=Target(max_loss=0.02))  # runs no network, changes nothing but the report
    for one in found.losses:
        told = f"{one.relative_macs:.2f} of the work" if one.status == "certified" else "cannot be promised"
        print(f"at most {one.max_loss:.1%} lost: {told}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
