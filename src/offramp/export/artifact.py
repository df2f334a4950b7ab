"""The Python side of a result: weights as safetensors and a config.json from which the graph is built again, strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from offramp.build import Normalize, attach_exits, load_model
from offramp.errors import DataError, WeightsError
from offramp.graph import Graph, to_json
from offramp.nn import Executor
from offramp.nn.heads import HeadRecipe

FORMAT = 1
TOLERANCE = 1e-3  # other versions of PyTorch sum in another order


def save(graph: Graph, folder: Path, *, rebuild: Mapping[str, Any] | None, thresholds: list[float]) -> None:  # Any: JSON
    """Write model.safetensors and config.json into a folder.

    Args:
        graph: With trained bodies.
        folder: Must exist.
        rebuild: What `load` needs to build the graph again (model, arguments, mean, std, cuts, head, scores); None for a
            model that no reference names.
        thresholds: The chosen ones.
    """
    weights = {
        f"{name}:{key}": tensor.detach().contiguous().clone()
        for name, body in graph.bodies.items()
        if isinstance(body, nn.Module)
        for key, tensor in body.state_dict().items()
    }
    save_file(weights, folder / "model.safetensors")
    config = {
        "format": FORMAT,
        "rebuild": dict(rebuild) if rebuild else None,
        "graph": to_json(graph),
        "thresholds": thresholds,
        "answer": _probe(graph).tolist(),
    }
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")


def load(folder: str | Path) -> Graph:
    """The graph of a result folder, rebuilt from its recipe, with its weights; its answer is compared with the stored one.

    Raises:
        DataError: There is no config.json, it is of another format, or the model has no reference to rebuild it from.
        WeightsError: The weights do not fit, or the answer is not the stored one.
    """
    folder = Path(folder)
    config = _read(folder / "config.json")
    recipe = config["rebuild"]
    loaded = load_model(recipe["model"], arguments=recipe["arguments"] or None, shape=recipe.get("shape"))
    normalize = Normalize(recipe["mean"], recipe["std"]) if recipe["mean"] else None
    graph = attach_exits(
        loaded.module,
        loaded.example,
        exits=len(recipe["cuts"]),
        placement=recipe["cuts"],
        head=HeadRecipe.from_json(recipe["head"]),
        scores=recipe["scores"],
        normalize=normalize,
    )
    _fill(graph, load_file(folder / "model.safetensors"))
    difference = float(np.abs(_probe(graph).numpy() - np.asarray(config["answer"])).max())
    if not difference <= TOLERANCE:
        raise WeightsError(
            f"the rebuilt network must answer as the stored one did, but differs by {difference:.2g}: "
            "use the versions that result.json names."
        )
    return graph


def _read(path: Path) -> dict[str, Any]:  # Any: JSON
    if not path.is_file():
        raise DataError(f"expected a result folder, but {path} is not there: run offramp optimize.")
    config: dict[str, Any] = json.loads(path.read_text())
    if config.get("format") != FORMAT:
        raise DataError(f"expected a config.json of format {FORMAT}, got {config.get('format')!r}: write it with this version.")
    if config["rebuild"] is None:
        raise DataError(f"{path} names no reference to build its model from: use model.onnx, or pass package.module:callable.")
    return config


def _fill(graph: Graph, weights: Mapping[str, Tensor]) -> None:
    """Load the weights into the graph's fresh bodies, all of them and no others."""
    expected: set[str] = set()
    for name, body in graph.bodies.items():
        own = {key: weights.get(f"{name}:{key}") for key in body.state_dict()}
        expected |= {f"{name}:{key}" for key in own}
        missing = [key for key, tensor in own.items() if tensor is None]
        if missing:
            raise WeightsError(f"model.safetensors lacks {missing[:3]} of {name!r}: the folder is incomplete, write it again.")
        body.load_state_dict(own)
    unknown = sorted(set(weights) - expected)
    if unknown:
        raise WeightsError(f"model.safetensors holds {unknown[:3]}, which the network lacks: the folder was changed.")


def _probe(graph: Graph) -> Tensor:
    """The answer to two fixed samples with nobody leaving early."""
    generator = torch.Generator().manual_seed(0)
    inputs = {}
    for node in graph.inputs:
        tensor = node.outputs[0]
        shape = (2, *tensor.shape)
        inputs[node.name] = torch.rand(shape, generator=generator) if "float" in tensor.dtype else torch.ones(shape).long()
    limits = torch.tensor([gate.gate.stop_none for gate in graph.gates if gate.gate])
    executor = Executor(graph).eval()
    with torch.no_grad():
        return executor(inputs, limits).logits
