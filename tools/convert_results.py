"""Once: brings the stored results of all benchmarks into the one form of benchmarks/_results.py; no number changes.

Run: python tools/convert_results.py (in the root of the repository)
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import _results
from _stamp import STAMP

NESTED = {"pteenet": "parts", "runtime": "networks", "runtime-no-amx": "networks"}


def numbers(value: Any) -> Counter[float]:
    """Every number of a page, with how often it occurs."""
    if isinstance(value, dict):
        return sum((numbers(one) for one in value.values()), Counter())
    if isinstance(value, list):
        return sum((numbers(one) for one in value), Counter())
    return Counter([value]) if isinstance(value, int | float) and not isinstance(value, bool) else Counter()


def head_of(page: dict[str, Any]) -> dict[str, Any]:
    """The stamp of a page."""
    return {name: page[name] for name in STAMP if name in page}


def commit_of(path: Path) -> str:
    """The commit that stored a file."""
    asked = ["git", "log", "-1", "--format=%h", "--", str(path)]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def convert(path: Path) -> None:
    """One file of results, in place."""
    page, name = json.loads(path.read_text()), path.stem
    if name in NESTED:
        parts = page[NESTED[name]]
        _results.write_parts(path, parts, list(parts)[-1])
    elif name == "d2nn":
        parts = {f"{group}/{study}": one for group, by in page["parts"].items() for study, one in by.items()}
        _results.write_parts(path, parts, list(parts)[-1])
    elif name == "branchynet":
        parts = {}
        for part, rows in page["rows"].items():
            own = {key: rows[0].pop(key) for key in ("command", "commit", "seed")}
            for row in rows[1:]:
                assert own == {key: row.pop(key) for key in own}, "one run per part"
            parts[part] = {**own, "machine": page["machine"], "versions": page["versions"], "rows": rows}
        _results.write_parts(path, parts, list(parts)[-1])
    elif name.startswith("attaches"):
        head = {"command": f"python benchmarks/attaches.py --name {name}", "commit": commit_of(path), "machine": None}
        head["command"] = head["command"].replace(" --name attaches", "") if name == "attaches" else head["command"]
        _results._write(path, {**head, "seed": 0}, [{"network": key, **one} for key, one in page.items()])
    else:
        more = {key: value for key, value in page.items() if key not in (*STAMP, "rows", "batches", "training")}
        rows = [{**more, **row} for row in page.get("rows", page.get("batches", []))]
        if "training" in page:
            rows = [{"table": "training", **row} for row in page["training"]]
            rows += [{"table": "rows", **row} for row in page["rows"]]
        _results._write(path, head_of(page), rows)


def main() -> None:
    """All of them."""
    for path in sorted(_results.RESULTS.glob("*.json")):
        before = numbers(json.loads(path.read_text()))
        convert(path)
        after = numbers([json.loads(one.read_text()) for one in (path, _results.beside(path)) if one.exists()])
        gone = {one: count - after[one] for one, count in before.items() if after[one] < count}
        print(path.name, sum(before.values()), "numbers,", f"fewer times now: {gone}" if gone else "all there")


if __name__ == "__main__":
    main()
