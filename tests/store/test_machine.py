from __future__ import annotations

import sys
from pathlib import Path

import pytest

from offramp.store._machine import (
    describe_command,
    describe_machine,
    describe_versions,
    relative_to_here,
    without_folders,
)


def test_a_machine_has_a_processor_and_cores() -> None:
    machine = describe_machine()
    assert machine["cpu"]
    assert int(machine["cores"]) >= 1


def test_versions_name_what_decides_numbers() -> None:
    assert {"offramp", "python", "torch", "openvino", "onnxruntime", "numpy"} <= set(describe_versions())


def test_a_command_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/offramp", "bench", "my folder"])
    assert describe_command() == "offramp bench 'my folder'"


def test_a_command_of_another_program_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/home/ada/benchmarks/first.py", "--work", "/var/scratch/first"])
    assert describe_command("python", sys.argv[0]) == "python .../first.py --work .../first"


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("/home/ada/out", ".../out"),
        ("/home/ada/out/", ".../out"),
        ("/out", ".../out"),
        ("--out=/home/ada/out", "--out=.../out"),
        ("npz:/home/ada/x.npz@test", "npz:.../x.npz@test"),
        ("npz:/home/a@b/x.npz", "npz:.../x.npz"),
        ("/home/ada/nets.py:Small", ".../nets.py:Small"),
        ("/home/ada lovelace/my data", ".../my data"),
        ("--a=/home/ada/a,/home/bea/b", "--a=.../b"),
        ("../data/x.npz", "../data/x.npz"),
        ("zoo:resnet20", "zoo:resnet20"),
        ("https://example.org/x.npz", "https://example.org/x.npz"),
        ("1/255", "1/255"),
        ("", ""),
    ],
)
def test_an_argument_names_no_folder_of_this_machine(argument: str, told: str) -> None:
    assert without_folders(argument) == told


def test_a_path_below_the_current_folder_is_relative_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert without_folders(f"npz:{tmp_path}/data/x.npz@test") == "npz:data/x.npz@test"
    assert without_folders(f"--out={tmp_path}") == "--out=."
    assert without_folders(f"{tmp_path}/../elsewhere/x") == ".../x"
    assert without_folders(f"{tmp_path}-2/x") == ".../x"
    assert without_folders(f"{tmp_path}/a,/home/bea/b") == "a,.../b"


def test_in_the_root_folder_every_path_is_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert without_folders("/home/ada/x") == ".../x"


def test_what_must_be_found_again_stays_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert relative_to_here(f"npz:{tmp_path}/x.npz") == "npz:x.npz"
    assert relative_to_here("npz:/home/ada/x.npz") == "npz:/home/ada/x.npz"
