"""The networks of EENet and PTEEnet: places, layers and work as published."""

from __future__ import annotations

from functools import cache
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from offramp.attach import dense_eenet, res_eenet, vgg_eenet
from offramp.attach._eenets import find_places
from offramp.attach._placement import place
from offramp.capture._capture import Capture, capture
from offramp.errors import CaptureError, OptionError, WeightsError
from offramp.export import onnx as export_onnx
from offramp.graph import Graph
from offramp.learn._charge import charge_exits
from offramp.measure.torch import count_macs
from offramp.run import onnx as run_onnx
from offramp.run import openvino as run_openvino
from offramp.run import torch as run_torch
from offramp.zoo._resnet import cifar_resnet

pytestmark = pytest.mark.tracing


@cache
def built(name: str) -> Graph:
    torch.manual_seed(0)
    return {"res20": lambda: res_eenet(20), "vgg": vgg_eenet, "dense": dense_eenet}[name]()


@cache
def captured(depth: int) -> Capture:
    return capture(cifar_resnet(depth=depth).eval(), torch.rand(2, 3, 32, 32))


def cuts_of(graph: Graph) -> list[str]:
    return list((graph["stage0"].recipe or {})["cuts"])


# The table of reference/papers.md, in residual blocks counted from 1.
@pytest.mark.parametrize(
    ("depth", "exits", "rule", "blocks"),
    [
        (20, 3, "fine", [1, 2, 3]),
        (20, 3, "pareto", [2, 4, 5]),
        (20, 3, "linear", [3, 5, 7]),
        (20, 3, "golden", [2, 4, 6]),
        (32, 5, "fine", [1, 2, 3, 4, 5]),
        (32, 5, "pareto", [3, 6, 8, 9, 10]),
        (32, 5, "linear", [3, 5, 8, 10, 13]),
        (32, 5, "golden", [2, 3, 4, 6, 10]),
        (56, 5, "fine", [2, 3, 4, 5, 6]),  # not in that table: 5 % of the network are 1.3 blocks
        (110, 10, "fine", [3, 6, 8, 10, 13, 15, 17, 18, 20, 22]),
        (110, 10, "pareto", [11, 20, 27, 32, 37, 40, 43, 46, 47, 49]),  # 45 with shortcuts that have weights
        (110, 10, "linear", [5, 10, 15, 20, 25, 30, 35, 40, 45, 50]),
        (110, 10, "golden", [1, 2, 3, 4, 5, 6, 8, 13, 21, 34]),
    ],
)
def test_the_rules_put_exits_behind_the_published_blocks(depth: int, exits: int, rule: str, blocks: list[int]) -> None:
    network = captured(depth)
    places = find_places(network, r"layer\d\.\d+")
    assert len(places) == (depth - 2) // 2
    assert [at + 1 for at in place([cut.macs for cut in places], network.macs, exits, rule)] == blocks  # type: ignore[arg-type]  # a rule


def test_the_graph_has_its_exits_where_the_rule_says() -> None:
    assert cuts_of(built("res20")) == ["layer1.0", "layer1.1", "layer1.2"]
    assert cuts_of(res_eenet(8, exits=2, placement="linear", head="pool:confidence=1")) == ["layer1.0", "layer2.0"]


def test_the_exits_of_vggeenet_stand_behind_the_first_three_pools() -> None:
    assert cuts_of(built("vgg")) == ["pool1", "pool2", "pool3"]


def test_the_exits_of_denseeenet_stand_behind_the_first_three_dense_layers() -> None:
    assert cuts_of(built("dense")) == ["dense1.0", "dense1.1", "dense1.2"]
    assert built("dense")["stage2"].outputs[0].shape == (64 + 3 * 32, 32, 32)


def test_resnet_exits_cost_what_the_paper_prints() -> None:
    own = charge_exits(built("res20"), "own")
    assert own.tolist() == pytest.approx([0.24, 0.36, 0.47, 1.0], abs=0.01)
    pool = charge_exits(res_eenet(20, head="pool:confidence=1"), "own")
    assert pool.tolist() == pytest.approx([0.128, 0.245, 0.361, 1.0], abs=0.002)


def test_vgg_exits_cost_what_the_paper_prints() -> None:
    macs = count_macs(built("vgg"))
    trunk = list(accumulate(macs[f"stage{at}"] for at in range(4)))
    assert trunk[-1] == 398_660_608
    cost = [trunk[at] + macs[f"exit{at}/head"] for at in range(3)]
    # the printed ones count normalization and ReLU as well
    assert cost == pytest.approx([59.1e6, 115.96e6, 248.33e6], rel=0.015)
    assert charge_exits(built("vgg"), "own").tolist()[:3] == pytest.approx([0.15, 0.29, 0.62], abs=0.005)


def test_denseeenets_convolutional_heads_cost_what_its_page_says() -> None:
    macs = count_macs(built("dense"))
    total = sum(macs[f"stage{at}"] for at in range(4))
    assert total == 888_350_720
    assert [macs[f"exit{at}/head"] / total for at in range(3)] == pytest.approx([0.19, 0.34, 0.53], abs=0.005)


def layers(graph: Graph, kinds: tuple[type[nn.Module], ...]) -> int:
    stages = [graph.bodies[node.name] for node in graph.nodes if node.role == "stage"]
    return sum(isinstance(part, kinds) for body in stages if isinstance(body, nn.Module) for part in body.modules())


@pytest.mark.parametrize(("name", "depth"), [("res20", 20), ("vgg", 19), ("dense", 121)])
def test_the_trunks_have_as_many_layers_as_they_are_called(name: str, depth: int) -> None:
    assert layers(built(name), (nn.Conv2d, nn.Linear)) == depth


def test_the_number_of_exits_is_the_published_one() -> None:
    assert [len(built(name).exits) - 1 for name in ("res20", "vgg", "dense")] == [3, 3, 3]
    graph = res_eenet(110)
    assert len(graph.exits) == 11
    assert layers(graph, (nn.Conv2d, nn.Linear)) == 110


def test_exits_are_gated_by_the_confidence_of_their_own_head() -> None:
    graph = built("res20")
    for at in range(3):
        edge = graph[f"exit{at}/score"].inputs[0]
        assert (edge.source, edge.output) == (f"exit{at}/head", 1)


def test_heads_without_a_confidence_are_refused_while_it_gates() -> None:
    with pytest.raises(OptionError, match="exit0/head of kind 'conv2' gives none"):
        res_eenet(8, exits=1, head="conv2")


def test_more_exits_than_fit_are_refused() -> None:
    with pytest.raises(CaptureError, match="do not fit"):
        res_eenet(8, exits=9)


def test_a_depth_without_a_published_number_of_exits_wants_one() -> None:
    with pytest.raises(OptionError, match=r"3 at depth 20.*Give exits"):
        res_eenet(14)
    with pytest.raises(OptionError, match="6n"):
        res_eenet(18, exits=2)


def test_a_trained_trunk_gives_its_weights_and_stays_as_it_is() -> None:
    trunk = cifar_resnet(depth=8).eval()
    before = {key: value.clone() for key, value in trunk.state_dict().items()}
    graph = res_eenet(8, exits=2, trunk=trunk, head="pool:confidence=1")
    pictures = torch.rand(2, 3, 32, 32)
    answer = run_torch.load(graph)({"x": pictures.numpy()})
    torch.testing.assert_close(torch.from_numpy(answer.logits), trunk(pictures).detach())
    nn.init.zeros_(next(graph.bodies["stage0"].parameters()))  # type: ignore[attr-defined]  # a module
    assert all(torch.equal(before[key], value) for key, value in trunk.state_dict().items())


def test_a_trunk_of_another_depth_is_refused() -> None:
    with pytest.raises(WeightsError, match="trunk"):
        res_eenet(8, exits=2, trunk=cifar_resnet(depth=14))


def test_the_file_answers_like_torch_in_both_engines(tmp_path: Path) -> None:
    torch.manual_seed(0)
    graph = res_eenet(8, exits=1, head="pool:confidence=1")
    pictures = np.random.default_rng(0).random((32, 3, 32, 32), dtype=np.float32) * 3
    dense = run_torch.load_dense(graph)({"x": pictures})
    inner = np.sort(dense.scores["head_confidence"], axis=0)[8:-8]
    widest = np.diff(inner, axis=0).argmax(axis=0)
    limits = np.array([inner[at : at + 2, gate].mean() for gate, at in enumerate(widest)], np.float32)
    path = export_onnx.save(graph, tmp_path / "model.onnx")
    oracle, engines = run_torch.load(graph), [run_onnx.load(path), run_openvino.load(path)]
    for rows in (0, 1, 3, 32):
        expected = oracle({"x": pictures[:rows]}, limits)
        for engine in engines:
            given = engine({"x": pictures[:rows]}, limits)  # type: ignore[operator]  # as it is at run time
            np.testing.assert_array_equal(given.exit, expected.exit)
            # sums in another order, over a few hundred products
            np.testing.assert_allclose(given.logits, expected.logits, atol=1e-4)
            np.testing.assert_allclose(given.score, expected.score, atol=1e-4)
    assert set(expected.exit) == {0, 1}
