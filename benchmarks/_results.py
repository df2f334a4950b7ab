"""Where the parts of a benchmark that runs part by part find their data and leave their results."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def check_needs(
    parser: argparse.ArgumentParser,
    options: argparse.Namespace,
    wanted: Sequence[str],
    needs: Mapping[str, Sequence[str]],
) -> None:
    """Stop with one sentence if an option is missing that a wanted part needs."""
    missing = {f"--{name}" for part in wanted for name in needs.get(part, ()) if getattr(options, name) is None}
    if missing:
        parser.error(f"{', '.join(wanted)} need {', '.join(sorted(missing))}")


def open_results(options: argparse.Namespace, stem: str, key: str) -> tuple[Path, dict[str, Any]]:  # Any: JSON
    """The file of the results, by default beside the script or with --quick in --work, and the parts it holds."""
    work, quick = Path(options.work), getattr(options, "quick", False)
    work.mkdir(parents=True, exist_ok=True)
    out = Path(options.out or (work if quick else HERE / "results") / f"{stem}.json")
    return out, json.loads(out.read_text())[key] if out.exists() else {}
