"""The copy that is looked at in the user's stead."""

import pytest
import torch
from torch import nn

from offramp.capture._copied import copy_module
from offramp.errors import CaptureError


def test_a_copy_is_in_evaluation_mode_and_the_network_stays_as_it_is() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    made = copy_module(net)
    assert (made.training, net.training) == (False, True)
    assert next(made.parameters()) is not next(net.parameters())


def test_a_network_that_cannot_be_copied_is_refused_in_a_sentence() -> None:
    net = nn.Linear(2, 2)
    net.kept = net.weight * 2  # the result of a computation
    with pytest.raises(CaptureError, match=r"Linear must be copyable, .* Remove hooks and tensors"):
        copy_module(net)
    assert torch.is_tensor(net.kept)
