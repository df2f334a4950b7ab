"""Configurations of format 2, which hold the arguments of one call of `attach` and what became of its exits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from offramp import attach, capture, transform, zoo
from offramp.errors import ExportError
from offramp.graph import Graph
from offramp.nn import Normalize
from offramp.nn.heads import HeadRecipe

FORMER = {"cascade": "reuse_logits", "ensemble": "ensemble_heads"}  # what files called it once


def replay(config: Mapping[str, Any]) -> Graph:  # Any: JSON
    """The graph of a configuration, with fresh weights: all exits that were attached, then without those dropped.

    Raises:
        ExportError: It names a published graph that nobody knows.
    """
    graph = _attach(config)
    if config.get("fallback", False):  # older files say nothing of it
        graph = transform.add_fallback(graph)
    attached = [exit.cut for exit in graph.exits if exit.cut is not None]
    kept = set(_kept(config)) & set(attached)
    return graph if len(kept) == len(attached) else transform.keep_exits(graph, kept)


def numbered(described: Mapping[str, Any], graph: Graph) -> dict[str, Any]:  # Any: JSON
    """The JSON form of a graph as it would be written today: with the numbers of exits, and present names in recipes.

    Args:
        described: As a file of format 2 holds it.
        graph: What the file was replayed to; its exits have numbers.

    Returns:
        What `to_json` gives of the graph, if it is the one that the file describes.
    """
    numbers = {node.name: node.exit for node in graph.nodes if node.exit is not None}
    return {**described, "nodes": [_present(node, numbers) for node in described["nodes"]]}


def _present(node: Mapping[str, Any], numbers: Mapping[str, int]) -> dict[str, Any]:  # Any: JSON
    recipe = {FORMER.get(name, name): value for name, value in (node["recipe"] or {}).items()}
    number = {"exit": numbers[node["name"]]} if node["name"] in numbers else {}
    return {**node, "recipe": recipe if node["recipe"] is not None else None, **number}


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
        reuse_logits=config.get("cascade", False),  # older files say nothing of these two
        ensemble_heads=config.get("ensemble", False),
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
