from __future__ import annotations

import sys

import pytest

from offramp.cli._machine import describe_command, describe_machine, describe_versions


def test_a_machine_has_a_processor_and_cores() -> None:
    machine = describe_machine()
    assert machine["cpu"]
    assert int(machine["cores"]) >= 1


def test_versions_name_what_decides_numbers() -> None:
    assert {"offramp", "python", "torch", "openvino", "onnxruntime", "numpy"} <= set(describe_versions())


def test_a_command_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/offramp", "bench", "my folder"])
    assert describe_command() == "offramp bench 'my folder'"
