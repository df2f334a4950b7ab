"""Weights and recipe of a graph, from which it can be built again: `model.safetensors` and `config.json`.

No code is stored and nothing is unpickled: loading replays the recipe, loads the weights strictly, and compares the
answer with a stored one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from offramp import attach, capture, transform, zoo
from offramp.errors import ExportError, OutputError, WeightsError
from offramp.graph import Graph, Node, to_json
from offramp.nn import Executor, Normalize
from offramp.nn.heads import HeadRecipe

FORMAT = 2  # 1 had one head recipe for all exits
FORMER = {"cascade": "reuse_logits", "ensemble": "ensemble_heads"}  # what files called it once
TOLERANCE = 1e-4  # of the largest stored logit: the same sums in another order


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """How the network can be built again.

    Attributes:
        reference: As `zoo.load_model` takes it; `graph:NAME` for a network of `attach.GRAPHS`, exits included.
        arguments: Of its builder; for `graph:NAME` all but `trunk` and `normalize`.
        shape: Of one sample.
        mean: Per channel, or None for no normalization.
        std: As `mean`.
    """

    reference: str
    arguments: Mapping[str, Any]  # Any: JSON
    shape: tuple[int, ...]
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None


def save_artifact(
    graph: Graph,
    folder: str | Path,
    *,
    example: Mapping[str, Tensor],
    origin: Origin | None = None,
    thresholds: Sequence[float] = (),
    passes: Sequence[Mapping[str, Any]] = (),  # Any: JSON
) -> None:
    """Write `model.safetensors` and `config.json` into a folder.

    Args:
        graph: As `attach.exits` or a builder of `attach.GRAPHS` makes it, trained or not.
        folder: Exists.
        example: A few inputs by name; they and the answers to them are stored, to compare with.
        origin: None if nobody can say how to build the network; the configuration then says `"rebuild": null`.
        thresholds: The chosen ones.
        passes: What was done to the file that ships beside it, such as its quantization; the weights here are those
            before, in float.

    Raises:
        OutputError: The folder cannot be written.
    """
    config = {
        "format": FORMAT,
        "rebuild": None if origin is None or _is_opaque(graph) else _rebuild(origin),
        "preprocessing": None if origin is None or origin.mean is None else {"mean": origin.mean, "std": origin.std},
        **_recipe(graph),
        "passes": [dict(one) for one in passes],
        "thresholds": list(thresholds),
        "graph": to_json(graph),
    }  # fmt: skip
    tensors = {f"weights/{name}": tensor for name, tensor in _state(graph).items()}
    tensors |= {f"check/input/{name}": tensor for name, tensor in example.items()}
    tensors |= {f"check/exit/{name}": tensor for name, tensor in _answers(graph, example).items()}
    try:
        save_file(_apart(tensors), Path(folder) / "model.safetensors")
        written = Path(folder) / "config.json"
        written.write_text(json.dumps(config, indent=1, allow_nan=False), encoding="utf-8")
        (Path(folder) / "model.safetensors").chmod(written.stat().st_mode)  # safetensors lets only the owner read
    except (OSError, SafetensorError) as error:
        raise OutputError(f"{folder} must be writable, but: {error}. Choose another folder.") from error


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


def load_artifact(folder: str | Path) -> Graph:
    """The graph that `save_artifact` wrote, built again and checked against its stored answers.

    Raises:
        ExportError: There is no such artifact, it cannot be rebuilt, or the network answers differently.
        WeightsError: The weights do not fit what the recipe builds.
    """
    config, tensors = _read(Path(folder))
    if config["rebuild"] is None:
        raise ExportError(f"{folder} was made from an object without a reference: only its model.onnx can be run.")
    graph = _replay(config)
    if to_json(graph) != config["graph"]:
        raise ExportError(
            f"{config['rebuild']['reference']} must build the network of {folder}, but builds another. "
            "Use the code that it was made with."
        )
    graph = _with_weights(graph, {name[8:]: value for name, value in tensors.items() if name.startswith("weights/")})
    _compare(graph, tensors, folder)
    return graph


def _recipe(graph: Graph) -> dict[str, Any]:  # Any: JSON
    """Cuts, heads and scores, as the builder left them on the nodes."""
    stages = [node for node in graph.nodes if node.role == "stage"]
    heads = [node for node in graph.nodes if node.role == "head"]
    first = heads[0].name.rpartition("/")[0] if heads else ""
    if transform.has_fallback(graph):
        heads.pop()  # the network's own end: nobody attached it
    scores = [node for node in graph.nodes if node.role == "score" and node.name.startswith(f"{first}/")]
    return {
        "capture": {"eval_only": any(node.eval_only for node in stages), **_answer(stages)},
        "cuts": list((stages[0].recipe or {}).get("cuts", [])) if stages else [],
        "kept": list(transform.exit_numbers(graph)),
        "heads": [dict(node.recipe or {}) for node in heads],
        "scores": [(node.recipe or {})["score"] for node in scores],
        "controllers": [dict(node.recipe or {}) for node in graph.controls if node.role == "controller"],
        "reuse_logits": any((node.recipe or {}).get("reuse_logits", False) for node in heads),
        "ensemble_heads": any(node.role == "ensemble" for node in graph.nodes),
        "fallback": transform.has_fallback(graph),
    }


def _answer(stages: Sequence[Node]) -> dict[str, Any]:  # Any: JSON
    """Which output of the network its logits are, as its last stage says it."""
    last = dict(stages[-1].recipe or {}) if stages else {}
    return {"logits": last.get("logits"), "probabilities": last.get("probabilities", False)}


def _rebuild(origin: Origin) -> dict[str, Any]:  # Any: JSON
    return {"reference": origin.reference, "arguments": dict(origin.arguments), "shape": list(origin.shape)}


def _is_opaque(graph: Graph) -> bool:
    """True if a body was given as a module: no recipe says how to make it again."""
    return any((node.recipe or {}).get("kind") == "module" for node in graph.nodes)


def _replay(config: Mapping[str, Any]) -> Graph:  # Any: JSON
    """The graph with all exits that were attached, then without those that were dropped."""
    graph = _attach(config)
    if config.get("fallback", False):  # older files say nothing of it
        graph = transform.add_fallback(graph)
    attached = transform.exit_numbers(graph)
    kept = set(_kept(config)) & set(attached)
    return graph if len(kept) == len(attached) else transform.keep_exits(graph, kept)


def _kept(config: Mapping[str, Any]) -> list[int]:  # Any: JSON
    """Files written before exits could be dropped do not say."""
    kept: list[int] = config.get("kept", list(range(len(config["heads"]))))
    return kept


def _attach(config: Mapping[str, Any]) -> Graph:  # Any: JSON
    rebuild, preprocessing = config["rebuild"], config["preprocessing"]
    normalize = Normalize(**preprocessing) if preprocessing else None
    kind, _, name = rebuild["reference"].partition(":")
    if kind == "graph":
        return _published(name)(**rebuild["arguments"], normalize=normalize)
    shape = tuple(rebuild["shape"])
    known = config["capture"]  # older files say nothing of the answer, and took probabilities as they are
    logits = capture.Answer(where=known.get("logits"), probabilities=known.get("probabilities", False))
    loaded = zoo.load_model(rebuild["reference"], shape=shape, arguments=rebuild["arguments"], logits=logits)
    placement, heads = config["cuts"] or "linear", _networks(config, "heads")
    if config.get("controllers"):
        return attach.controllers(
            loaded.module,
            loaded.example,
            count=0,
            placement=placement,
            head=heads,
            controller=_networks(config, "controllers"),
            sees=config["controllers"][0]["sees"],
            normalize=normalize,
            logits=logits,
        )
    return attach.exits(
        loaded.module,
        loaded.example,
        count=0,
        placement=placement,
        head=heads,
        scores=config["scores"] or ("max_probability",),
        normalize=normalize,
        reuse_logits=config.get("reuse_logits", False),  # older files say nothing of these two
        ensemble_heads=config.get("ensemble_heads", False),
        logits=logits,
    )


def _networks(config: Mapping[str, Any], kind: str) -> list[HeadRecipe]:  # Any: JSON
    """Heads or controllers of all exits; of the dropped, any will do."""
    known = {at: HeadRecipe.from_json(recipe) for at, recipe in zip(_kept(config), config[kind], strict=False)}
    return [known.get(at, HeadRecipe()) for at in range(len(config["cuts"]))]


def _published(name: str) -> Callable[..., Graph]:
    if name not in attach.GRAPHS:
        raise ExportError(f"published graphs are {', '.join(attach.GRAPHS)}, but the artifact is of {name!r}. Update.")
    return attach.GRAPHS[name]


def _state(graph: Graph) -> dict[str, Tensor]:
    return {f"{node}/{key}": tensor for node, body in _own_bodies(graph) for key, tensor in body.state_dict().items()}


def _own_bodies(graph: Graph) -> Iterator[tuple[str, nn.Module]]:
    """By node; a fallback has the weights of the stages."""
    for name, body in graph.bodies.items():
        if isinstance(body, nn.Module) and graph[name].role != "fallback":
            yield name, body


def _with_weights(graph: Graph, stored: Mapping[str, Tensor]) -> Graph:
    """The freshly built graph with the stored weights, every one of them and no other."""
    expected = _state(graph)
    odd = sorted(set(expected) ^ set(stored))
    odd += [name for name in expected if name in stored and expected[name].shape != stored[name].shape]
    if odd:
        raise WeightsError(f"model.safetensors must hold exactly the weights of the recipe, but {odd[:3]} differ.")
    for node, body in _own_bodies(graph):
        prefix = f"{node}/"
        body.load_state_dict({key[len(prefix) :]: stored[key] for key in expected if key.rpartition("/")[0] == node})
        body.eval()
    return graph


def _answers(graph: Graph, example: Mapping[str, Tensor]) -> dict[str, Tensor]:
    with torch.no_grad():
        values = Executor(graph).eval().dense(example)
    return {name: values[name][0] for name in graph.exits}


def _compare(graph: Graph, tensors: Mapping[str, Tensor], folder: str | Path) -> None:
    example = {name[12:]: value for name, value in tensors.items() if name.startswith("check/input/")}
    for name, got in _answers(graph, example).items():
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
    if config.get("format") != FORMAT:
        raise ExportError(f"{folder} must have format {FORMAT}, but has {config.get('format')!r}. Write it again.")
    return _with_present_names(config), tensors


def _with_present_names(config: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON
    """A configuration as it would be written today, whenever it was."""

    def renamed(given: Mapping[str, Any]) -> dict[str, Any]:
        return {FORMER.get(name, name): value for name, value in given.items()}

    nodes = [
        {**node, "recipe": renamed(node["recipe"])} if node["recipe"] else node for node in config["graph"]["nodes"]
    ]
    heads = [renamed(head) for head in config["heads"]]
    return {**renamed(config), "heads": heads, "graph": {**config["graph"], "nodes": nodes}}
