"""Folders that versions before wrote; those in `format2` come from commit b2af805."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from offramp.errors import ExportError
from offramp.store.torch import load_artifact

FOLDERS = Path(__file__).parent / "format2"


@pytest.mark.parametrize(
    ("name", "exits"),
    [
        ("chain", ("exit1/ensemble", "stage2")),
        ("fallback", ("exit0/head", "exit1/head", "fallback")),
        ("graph", ("out",)),
        ("controllers", ("exit0/head", "stage1")),
    ],
)
def test_a_folder_of_format_2_still_loads_and_answers_as_it_did(name: str, exits: tuple[str, ...]) -> None:
    """Loading compares the structure and the stored answers."""
    assert tuple(exit.name for exit in load_artifact(FOLDERS / name).exits) == exits


def changed(name: str, folder: Path, **entries: object) -> Path:
    made = Path(shutil.copytree(FOLDERS / name, folder / name))
    config = json.loads((made / "config.json").read_text())
    (made / "config.json").write_text(json.dumps({**config, **entries}))
    return made


def test_a_published_graph_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    rebuild = {"reference": "graph:b_vgg", "arguments": {}, "shape": [1, 4, 4]}
    with pytest.raises(ExportError, match="but the artifact is of 'b_vgg'"):
        load_artifact(changed("graph", tmp_path, rebuild=rebuild))


def test_older_files_that_do_not_say_what_was_dropped_have_all_exits(tmp_path: Path) -> None:
    folder = changed("controllers", tmp_path)
    config = json.loads((folder / "config.json").read_text())
    del config["kept"], config["cascade"], config["ensemble"], config["capture"]["probabilities"]
    (folder / "config.json").write_text(json.dumps(config))
    assert [exit.name for exit in load_artifact(folder).exits] == ["exit0/head", "stage1"]
