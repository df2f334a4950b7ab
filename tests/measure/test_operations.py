"""What single operations cost: closed forms, and a word about those that have none."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from offramp import attach
from offramp.errors import OfframpWarning
from offramp.measure._operations import FORMULAS, FREE
from offramp.measure.torch import count


class Doing(nn.Module):
    """A module that does one thing."""

    def __init__(self, what: Callable[..., Any]) -> None:
        super().__init__()
        self.what = what

    def forward(self, *tensors: Tensor) -> Any:
        return self.what(*tensors)


def ones(*shapes: tuple[int, ...]) -> tuple[Tensor, ...]:
    return tuple(torch.ones(shape) for shape in shapes)


def fourier(x: Tensor) -> Tensor:
    return torch.fft.fft(x.to(torch.complex64))  # type: ignore[no-any-return]  # layers and arrays tell no type


CLOSED: dict[str, tuple[Callable[..., Any], tuple[Tensor, ...], int]] = {
    "bilinear": (nn.Bilinear(64, 64, 64), ones((1, 64), (1, 64)), 64 * 64 * 64),
    "bilinear of many rows": (nn.Bilinear(3, 4, 5), ones((2, 7, 3), (2, 7, 4)), 14 * 3 * 4 * 5),
    "mv": (torch.mv, ones((3, 4), (4,)), 12),
    "addmv": (torch.addmv, ones((3,), (3, 4), (4,)), 12),
    "dot": (torch.dot, ones((7,), (7,)), 7),
    "vdot": (torch.vdot, ones((7,), (7,)), 7),
    "outer": (torch.outer, ones((3,), (4,)), 12),
    "an outer product by hand": (lambda x, y: x[:, :, None] * y[:, None, :], ones((2, 3), (2, 4)), 24),
    "a linear layer by hand": (lambda x, w: (x[:, None] * w[None]).sum(-1), ones((2, 3), (4, 3)), 24),
    "addr": (torch.addr, ones((3, 4), (3,), (4,)), 12),
    "addbmm": (torch.addbmm, ones((3, 5), (2, 3, 4), (2, 4, 5)), 2 * 3 * 4 * 5),
    "baddbmm": (torch.baddbmm, ones((2, 3, 5), (2, 3, 4), (2, 4, 5)), 2 * 3 * 4 * 5),
    "baddbmm in place": (lambda z, x, y: z.clone().baddbmm_(x, y), ones((2, 3, 5), (2, 3, 4), (2, 4, 5)), 120),
    "addmm in place": (lambda z, x, y: z.clone().addmm_(x, y), ones((3, 5), (3, 4), (4, 5)), 60),
    "einsum": (lambda *x: torch.einsum("bi,oij->boj", *x), ones((2, 3), (4, 3, 5)), 2 * 3 * 4 * 5),
    "einsum without a sum": (lambda *x: torch.einsum("bi,bj->bij", *x), ones((2, 3), (2, 4)), 24),
    "cdist": (torch.cdist, ones((2, 3, 4), (2, 5, 4)), 2 * 3 * 5 * 4),
    "cdist of many": (torch.cdist, ones((2, 30, 4), (2, 50, 4)), 2 * 30 * 50 * 4),
    "pdist": (F.pdist, ones((5, 4)), 10 * 4),
    "conv_tbc": (torch.conv_tbc, ones((5, 2, 3), (3, 3, 4), (4,)), 3 * 2 * 4 * 3 * 3),
    "lstm": (nn.LSTM(3, 4, 2, bidirectional=True), ones((5, 2, 3)), 2 * 5 * 2 * 16 * ((3 + 4) + (8 + 4))),
    "gru": (nn.GRU(3, 4, batch_first=True), ones((2, 5, 3)), 2 * 5 * 12 * (3 + 4)),
    "a step of a gru": (nn.GRUCell(3, 4), ones((2, 3)), 2 * 12 * (3 + 4)),
    "attention": (F.scaled_dot_product_attention, ones((2, 3, 5, 4), (2, 3, 7, 4), (2, 3, 7, 6)), 6 * 5 * 7 * (4 + 6)),
    "a transposed convolution": (nn.ConvTranspose2d(3, 4, 3), ones((1, 3, 5, 5)), 25 * 3 * 4 * 9),
    "a bag of words": (lambda x: F.embedding_bag(torch.ones(2, 3, dtype=torch.long), x), ones((9, 4)), 0),
    "a weighted bag": (
        lambda x, w: F.embedding_bag(torch.ones(2, 3, dtype=torch.long), x, per_sample_weights=w, mode="sum"),
        ones((9, 4), (2, 3)),
        2 * 3 * 4,
    ),
    "a complex Fourier transform": (fourier, ones((2, 16)), round(2.5 * 2 * 16 * 4)),
    "a real Fourier transform": (torch.fft.rfft, ones((2, 16)), round(1.25 * 2 * 16 * 4)),
}  # fmt: skip


@pytest.mark.parametrize("name", CLOSED)
def test_an_operation_costs_its_closed_form(name: str) -> None:
    what, tensors, macs = CLOSED[name]
    assert count(Doing(what), *tensors) == macs


@pytest.mark.parametrize(
    "what",
    [
        lambda x: x * torch.ones(3, 1, 1) + 1,
        lambda x: F.interpolate(F.max_pool2d(x, 2), scale_factor=2, mode="bicubic"),
        lambda x: F.grid_sample(x, torch.zeros(2, 5, 5, 2), align_corners=False),
        lambda x: F.layer_norm(x.flatten(1).softmax(1).cumsum(1).sort().values, (48,)),
        lambda x: F.unfold(x, 2).transpose(1, 2).gather(1, torch.zeros(2, 1, 12, dtype=torch.long)),
        lambda x: F.hardswish(x).abs_().gt_(0).roll(1, 2).topk(2).values,
    ],
    ids=["scale", "resample", "grid", "normalize", "move", "number by number"],
)
def test_what_is_done_number_by_number_is_free_and_not_named(what: Callable[[Tensor], Tensor]) -> None:
    assert count(Doing(what), torch.ones(2, 3, 4, 4)) == 0


@pytest.mark.parametrize(
    ("what", "name"),
    [
        (torch.linalg.inv, "linalg_inv_ex"),
        (lambda x: torch.linalg.svd(x)[1], "_linalg_svd"),
        (torch.linalg.det, "_linalg_det"),
        (lambda x: torch.linalg.solve(x, x), "_linalg_solve_ex"),
        (torch.matrix_exp, "linalg_matrix_exp"),
    ],
)
def test_an_operation_without_a_known_cost_is_named(what: Callable[[Tensor], Tensor], name: str) -> None:
    with pytest.warns(OfframpWarning, match=rf"the cost of {name} is not known"):
        assert count(Doing(what), torch.eye(3).expand(2, 3, 3)) == 0


def test_an_operation_of_the_users_own_library_is_named() -> None:
    @torch.library.custom_op("offramp_tests::twice", mutates_args=())
    def twice(x: Tensor) -> Tensor:
        return x * 2

    with pytest.warns(OfframpWarning, match="the cost of offramp_tests::twice is not known"):
        count(Doing(twice), torch.ones(2, 3))


class Bilinear(nn.Module):
    """Most of its work is a bilinear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.mixed, self.last = nn.Linear(20, 64), nn.Bilinear(64, 64, 64), nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.relu(self.first(x))
        answer: Tensor = self.last(torch.relu(self.mixed(hidden, hidden)))
        return answer


def test_an_exit_before_a_bilinear_layer_saves_what_that_costs() -> None:
    from offramp.measure.torch import path_costs

    graph = attach.exits(Bilinear(), torch.zeros(2, 20), count=1, placement=0, head="pool")
    costs = path_costs(graph)
    assert costs.baseline == 20 * 64 + 64**3 + 64 * 10
    assert costs.relative[0] < 0.01


class Inverting(nn.Module):
    """Inverts a matrix on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(8, 9), nn.Linear(9, 3)

    def forward(self, x: Tensor) -> Tensor:
        matrix = self.first(x).view(-1, 3, 3) + 9 * torch.eye(3)
        answer: Tensor = self.last(torch.linalg.inv(matrix).flatten(1))
        return answer


@pytest.mark.tracing
def test_a_network_with_an_uncounted_operation_attaches_with_one_warning() -> None:
    with pytest.warns(OfframpWarning, match="linalg_inv_ex") as told:
        attach.exits(Inverting(), torch.zeros(2, 8), count=1, placement=0)
    assert len(told) == 1


@pytest.mark.parametrize("name", sorted({*FREE, *(name for name in FORMULAS if name.startswith("aten"))}))
def test_every_operation_in_the_tables_exists(name: str) -> None:
    assert hasattr(torch.ops.aten, name.removeprefix("aten::"))


def test_nothing_is_both_free_and_counted() -> None:
    assert not FREE & FORMULAS.keys()


@pytest.mark.tracing
@pytest.mark.parametrize("name", ["mlp", "cifar", "recurrent", "hf_vit", "hf_bert"])
def test_known_networks_have_no_uncounted_operation(name: str, vision: Any) -> None:
    import networks

    model, example = networks.make(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error", OfframpWarning)
        attach.exits(model, example, count=1)
