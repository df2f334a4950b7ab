"""From a file of weights into a network, strictly."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from offramp.errors import WeightsError

SHOWN = 3  # offenders that an error names; it counts the rest
WRAPPERS = ("state_dict", "model_state_dict", "model")  # keys under which training scripts store the weights
PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and of torch.compile


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Weights by name from a `.safetensors` file, or from what `torch.save` wrote.

    A dictionary around the weights and the prefixes of DataParallel and torch.compile are taken off. Nothing in
    the file is executed.

    Args:
        path: Path of the file.

    Returns:
        Tensors by name.

    Raises:
        WeightsError: No such file, not readable without running code, or no weights inside.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"the weights must be a file, but {path} is none. Check the path.")
    content = _read(path)
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise WeightsError(f"{path} must hold tensors by name, but does not. Save module.state_dict().")
    return _without_prefixes({str(name): value for name, value in content.items()})


def _read(path: Path) -> object:
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} must hold weights alone, but holds code or objects. Save module.state_dict()."
        ) from error
    except (safetensors.SafetensorError, RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise WeightsError(
            f"{path} must be a .safetensors or torch.save file, but is not readable. Save it again."
        ) from error


def _without_prefixes(state: dict[str, Tensor]) -> dict[str, Tensor]:
    for prefix in PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def infer_classes(module: nn.Module, state: Mapping[str, Tensor]) -> int | None:
    """The number of classes that the weights were trained for, if they differ from the module's in nothing else.

    Every tensor of another shape must differ in its first axis alone, and all must agree on its size.

    Args:
        module: Network that the weights are meant for, with another number of classes perhaps.
        state: Weights by name.

    Returns:
        The number of classes; None if no tensor or something else differs.
    """
    own = module.state_dict()
    wrong = [(own[name].shape, value.shape) for name, value in state.items() if _differs(own, name, value)]
    if any(len(ours) != len(theirs) or ours[1:] != theirs[1:] for ours, theirs in wrong):
        return None
    sizes = {theirs[0] for _, theirs in wrong}
    return sizes.pop() if len(sizes) == 1 else None


def load_weights(module: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Fill a module in place; all names and shapes must fit.

    Args:
        module: Network whose weights are replaced.
        state: Weights by name; counters of batch normalization may be missing.
        source: File or network that the weights come from, for the message.

    Raises:
        WeightsError: Names are missing or unexpected, or shapes differ; the message counts all and names some.
    """
    own = module.state_dict()
    # counters of batch normalization came after many public checkpoints, and nothing in eval mode reads them
    missing = [name for name in own if name not in state and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in state if name not in own]
    wrong = [
        f"{name} {list(value.shape)} instead of {list(own[name].shape)}"
        for name, value in state.items()
        if _differs(own, name, value)
    ]
    offenses = {"missing": missing, "unexpected": unexpected, "of another shape": wrong}
    if any(offenses.values()):
        counted = "; ".join(f"{len(names)} {kind} ({_some(names)})" for kind, names in offenses.items() if names)
        raise WeightsError(
            f"the weights in {source} must fit the network, but have {counted}. Name the network they are of."
        )
    module.load_state_dict(dict(state), strict=False)


def _differs(own: Mapping[str, Tensor], name: str, value: Tensor) -> bool:
    return name in own and own[name].shape != value.shape


def _some(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
