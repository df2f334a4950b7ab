"""The fingerprint of weights."""

from __future__ import annotations

import copy

import torch
from torch import nn

from offramp.learn._digest import digest_weights


def test_the_same_weights_have_the_same_digest_and_any_other_weight_another() -> None:
    net = nn.Linear(3, 2)
    changed = copy.deepcopy(net)
    changed.weight.data[0, 0] += 1e-6
    assert digest_weights({"a": net}) == digest_weights({"a": copy.deepcopy(net)})
    assert digest_weights({"a": net}) != digest_weights({"a": changed})
    assert digest_weights({"a": net}) != digest_weights({"b": net})


def test_a_function_counts_by_its_name() -> None:
    assert digest_weights({"a": torch.relu}) == digest_weights({"a": torch.tanh})
    assert digest_weights({"a": torch.relu}) != digest_weights({"b": torch.relu})
