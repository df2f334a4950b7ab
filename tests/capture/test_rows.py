"""Networks whose rows depend on each other, on chance or on the past are refused by the name of what does it."""

import copy
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from offramp import attach
from offramp.capture import capture, check_rows
from offramp.errors import CaptureError


class Between(nn.Module):
    """Two linear layers over the mean of a sequence [B, 5, 8], and something between them."""

    def __init__(self, between=None, *, layer=None):
        super().__init__()
        self.first, self.last = nn.Linear(8, 16), nn.Linear(16, 3)
        self.layer = layer
        self.between = between or (lambda self, h: self.layer(h))

    def forward(self, x):
        return self.last(self.between(self, self.first(x.mean(1))))


class Sequences(nn.Module):
    """A layer that reads sequences [B, 5, 8], and one that answers from their mean."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.last = layer, nn.Linear(8, 3)

    def forward(self, x):
        made = self.layer(x, x, x) if isinstance(self.layer, nn.MultiheadAttention) else self.layer(x)
        return self.last((made[0] if isinstance(made, tuple) else made).mean(1))


class StuckNorm(nn.BatchNorm1d):
    """Stays in training mode."""

    def train(self, mode=True):
        return super().train(True)


class Counter(nn.Module):
    """Weighs by how often it was asked."""

    def __init__(self):
        super().__init__()
        self.asked = 0

    def forward(self, x):
        self.asked += 1
        return x * self.asked


class AlwaysDropped(nn.Dropout):
    """Stays in training mode."""

    def train(self, mode=True):
        return super().train(True)


def pictures(layer):
    return nn.Sequential(
        nn.Conv2d(1, 8, 5, 2), layer, nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)
    )


def standardized(self, h):
    return (h - h.mean()) / h.std()


def encoder(*, batch_first):
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=batch_first)
    return nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)


DEPENDENT = {
    "batch norm without statistics": (pictures(nn.BatchNorm2d(8, track_running_stats=False)), "'1' .BatchNorm2d.*trac"),
    "batch norm that is stuck": (Between(layer=StuckNorm(16)), "'layer' .StuckNorm.*stays in training mode"),
    "standardized": (Between(standardized), "its own forward, before 'last'"),
    "divided by the largest": (Between(lambda self, h: h / h.max()), "before 'last'"),
    "sorted over the batch": (Between(lambda self, h: h.sort(0).values), "before 'last'"),
    "without the batch's mean": (Between(lambda self, h: h - h.mean(0)), "before 'last'"),
    "group norm over the batch": (
        Between(lambda self, h: F.group_norm(h.reshape(1, -1), 1).reshape(h.shape)), "before 'last'",
    ),
    "shifted by a row": (Between(lambda self, h: h.roll(1, 0)), "before 'last'"),
    "attention over the batch": (Sequences(nn.MultiheadAttention(8, 2)), "'layer' .Multihead.*batch_first=True"),
    "encoder over the batch": (Sequences(encoder(batch_first=False)), "'layer.layers.0.self_attn' .*batch_first=True"),
    "recurrent over the batch": (Sequences(nn.GRU(8, 8)), "'layer' .GRU.*batch_first=True"),
}  # fmt: skip
CHANCE = {
    "functional dropout": (Between(lambda self, h: F.dropout(h, 0.2)), "its own forward, before 'last'.*self.training"),
    "dropout that is stuck": (Between(layer=AlwaysDropped()), "'layer' .AlwaysDropped.*train.. and eval"),
    "noise": (Between(lambda self, h: h + torch.rand_like(h)), "before 'last' draws at random"),
    "noise of numpy": (Between(lambda self, h: h * np.random.rand()), "before 'last' draws at random"),
    "chance of python": (Between(lambda self, h: h * random.random()), "before 'last' draws at random"),
}
ALONE = {
    "squeezed": (Between(lambda self, h: h[:, :, None, None].squeeze()), r"answers \[3\] instead of \[1, 3\].*'last'"),
    "viewed as two": (Between(lambda self, h: h.reshape(2, -1)), "raises RuntimeError.*before 'last'"),
    "two asked for": (Between(lambda self, h: h if len(h) > 1 else h[5]), "raises IndexError"),
}
INDEPENDENT = {
    "batch norm": pictures(nn.BatchNorm2d(8)),
    "instance norm without statistics": pictures(nn.InstanceNorm2d(8)),
    "group norm": pictures(nn.GroupNorm(2, 8)),
    "dropout": pictures(nn.Dropout()),
    "encoder": Sequences(encoder(batch_first=True)),
    "attention": Sequences(nn.MultiheadAttention(8, 2, batch_first=True)),
    "recurrent": Sequences(nn.GRU(8, 8, batch_first=True)),
    "dropout that asks": Between(lambda self, h: F.dropout(h, 0.2, self.training)),
    "half inside": Between(lambda self, h: h.half().float()),
}


def example(net):
    torch.manual_seed(7)
    return torch.rand(3, 1, 12, 12) if isinstance(net, nn.Sequential) else torch.rand(3, 5, 8)


@pytest.mark.parametrize("name", DEPENDENT)
def test_rows_that_depend_on_each_other_are_refused_with_the_module_and_a_remedy(name):
    net, sentence = DEPENDENT[name]
    with pytest.raises(CaptureError, match=f"must answer each sample by itself, but in .*{sentence}") as caught:
        check_rows(net, example(net))
    assert len(str(caught.value).split()) <= 40


@pytest.mark.parametrize("name", CHANCE)
def test_chance_in_evaluation_mode_is_refused_with_the_module_and_a_remedy(name):
    net, sentence = CHANCE[name]
    with pytest.raises(
        CaptureError, match=f"must answer without chance in evaluation mode, but .*{sentence}"
    ) as caught:
        check_rows(net, example(net))
    assert len(str(caught.value).split()) <= 40


@pytest.mark.parametrize("name", ALONE)
def test_a_batch_axis_that_is_lost_or_fixed_is_refused_with_the_place(name):
    net, sentence = ALONE[name]
    with pytest.raises(CaptureError, match=f"must answer one sample alone, but .*{sentence}") as caught:
        check_rows(net, example(net)[:2])
    assert len(str(caught.value).split()) <= 40


def test_a_network_that_remembers_is_refused_by_the_module_that_does():
    with pytest.raises(
        CaptureError, match=r"the same each time, but 'layer' .Counter. answers otherwise the second time"
    ):
        check_rows(net := Between(layer=Counter()), example(net))


def rounded_to_the_batch(self, h):  # as dynamic quantization does
    step = h.abs().max() / 15
    return (h / step).round() * step


def limited_by_the_batch(self, h):
    return h / h.abs().max().clamp(min=1)


@pytest.mark.parametrize("scaling", [rounded_to_the_batch, limited_by_the_batch])
def test_what_depends_on_the_largest_of_the_batch_shows_on_random_rows(scaling):
    with pytest.raises(CaptureError, match="by itself"):
        check_rows(Between(scaling), 9 * torch.rand(2, 5, 8))


@pytest.mark.parametrize("name", INDEPENDENT)
def test_rows_that_stand_by_themselves_pass(name):
    net = INDEPENDENT[name]
    rows, state = example(net), torch.get_rng_state()
    check_rows(net, rows)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("rows", [torch.zeros(2, 5, 8), torch.rand(1, 5, 8)], ids=["equal rows", "one row"])
def test_an_example_whose_rows_are_alike_is_varied(rows):
    with pytest.raises(CaptureError, match="by itself"):
        check_rows(Between(standardized), rows)


def test_float_noise_of_a_network_that_magnifies_it_is_no_reason():
    def magnify(self, h):  # what is left of the difference of two equal sums, in float32
        large = h.sum(1, keepdim=True) + 1e4
        return h + 30 * (large - 1e4 - h.sum(1, keepdim=True)) * (len(h) + 1) / len(h)

    net = Between(magnify)
    given = example(net)
    together, alone = net(given), torch.cat([net(row[None]) for row in given])
    assert (together - alone).abs().max() > 1e-4 * together.abs().max()  # more than is taken for noise
    check_rows(net, given)


@pytest.mark.parametrize("call", [capture, attach.exits], ids=["capture", "attach"])
def test_capture_refuses_before_it_traces(call):
    net = pictures(nn.BatchNorm2d(8, track_running_stats=False))
    with pytest.raises(CaptureError, match=r"'1' .BatchNorm2d."):
        call(net, torch.zeros(2, 1, 12, 12))


def test_the_network_and_all_random_states_stay_as_they_are():
    net = Between(layer=AlwaysDropped()).train()
    before = copy.deepcopy(net.state_dict())
    torch.manual_seed(3), random.seed(3), np.random.seed(3)
    expected = torch.rand(2), random.random(), np.random.rand()
    torch.manual_seed(3), random.seed(3), np.random.seed(3)
    with pytest.raises(CaptureError):
        check_rows(net, torch.full((2, 5, 8), 0.5))
    assert torch.equal(torch.rand(2), expected[0])
    assert (random.random(), np.random.rand()) == expected[1:]
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_other_outputs_than_the_first_can_be_looked_at():
    net = Between(standardized)
    check_rows(net, example(net), answer=lambda logits: logits * 0)
    with pytest.raises(CaptureError, match="must answer the example, but raised TypeError"):
        check_rows(net, example(net), answer=lambda logits: None)
