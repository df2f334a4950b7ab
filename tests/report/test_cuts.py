from __future__ import annotations

from pathlib import Path

import pytest

from commands import call


def test_cut_points_have_index_name_shape_and_share() -> None:
    found = call("inspect", "--model", "zoo:lenet5", "--json").json
    assert found["macs"] == 416_520
    assert found["cuts"][0] == {"index": 0, "name": "pool1", "shape": [6, 14, 14], "share": 117_600 / 416_520}


def test_the_table_names_every_cut_point() -> None:
    done = call("inspect", "--model", "zoo:mlp")
    assert done.code == 0
    assert all(name in done.out for name in ("cut", "name", "shape", "MACs before, %", "zoo:mlp"))


SEVERAL = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(784, 32), nn.Linear(32, 10)
    def forward(self, x):
        hidden = torch.relu(self.first(x.flatten(1)))
        return hidden, self.last(hidden)

class Probable(Net):
    def forward(self, x):
        return super().forward(x)[1].softmax(1)
"""


@pytest.fixture
def several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "several_outputs.py").write_text(SEVERAL)
    monkeypatch.syspath_prepend(tmp_path)
    return "several_outputs:Net"


def test_outputs_are_listed_where_none_is_named_and_then_one_is_taken(several: str) -> None:
    refused = call("inspect", "--model", several, "--shape", "1,28,28")
    assert refused.code == 2
    assert "0 [2, 32], 1 [2, 10]. Name one: --logits NAME or INDEX" in refused.err
    assert call("inspect", "--model", several, "--shape", "1,28,28", "--logits", 1, "--json").json["classes"] == 10


def test_a_word_about_probabilities_does_not_stand_between_the_json(several: str) -> None:
    done = call("inspect", "--model", several.replace("Net", "Probable"), "--shape", "1,28,28", "--json")
    assert done.json["classes"] == 10
    assert done.err.count("answers with probabilities") == 1
