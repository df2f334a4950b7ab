"""Where a training stands, in one file: tensors as safetensors, the rest as JSON in its header; no pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from offramp.errors import LearnError, OptionError, OutputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The step that comes next.

    Attributes:
        epoch: Number of passes that are finished.
        step: Number of steps that are finished in the present pass.
    """

    epoch: int = 0
    step: int = 0


def check_resume(checkpoint: Path | None, resume: bool) -> None:
    """Refuse to go on from nothing.

    Args:
        checkpoint: Path of the checkpoint; None if none is kept.
        resume: True if the training shall go on from it.

    Raises:
        OptionError: There is no file to go on from.
    """
    if resume and checkpoint is None:
        raise OptionError("resume needs the file to go on from, but checkpoint is None. Give its path.")


def save_checkpoint(
    path: Path, position: Position, *, learner: nn.Module, optimizer: Optimizer, fingerprint: Mapping[str, object]
) -> None:
    """Write the file anew, whole or not at all.

    Args:
        path: Path of the file; its folder is made.
        position: The step that comes next.
        learner: Module whose weights are kept.
        optimizer: Optimizer of the learner, whose state is kept.
        fingerprint: What must be equal when the training goes on, as JSON-able data.

    Raises:
        OutputError: The file cannot be written.
    """
    tensors = {f"learner/{name}": value for name, value in learner.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer/{index}/{name}": value for name, value in state.items() if value is not None}
    text = {"position": [position.epoch, position.step], "fingerprint": dict(fingerprint)}
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        plain = {name: value.detach().contiguous() for name, value in tensors.items()}
        save_file(plain, partial, metadata={"offramp": json.dumps(text)})
        os.replace(partial, path)  # noqa: PTH105  # atomic on one file system, like Path.replace, and as quick
    except (OSError, SafetensorError) as error:
        raise OutputError(f"the checkpoint {path} cannot be written: {error}. Choose a writable folder.") from error


def load_checkpoint(
    path: Path, *, learner: nn.Module, optimizer: Optimizer, fingerprint: Mapping[str, object]
) -> Position:
    """Bring learner and optimizer to where a killed training was.

    Args:
        path: Path of the checkpoint.
        learner: Module that takes the weights.
        optimizer: Optimizer of the learner, which takes its state.
        fingerprint: What must be equal to what the file holds.

    Returns:
        The step that comes next; the first one if there is no file.

    Raises:
        LearnError: The file is damaged, or was written by another training.
    """
    if not path.exists():
        return Position()
    text, tensors = _read(path)
    _check_same(path, text["fingerprint"], fingerprint)
    learner.load_state_dict({name[8:]: value for name, value in tensors.items() if name.startswith("learner/")})
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer/"):
            _, index, key = name.split("/")
            state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    epoch, step = text["position"]
    return Position(epoch=epoch, step=step)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:  # Any: JSON
    try:
        with safe_open(path, framework="pt") as file:
            text = json.loads(file.metadata()["offramp"])
            return text, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise LearnError(f"the checkpoint {path} cannot be read: {error}. Delete it to start anew.") from error


def _check_same(path: Path, then: Mapping[str, object], now: Mapping[str, object]) -> None:
    other = [name for name in {**then, **now} if then.get(name) != now.get(name)]
    if other:
        raise LearnError(
            f"the checkpoint {path} was written by another training: {', '.join(sorted(other))} differ. "
            "Use the same ones, or do not resume."
        )
