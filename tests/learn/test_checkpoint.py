"""Where a training stands, in a file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from offramp.errors import LearnError, OutputError
from offramp.learn._checkpoint import Position, load_checkpoint, save_checkpoint


def trained() -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    heads = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    optimizer = torch.optim.AdamW(heads.parameters())
    for _ in range(3):
        heads(torch.rand(5, 3)).square().sum().backward()
        optimizer.step()
    return heads, optimizer


def fresh() -> tuple[nn.Module, torch.optim.Optimizer]:
    heads = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    return heads, torch.optim.AdamW(heads.parameters())


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    (heads, optimizer), path = trained(), tmp_path / "new" / "post.safetensors"
    save_checkpoint(path, Position(epoch=2, step=5), learner=heads, optimizer=optimizer, fingerprint={"seed": 1})
    other, others = fresh()
    position = load_checkpoint(path, learner=other, optimizer=others, fingerprint={"seed": 1})
    assert position == Position(epoch=2, step=5)
    torch.testing.assert_close(other.state_dict(), heads.state_dict(), atol=0, rtol=0)
    torch.testing.assert_close(others.state_dict()["state"], optimizer.state_dict()["state"], atol=0, rtol=0)


def test_nothing_but_the_file_is_left(tmp_path: Path) -> None:
    heads, optimizer = trained()
    for step in range(2):
        save_checkpoint(tmp_path / "c", Position(step=step), learner=heads, optimizer=optimizer, fingerprint={})
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_a_missing_file_means_the_start(tmp_path: Path) -> None:
    heads, optimizer = fresh()
    assert load_checkpoint(tmp_path / "c", learner=heads, optimizer=optimizer, fingerprint={}) == Position()


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", bytes(64)], ids=["empty", "text", "zeros"])
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "c").write_bytes(content)
    heads, optimizer = fresh()
    with pytest.raises(LearnError, match="cannot be read"):
        load_checkpoint(tmp_path / "c", learner=heads, optimizer=optimizer, fingerprint={})


def test_a_file_of_another_training_is_refused_with_what_differs(tmp_path: Path) -> None:
    heads, optimizer = trained()
    save_checkpoint(tmp_path / "c", Position(), learner=heads, optimizer=optimizer, fingerprint={"seed": 1, "batch": 2})
    with pytest.raises(LearnError, match="batch, seed differ"):
        load_checkpoint(tmp_path / "c", learner=heads, optimizer=optimizer, fingerprint={"seed": 2, "batch": 3})


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    heads, optimizer = fresh()
    with pytest.raises(OutputError, match="cannot be written"):
        save_checkpoint(tmp_path / "file" / "c", Position(), learner=heads, optimizer=optimizer, fingerprint={})
