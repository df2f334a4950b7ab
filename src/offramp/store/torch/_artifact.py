"""Weights and steps of a graph, from which it can be built again: `model.safetensors` and `config.json`.

No code is stored and nothing is unpickled: loading takes the steps again, loads the weights strictly, and compares the
answer with a stored one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from offramp import zoo
from offramp.attach import Attachment
from offramp.errors import ExportError, OutputError
from offramp.graph import Graph, Step, to_json
from offramp.nn import Executor

from . import _format2
from ._steps import STEPS, Steps, read_steps, replay, write_steps
from ._weights import load_state, state_of

FORMAT, OLDER = 3, 2  # 2 had the arguments of one call of `attach`
TOLERANCE = 1e-4  # of the largest stored logit: the same sums in another order


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """How the network can be built again.

    Attributes:
        reference: As `zoo.load_model` takes it; `graph:NAME` for a network of `attach.GRAPHS`, whose graph knows by
            itself how it was made.
        arguments: Of its builder.
        shape: Of one sample.
        mean: Per channel, or None for no normalization; for those who read the file, since the graph has its own.
        std: As `mean`.
    """

    reference: str
    arguments: Mapping[str, Any]  # Any: JSON
    shape: tuple[int, ...]
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    @property
    def is_graph(self) -> bool:
        """Whether it names a published graph, which is attached to no network."""
        return self.reference.startswith("graph:")


def save_artifact(
    graph: Graph,
    folder: str | Path,
    *,
    example: Mapping[str, Tensor],
    origin: Origin | Sequence[Origin] | None = None,
    thresholds: Sequence[float] = (),
) -> None:
    """Write `model.safetensors` and `config.json` into a folder.

    Args:
        graph: As a function of `attach` makes it, trained or not, and passes after it. Weights of bodies in 8 bits are
            stored twice: as they were trained, and as the bytes that run.
        folder: Exists.
        example: A few inputs by name; they and the answers to them are stored, to compare with.
        origin: Of each network that the graph was attached to: one, of `attach.high_low` the small and the large one,
            none for a published graph. None if nobody can say; the configuration then says `"origin": null`.
        thresholds: The chosen ones.

    Raises:
        OutputError: The folder cannot be written.
    """
    origins = [] if origin is None else [origin] if isinstance(origin, Origin) else list(origin)
    known = _can_be_rebuilt(graph, origins)
    steps, arrays = write_steps(graph.steps if known else ())
    config = {
        "format": FORMAT,
        "origin": [_describe(one) for one in origins if not one.is_graph] if known else None,
        "steps": steps,
        "thresholds": list(thresholds),
        "graph": to_json(graph),
    }
    tensors = {f"weights/{name}": tensor for name, tensor in state_of(graph).items()}
    tensors |= {f"steps/{name}": torch.tensor(array) for name, array in arrays.items()}
    tensors |= {f"check/input/{name}": tensor for name, tensor in example.items()}
    tensors |= {f"check/exit/{name}": tensor for name, tensor in _answers(graph, example).items()}
    try:
        save_file(_apart(tensors), Path(folder) / "model.safetensors")
        written = Path(folder) / "config.json"
        written.write_text(json.dumps(config, indent=1, allow_nan=False), encoding="utf-8")
        (Path(folder) / "model.safetensors").chmod(written.stat().st_mode)  # safetensors lets only the owner read
    except (OSError, SafetensorError) as error:
        raise OutputError(f"{folder} must be writable, but: {error}. Choose another folder.") from error


def _can_be_rebuilt(graph: Graph, origins: Sequence[Origin]) -> bool:
    """Whether the steps are known, and a network for each that the first of them takes."""
    first = graph.steps[0] if graph.steps else None
    return isinstance(first, Attachment) and sum(not one.is_graph for one in origins) == first.networks


def _apart(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, each in memory of its own; those that are so already are not copied."""
    seen: set[int] = set()
    apart = {}
    for name, tensor in tensors.items():
        value = tensor.detach().cpu().contiguous()
        storage = value.untyped_storage()
        if storage.data_ptr() in seen or storage.nbytes() != value.nbytes:
            value = value.clone()
        seen.add(storage.data_ptr())
        apart[name] = value
    return apart


def load_artifact(folder: str | Path, *, steps: Steps = STEPS) -> Graph:
    """The graph that `save_artifact` wrote, built again and checked against its stored answers.

    Args:
        folder: Of format 3, or of format 2 as versions before wrote it.
        steps: By name, the classes of all steps that a file may hold. Add your own passes: `{**STEPS, "mine": Mine}`.

    Returns:
        The graph with the weights that were saved, in eval mode; of format 3 it remembers its steps.

    Raises:
        ExportError: There is no such artifact, it cannot be rebuilt, or the network answers differently.
        WeightsError: The weights do not fit what the steps build.
    """
    config, tensors = _read(Path(folder))
    if config.get("origin" if config["format"] == FORMAT else "rebuild") is None:
        raise ExportError(f"{folder} was made from an object without a reference: only its model.onnx can be run.")
    if config["format"] == FORMAT:
        arrays = {name: tensor.numpy() for name, tensor in _part(tensors, "steps/").items()}
        taken = read_steps(config["steps"], arrays, steps)
        graph = replay(taken, [_network(one, taken[0]) for one in config["origin"]])
    else:
        graph = _format2.replay(config)
        config = {**config, "graph": _format2.numbered(config["graph"], graph)}
    if to_json(graph) != config["graph"]:
        raise ExportError(
            f"the steps of {folder} must build the network that was saved, but build another. "
            "Use the code that it was made with."
        )
    graph = load_state(graph, _part(tensors, "weights/"))
    _compare(graph, tensors, folder)
    return graph


def _describe(origin: Origin) -> dict[str, Any]:  # Any: JSON
    told = {"reference": origin.reference, "arguments": dict(origin.arguments), "shape": list(origin.shape)}
    return told if origin.mean is None else {**told, "mean": origin.mean, "std": origin.std}


def _network(origin: Mapping[str, Any], first: Step) -> zoo.LoadedModel:  # Any: JSON
    """The network of an origin, with random weights."""
    assert isinstance(first, Attachment), "files begin with one"
    return zoo.load_model(
        origin["reference"], shape=tuple(origin["shape"]), arguments=origin["arguments"], logits=first.answer
    )


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin so, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _answers(graph: Graph, example: Mapping[str, Tensor]) -> dict[str, Tensor]:
    with torch.no_grad():
        values = Executor(graph).eval().dense(example)
    return {exit.name: values[exit.name][0] for exit in graph.exits}


def _compare(graph: Graph, tensors: Mapping[str, Tensor], folder: str | Path) -> None:
    for name, got in _answers(graph, _part(tensors, "check/input/")).items():
        wanted = tensors[f"check/exit/{name}"]
        if float((got - wanted).abs().max()) > TOLERANCE * max(1.0, float(wanted.abs().max())):
            raise ExportError(f"{name} of {folder} must answer as it did when saved, but does not. Check the versions.")


def _read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:  # Any: JSON
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tensors = load_file(folder / "model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise ExportError(
            f"{folder} must hold config.json and model.safetensors, but: {error}. Check the path."
        ) from error
    if config.get("format") not in (OLDER, FORMAT):
        raise ExportError(
            f"{folder} must have format {OLDER} or {FORMAT}, but has {config.get('format')!r}. Write it again."
        )
    return config, tensors
