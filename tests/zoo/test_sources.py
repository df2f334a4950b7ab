"""Where networks come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from offramp.errors import CaptureError, OptionError, UnknownReference
from offramp.zoo._sources import from_code, from_timm, from_torchvision, from_zoo

CODE = """
import torch
RESULT = torch.nn.Linear(2, 3)
NUMBER = 7
def build(classes=4): return torch.nn.Linear(2, classes)
def number(): return 7
def fail(): raise KeyError("no such layer")
"""


@pytest.fixture
def code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"code_{abs(hash(str(tmp_path)))}"  # modules are cached by name
    (tmp_path / f"{name}.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    return name


def test_a_callable_in_the_working_folder_is_called(code: str) -> None:
    source = from_code(f"{code}:build", {"classes": 5})
    assert isinstance(source.module, nn.Linear)
    assert source.module.out_features == 5
    assert source.shapes == {"x": ()}


def test_a_module_object_is_copied(code: str) -> None:
    first, second = (from_code(f"{code}:RESULT", {}).module for _ in range(2))
    assert first is not second
    assert torch.equal(first.state_dict()["weight"], second.state_dict()["weight"])


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("biuld", UnknownReference, "Did you mean 'build'"),
        ("", UnknownReference, "must define ''"),
        ("number", UnknownReference, "gives int"),
        ("NUMBER", CaptureError, "not callable"),
        ("fail", CaptureError, "KeyError: 'no such layer'"),
    ],
)
def test_what_gives_no_module_is_refused(code: str, name: str, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        from_code(f"{code}:{name}", {})


@pytest.mark.parametrize("reference", ["nowhere.at_all:build", "torchvison:resnet18", ":build", "zzz"])
def test_what_cannot_be_imported_is_refused(reference: str) -> None:
    with pytest.raises(UnknownReference, match=r"package\.module:callable"):
        from_code(reference, {})


def test_a_misspelled_kind_is_guessed() -> None:
    with pytest.raises(UnknownReference, match="Did you mean 'torchvision'"):
        from_code("torchvison:resnet18", {})


def test_the_zoo_suggests_its_nearest_name() -> None:
    with pytest.raises(UnknownReference, match="Did you mean 'resnet56'"):
        from_zoo("resnet57", {})


@pytest.mark.usefixtures("vision")
@pytest.mark.parametrize(
    ("name", "arguments", "size"),
    [
        ("resnet18", {}, 224),
        ("inception_v3", {}, 299),
        ("vit_b_32", {"image_size": 64}, 64),
    ],
)
def test_torchvision_tells_size_mean_and_std(name: str, arguments: dict[str, Any], size: int) -> None:
    source = from_torchvision(name, arguments)
    assert source.shapes == {"x": (3, size, size)}
    assert source.mean == (0.485, 0.456, 0.406)
    assert source.std == (0.229, 0.224, 0.225)


@pytest.mark.usefixtures("vision")
def test_timm_tells_size_mean_and_std() -> None:
    pytest.importorskip("timm")
    source = from_timm("test_vit", {"num_classes": 5})
    assert source.shapes == {"x": (3, 160, 160)}
    assert source.mean == (0.5, 0.5, 0.5)


@pytest.mark.usefixtures("vision")
@pytest.mark.parametrize("open_source", [from_torchvision, from_timm])
def test_an_unknown_network_is_refused_with_the_nearest_name(open_source: Any) -> None:
    pytest.importorskip("timm")
    with pytest.raises(UnknownReference, match="Did you mean 'resnet"):
        open_source("resnt18", {})


@pytest.mark.usefixtures("vision")
def test_detectors_are_no_classifiers() -> None:
    with pytest.raises(UnknownReference, match="no classifier"):
        from_torchvision("fasterrcnn_resnet50_fpn", {})


@pytest.mark.usefixtures("vision")
@pytest.mark.parametrize(
    ("open_source", "arguments"), [(from_torchvision, {"weights": "DEFAULT"}), (from_timm, {"pretrained": True})]
)
def test_arguments_that_would_download_are_refused(open_source: Any, arguments: dict[str, Any]) -> None:
    pytest.importorskip("timm")
    with pytest.raises(OptionError, match="never downloaded"):
        open_source("resnet18", arguments)
