from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from offramp import attach, capture, transform, zoo
from offramp.errors import ExportError, OutputError, WeightsError
from offramp.graph import Graph, to_json
from offramp.nn import Executor, Normalize
from offramp.store.torch import Origin, load_artifact, save_artifact

ORIGIN = Origin(reference="zoo:mlp", arguments={}, shape=(1, 28, 28), mean=(0.5,), std=(0.25,))


@pytest.fixture(scope="module")
def graph() -> Graph:
    loaded = zoo.load_model("zoo:mlp", shape=ORIGIN.shape, arguments={}, seed=3)
    return attach.exits(
        loaded.module,
        loaded.example,
        count=1,
        head="pool",
        scores=("margin", "entropy"),
        normalize=Normalize([0.5], [0.25]),
    )


@pytest.fixture
def example() -> dict[str, torch.Tensor]:
    return {"x": torch.rand(2, 1, 28, 28)}


@pytest.fixture
def folder(graph: Graph, example: dict[str, torch.Tensor], tmp_path: Path) -> Path:
    save_artifact(graph, tmp_path, example=example, origin=ORIGIN, thresholds=[0.5])
    return tmp_path


def change_config(folder: Path, **entries: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def change_weights(folder: Path, name: str, value: torch.Tensor | None) -> None:
    tensors = load_file(folder / "model.safetensors")
    found = next(key for key in tensors if key.startswith(name))
    tensors.pop(found) if value is None else tensors.update({found: value.expand_as(tensors[found]).clone()})
    save_file(tensors, folder / "model.safetensors")


def test_the_graph_comes_back_with_its_structure_and_its_answers(
    graph: Graph, example: dict[str, torch.Tensor], folder: Path
) -> None:
    back = load_artifact(folder)
    assert to_json(back) == to_json(graph)
    with torch.no_grad():
        wanted = Executor(graph).eval().dense(example)
        got = Executor(back).eval().dense(example)
    assert all(torch.equal(got[name][0], wanted[name][0]) for name in graph.exits)


def test_the_configuration_says_how_to_build_the_network_again(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["rebuild"] == {"reference": "zoo:mlp", "arguments": {}, "shape": [1, 28, 28]}
    assert config["preprocessing"] == {"mean": [0.5], "std": [0.25]}
    assert (config["scores"], config["thresholds"]) == (["margin", "entropy"], [0.5])


def test_a_network_without_a_reference_is_stored_but_cannot_be_rebuilt(
    graph: Graph, example: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    save_artifact(graph, tmp_path, example=example)
    assert json.loads((tmp_path / "config.json").read_text())["rebuild"] is None
    with pytest.raises(ExportError, match="made from an object without a reference"):
        load_artifact(tmp_path)


def test_a_folder_that_does_not_exist_is_refused(
    graph: Graph, example: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match="must be writable"):
        save_artifact(graph, tmp_path / "nowhere", example=example)
    with pytest.raises(ExportError, match="must hold config"):
        load_artifact(tmp_path / "nowhere")


def test_another_format_is_refused(folder: Path) -> None:
    change_config(folder, format=99)
    with pytest.raises(ExportError, match="must have format 2, but has 99"):
        load_artifact(folder)


def test_a_recipe_that_builds_another_network_is_refused(folder: Path) -> None:
    change_config(folder, cuts=[], heads=[])
    with pytest.raises(ExportError, match="builds another"):
        load_artifact(folder)


def test_a_missing_weight_is_refused(folder: Path) -> None:
    change_weights(folder, "weights/stage0/", None)
    with pytest.raises(WeightsError, match="exactly the weights of the recipe"):
        load_artifact(folder)


def test_changed_weights_are_noticed_by_the_stored_answer(folder: Path) -> None:
    change_weights(folder, "weights/stage1/", torch.tensor(3.0))
    with pytest.raises(ExportError, match="must answer as it did when saved"):
        load_artifact(folder)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("b_lenet", {}),
        ("b_alexnet", {"classes": 4, "positions": ["conv1", "conv3"], "depths": [1, 0], "scores": ["margin"]}),
        ("b_resnet", {"depth": 8}),
        ("res_eenet", {"depth": 8, "exits": 2, "placement": "linear", "head": "pool:confidence=1"}),
        ("d2nn", {"table": "q: x | fc 2 -> a, dummy\na: x | fc 3\nout: a=0 | fc 3", "example": [1, 4, 4]}),
        ("d2nn_chain", {"shape": [1, 16, 16], "classes": 3, "width": 0.5}),
        ("d2nn_hierarchy", {"shape": [1, 9, 9], "tree": [[[0, 2]], [[1], [3]]], "width": 0.02, "fill": -9}),
    ],
)
@pytest.mark.parametrize("normalized", [False, True])
def test_a_published_network_comes_back_with_its_exits(
    name: str, arguments: dict[str, object], normalized: bool, tmp_path: Path
) -> None:
    preprocessing = {"mean": (0.5,), "std": (0.25,)} if normalized else {}
    normalize = Normalize([0.5], [0.25]) if normalized else None
    torch.manual_seed(1)
    graph = attach.GRAPHS[name](**arguments, normalize=normalize)
    shape = graph.inputs[0].outputs[0].shape
    example = {"x": torch.rand(2, *shape)}
    origin = Origin(reference=f"graph:{name}", arguments=arguments, shape=shape, **preprocessing)
    save_artifact(graph, tmp_path, example=example, origin=origin)
    back = load_artifact(tmp_path)
    assert to_json(back) == to_json(graph)
    with torch.no_grad():
        wanted = Executor(graph).eval().dense(example)
        got = Executor(back).eval().dense(example)
    assert all(torch.equal(got[exit][0], wanted[exit][0]) for exit in graph.exits)


def test_a_file_that_still_says_cascade_and_ensemble_comes_back(
    example: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    loaded = zoo.load_model("zoo:lenet5")
    graph = attach.exits(loaded.module, loaded.example, count=2, head="pool", reuse_logits=True, ensemble_heads=True)
    origin = Origin(reference="zoo:lenet5", arguments={}, shape=(1, 28, 28))
    save_artifact(graph, tmp_path, example=example, origin=origin)
    written = (tmp_path / "config.json").read_text()
    former = written.replace('"reuse_logits"', '"cascade"').replace('"ensemble_heads"', '"ensemble"')
    (tmp_path / "config.json").write_text(former)
    assert former != written
    assert to_json(load_artifact(tmp_path)) == to_json(graph)


@pytest.mark.parametrize("kept", [[], [1], [0, 1]])
@pytest.mark.parametrize("sees", ["answer", "features"])
def test_a_cascade_comes_back_with_its_controllers(
    sees: str, kept: list[int], example: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    loaded = zoo.load_model("zoo:lenet5")
    controllers = ["layers:pool 2 | relu", "pool"]
    graph = attach.controllers(
        loaded.module, loaded.example, placement=["relu1", "relu2"], head="pool", controller=controllers, sees=sees
    )
    graph = transform.keep_exits(graph, kept)
    save_artifact(
        graph, tmp_path, example=example, origin=Origin(reference="zoo:lenet5", arguments={}, shape=(1, 28, 28))
    )
    back = load_artifact(tmp_path)
    assert to_json(back) == to_json(graph)
    weights = [{f"{name}/{key}": value for name, body in one.bodies.items() for key, value in body.state_dict().items()}
               for one in (graph, back)]  # fmt: skip
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_two_networks_that_were_given_as_objects_cannot_come_back(tmp_path: Path) -> None:
    x = torch.rand(2, 4)
    graph = attach.high_low(torch.nn.Linear(4, 3), torch.nn.Linear(4, 3), x, controller="auto")
    save_artifact(graph, tmp_path, example={"x": x}, origin=ORIGIN)
    with pytest.raises(ExportError, match="without a reference"):
        load_artifact(tmp_path)


@pytest.mark.parametrize("kept", [[], [0], [1], [0, 2]])
def test_a_graph_whose_exits_were_dropped_comes_back_without_them(
    kept: list[int], example: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    loaded = zoo.load_model("zoo:lenet5")
    graph = attach.exits(
        loaded.module, loaded.example, placement=["input", "pool1", "relu3"], scores=("entropy", "margin"),
        head=["light:width=8,blocks=1", "light:width=4,blocks=1", "pool"],
    )  # fmt: skip
    fewer = transform.keep_exits(graph, kept)
    save_artifact(
        fewer, tmp_path, example=example, origin=Origin(reference="zoo:lenet5", arguments={}, shape=(1, 28, 28))
    )
    config = json.loads((tmp_path / "config.json").read_text())
    assert (config["kept"], len(config["heads"]), len(config["cuts"])) == (kept, len(kept), 3)
    back = load_artifact(tmp_path)
    assert to_json(back) == to_json(fewer)


def test_an_artifact_that_does_not_say_what_was_dropped_has_all_exits(graph: Graph, folder: Path) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    del config["kept"]
    path.write_text(json.dumps(config))
    assert load_artifact(folder).exits == graph.exits


def test_an_unknown_published_network_is_refused(folder: Path) -> None:
    change_config(folder, rebuild={"reference": "graph:b_vgg", "arguments": {}, "shape": [1, 28, 28]})
    with pytest.raises(ExportError, match=r"b_lenet, .*d2nn_hierarchy, but the artifact is of 'b_vgg'"):
        load_artifact(folder)


class Probable(torch.nn.Module):
    """Answers with features and probabilities."""

    def __init__(self) -> None:
        super().__init__()
        self.flat, self.first, self.last = torch.nn.Flatten(), torch.nn.Linear(784, 16), torch.nn.Linear(16, 3)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        features = torch.relu(self.first(self.flat(x)))
        return {"features": features, "pred": self.last(features).softmax(1)}


@pytest.mark.tracing
@pytest.mark.parametrize("older", [False, True])
def test_the_named_output_and_its_logarithm_are_replayed_and_older_files_take_probabilities_as_they_are(
    older: bool, example: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("offramp.zoo._mlp.mlp", Probable)
    told = capture.Answer(where="pred", probabilities=not older)
    graph = attach.exits(Probable(), torch.rand(2, 1, 28, 28), count=1, placement=0, logits=told)
    origin = Origin(reference="offramp.zoo._mlp:mlp", arguments={}, shape=(1, 28, 28))
    save_artifact(graph, tmp_path, example=example, origin=origin)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["capture"] == {"eval_only": False, "logits": "pred", "probabilities": not older}
    if older:
        del config["capture"]["probabilities"]
        (tmp_path / "config.json").write_text(json.dumps(config))
    with torch.no_grad():
        wanted = Executor(graph).eval().dense(example)["stage1"][0]
        got = Executor(load_artifact(tmp_path)).eval().dense(example)["stage1"][0]
    assert torch.equal(got, wanted)
    assert bool((wanted > 0).all()) == older
