"""What is attached is remembered, unless somebody gave a module."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from offramp import attach, zoo
from offramp.capture import Answer
from offramp.graph import Graph, to_json
from offramp.nn import Normalize
from offramp.nn.heads import HeadRecipe
from offramp.zoo import LoadedModel

LOADED = zoo.load_model("tiny_network:make", shape=(1, 6, 6))
SMALL = replace(LOADED, module=nn.Sequential(nn.Flatten(), nn.Linear(36, 3)))
CONFIDENT = HeadRecipe("pool", confidence=True)
NORMAL = Normalize([0.5], [0.3])
REUSING = {"reuse_logits": True, "ensemble_heads": True}


def exits(**more: Any) -> Graph:
    return attach.exits(LOADED.module, LOADED.example, count=1, **more)


def controllers(**more: Any) -> Graph:
    return attach.controllers(LOADED.module, LOADED.example, count=1, **more)


def pair(**more: Any) -> Graph:
    return attach.high_low(SMALL.module, LOADED.module, torch.rand(2, 1, 6, 6), **more)


MADE: list[tuple[Callable[..., Graph], dict[str, Any], list[LoadedModel]]] = [
    (exits, {}, [LOADED]),
    (exits, {"head": HeadRecipe("conv1", confidence=True), "scores": ("head_confidence", "margin")}, [LOADED]),
    (exits, {"placement": ["2", "2"], "head": ["pool", "conv1"], **REUSING}, [LOADED]),
    (exits, {"normalize": NORMAL, "logits": Answer(probabilities=False)}, [LOADED]),
    (controllers, {"head": "pool", "controller": "pool", "sees": "features", "normalize": NORMAL}, [LOADED]),
    (pair, {"controller": "pool", "sees": "answer"}, [SMALL, LOADED]),
    (attach.b_lenet, {"positions": ["conv1", "conv2"], "trunk": None, "normalize": NORMAL}, []),
    (attach.res_eenet, {"depth": 8, "exits": 1, "placement": "linear", "head": CONFIDENT}, []),
    (attach.d2nn, {"table": "q: x | fc 2 -> a, dummy\na: x | fc 3\nout: a=0 | fc 3", "example": torch.rand(2, 4)}, []),
]  # fmt: skip


@pytest.mark.parametrize(("make", "options", "networks"), MADE)
def test_the_step_makes_the_graph_again_also_from_its_json_form(
    make: Callable[..., Graph], options: dict[str, Any], networks: list[LoadedModel]
) -> None:
    graph = make(**options)
    (step,) = graph.steps
    assert isinstance(step, attach.Attachment)
    assert step.networks == len(networks)
    back = type(step).from_json(*step.to_json())
    again = back(networks)
    assert to_json(again) == to_json(graph)
    assert again.steps == graph.steps


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (exits, {"placement": ["2"], "head": nn.Sequential(nn.Flatten(), nn.Linear(144, 3))}),
        (controllers, {"head": "pool", "controller": nn.Sequential(nn.Flatten(), nn.Linear(144, 2)), "placement": ["2"],
                       "sees": "features"}),
        (pair, {"controller": nn.Sequential(nn.Flatten(), nn.Linear(36, 2))}),
        (attach.d2nn, {"table": "n: x\nout: n | fc 3", "example": (4,), "modules": {"n": nn.ReLU()}}),
        (attach.d2nn, {"table": "out: y | fc 3", "example": {"y": torch.rand(2, 4)}}),
    ],
)  # fmt: skip
def test_what_was_given_as_a_module_cannot_be_made_again(make: Callable[..., Graph], options: dict[str, Any]) -> None:
    assert make(**options).steps == ()
