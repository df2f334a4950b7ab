"""The rules of benchmarks/ and examples/: public names, shared parts in modules of their own, one form of results."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = sorted(path for folder in ("benchmarks", "examples") for path in (ROOT / folder).rglob("*.py"))
RESULTS = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
CURVES = [path for path in RESULTS if path.name.endswith(".curves.json")]
PAGES = [path for path in RESULTS if path not in CURVES]
RUNNABLE = [path for path in SCRIPTS if not path.name.startswith("_") and path.stem != "earlyon_curves"]  # its package
STAMP = {"command": str, "commit": str, "machine": dict | str | None, "seed": int}
LONGEST = 400  # lines of a file


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """Modules and names that a script imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_imports_public_names_only(path: Path) -> None:
    private = [
        f"{module}.{name}"
        for module, name in imported(path)
        if module.partition(".")[0] == "offramp" and any(part.startswith("_") for part in (*module.split("."), name))
    ]
    assert private == []


def test_no_script_imports_another() -> None:
    scripts = {path.stem for path in SCRIPTS if not path.name.startswith("_")}
    found = [f"{path.name}: {module}" for path in SCRIPTS for module, _ in imported(path) if module in scripts]
    assert found == []


def test_modules_that_scripts_share_do_not_import_each_other_in_a_circle() -> None:
    known = {path.stem: path for path in SCRIPTS}
    reads = {name: {module for module, _ in imported(path) if module in known} for name, path in known.items()}
    while free := [name for name, modules in reads.items() if not modules & set(reads)]:
        for name in free:
            del reads[name]
    assert reads == {}


def test_no_script_is_longer_than_a_reader_can_hold() -> None:
    assert {path.name: lines for path in SCRIPTS if (lines := path.read_text().count("\n")) > LONGEST} == {}


@pytest.mark.slow
@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: path.name)
def test_every_benchmark_tells_how_it_is_run(path: Path) -> None:
    done = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage:")


def check_stamp(page: Mapping[str, Any]) -> None:
    assert {name: isinstance(page[name], kind) for name, kind in STAMP.items()} == dict.fromkeys(STAMP, True)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_result_has_the_one_form(path: Path) -> None:
    page = json.loads(path.read_text(encoding="utf-8"))
    assert set(page) - {"versions", "runs"} == {*STAMP, "rows"}
    check_stamp(page)
    for run in page.get("runs", {}).values():
        check_stamp(run)
    assert page["rows"]
    assert all(isinstance(row, dict) for row in page["rows"])
    parts = {row["part"] for row in page["rows"] if "part" in row}
    assert set(page.get("runs", {})) <= parts
    assert all(("part" in row) == bool(parts) for row in page["rows"])


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_curve_lies_beside_and_belongs_to_one_row(path: Path) -> None:
    keys = [row["curve"] for row in json.loads(path.read_text(encoding="utf-8"))["rows"] if "curve" in row]
    beside = path.with_suffix(".curves.json")
    curves = json.loads(beside.read_text(encoding="utf-8")) if beside in CURVES else {}
    assert sorted(keys) == sorted(curves)
    assert all(isinstance(point, list) for curve in curves.values() for point in curve)
