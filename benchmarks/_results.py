"""The one form of all results, and where benchmarks that run part by part find what is there already.

A file of results is `{"command", "commit", "machine", "versions", "seed", "rows": [...]}`. Where a benchmark runs part
by part, each row names its `part` and `table`; a part that was measured in another run than the last one has the stamp
of its own run under `runs`. Curves lie in a file beside (`NAME.curves.json`), and the row holds the key of its curve.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from _stamp import STAMP, stamp

HERE = Path(__file__).parent
RESULTS = HERE / "results"
CURVE = "curve"  # the field of a row that is long
ABOUT = "about"  # the table of what is known of a whole part
Row = dict[str, Any]  # Any: JSON
Part = dict[str, Any]  # a stamp, tables of rows by name, and values; Any: JSON


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


def open_results(options: argparse.Namespace, stem: str) -> tuple[Path, dict[str, Part]]:
    """The file of the results, by default beside the script or with --quick in --work, and the parts it holds."""
    work, quick = Path(options.work), getattr(options, "quick", False)
    work.mkdir(parents=True, exist_ok=True)
    out = Path(options.out or (work if quick else RESULTS) / f"{stem}.json")
    return out, read_parts(out) if out.exists() else {}


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], *, seed: int) -> None:
    """Results of one run, stamped."""
    _write(path, stamp(seed), rows)


def read_rows(path: Path) -> list[Row]:
    """The rows of a file of results, each with its curve."""
    page = json.loads(path.read_text(encoding="utf-8"))
    curves = _curves_beside(path)
    return [row | ({CURVE: curves[row[CURVE]]} if CURVE in row else {}) for row in page["rows"]]


def write_parts(path: Path, parts: Mapping[str, Part], latest: str) -> None:
    """Results part by part, of which one was measured by the run that is writing.

    Args:
        path: The file.
        parts: By name, each with the stamp of its run, tables of rows, and values.
        latest: The name of the part whose stamp is that of the file.
    """
    head = _stamp_of(parts[latest])
    runs = {name: _stamp_of(part) for name, part in parts.items() if _stamp_of(part) != head}
    rows = [row for name, part in parts.items() for row in _rows_of(name, part)]
    _write(path, head | ({"runs": runs} if runs else {}), rows)


def read_parts(path: Path) -> dict[str, Part]:
    """The parts of a file of results, as `write_parts` takes them."""
    page = json.loads(path.read_text(encoding="utf-8"))
    parts: dict[str, Part] = {}
    for row in read_rows(path):
        name, table = row.pop("part"), row.pop("table")
        part = parts.setdefault(name, page.get("runs", {}).get(name, _stamp_of(page)))
        if table == ABOUT:
            part.update(row)
        else:
            part.setdefault(table, []).append(row)
    return parts


def beside(path: Path) -> Path:
    """Where the curves of a file of results lie."""
    return path.with_suffix(".curves.json")


def _stamp_of(page: Mapping[str, Any]) -> Part:
    return {name: page[name] for name in STAMP if name in page}


def _rows_of(name: str, part: Part) -> Iterator[Row]:
    """What is known of a part in one row, then its tables."""
    tables = {key: value for key, value in part.items() if _is_table(value)}
    about = {key: value for key, value in part.items() if key not in (*tables, *STAMP)}
    if about:
        yield {"part": name, "table": ABOUT, **about}
    for key, rows in tables.items():
        yield from ({"part": name, "table": key, **row} for row in rows)


def _is_table(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(row, dict) for row in value)


def _write(path: Path, head: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """The rows, and their curves beside them."""
    curves: dict[str, Any] = {}
    kept = []
    for at, row in enumerate(rows):
        if CURVE in row:
            curves[str(at)] = row[CURVE]
            row = {**row, CURVE: str(at)}
        kept.append(row)
    path.write_text(json.dumps({**head, "rows": kept}, indent=1) + "\n", encoding="utf-8")
    if curves:
        text = ",\n".join(f" {json.dumps(key)}: {json.dumps(curve)}" for key, curve in curves.items())
        beside(path).write_text(f"{{\n{text}\n}}\n", encoding="utf-8")


def _curves_beside(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(beside(path).read_text(encoding="utf-8")) if beside(path).exists() else {}
    return found
