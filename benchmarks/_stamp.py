"""Where a result comes from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from offramp.store import describe_command, describe_machine, describe_versions

STAMP = ("command", "commit", "machine", "versions", "seed")


def stamp(seed: int) -> dict[str, Any]:  # Any: JSON
    """Command, commit of the code that ran, machine, versions and seed."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, capture_output=True, text=True, cwd=Path(__file__).parent, check=True).stdout.strip()
    return {
        "command": describe_command("python", sys.argv[0]), "commit": commit, "machine": describe_machine(),
        "versions": describe_versions(), "seed": seed,
    }  # fmt: skip
