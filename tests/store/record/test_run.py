from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offramp.errors import DataError
from offramp.store.record import BenchRecord, CheckRecord, RunRecord, SweepRecord, parse, read_run, to_json
from parts import parts
from records import make_record, make_result

QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@QUICK
@given(st.data())
@pytest.mark.parametrize("kind", [RunRecord, SweepRecord, CheckRecord, BenchRecord])
def test_a_record_is_equal_after_it_was_written_and_read(kind: Any, data: st.DataObject) -> None:
    record = data.draw(parts(kind))
    text = to_json(record)
    assert parse(kind, text, "it") == record
    assert to_json(parse(kind, text, "it")) == text


def test_the_text_names_its_schema_first() -> None:
    assert next(iter(json.loads(to_json(make_record())))) == "schema"


def test_a_record_cannot_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        make_record().seed = 1


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("extra", 1, "'extra' is unknown"),
        ("chosen.color", "red", "'chosen.color' is unknown"),
        ("chosen.gain.1", "fast", "'chosen.gain.1' is broken: input should be a valid number"),
        ("samples.tune", 1.5, "'samples.tune' is broken"),
        ("guarantee.status", "perhaps", "'guarantee.status' is broken: input should be 'certified' or 'refused'"),
        ("frontier.0.macs", None, "'frontier.0.macs' is broken"),
    ],
)
def test_what_is_wrong_is_named(path: str, value: Any, words: str) -> None:
    found = json.loads(to_json(make_record()))
    *way, last = path.split(".")
    part = found
    for name in way:
        part = part[int(name)] if isinstance(part, list) else part[name]
    part[last] = value
    with pytest.raises(DataError, match=r"^out/result\.json must be written by this version, but ") as caught:
        read_run(json.dumps(found), "out/result.json")
    assert words in str(caught.value)
    assert len(str(caught.value).split()) <= 40


@pytest.mark.parametrize("name", ["chosen", "exit_macs", "guarantee", "search"])
def test_what_is_missing_is_named(name: str) -> None:
    found = make_result()
    del found[name]
    with pytest.raises(DataError, match=f"'{name}' is missing"):
        read_run(json.dumps(found), "it")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "3", "\x00"])
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(DataError, match="it must be written by this version"):
        read_run(text, "it")


def test_a_record_of_a_newer_version_is_refused() -> None:
    with pytest.raises(DataError, match="a newer offramp wrote 2"):
        read_run(json.dumps({"schema": 2}), "it")


def test_options_that_only_the_command_line_knows_are_kept() -> None:
    found = {**make_result(), "options": {"data": "digits", "held_out": None, "head": ["light", "pool"], "epochs": 3}}
    options = json.loads(to_json(read_run(json.dumps(found), "it")))["options"]
    assert (options["head"], options["epochs"], options["tokenizer"]) == (["light", "pool"], 3, None)


@pytest.mark.parametrize(("held_out", "data", "samples"), [("a", "b", "a"), (None, "b", "b")])
def test_the_samples_that_decide_are_the_held_out_ones(held_out: Any, data: Any, samples: Any) -> None:
    made = make_record(options={"data": data, "held_out": held_out})
    assert made.options.samples == samples


def test_the_reference_page_is_what_the_types_say() -> None:
    root = Path(__file__).parents[3]
    made = runpy.run_path(str(root / "tools" / "record_reference.py"))["page"]()
    assert made == (root / "docs" / "reference" / "record.md").read_text(), "run python tools/record_reference.py"
