"""Optional packages."""

from __future__ import annotations

from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest

from offramp.data import _extra, import_extra
from offramp.data._extra import check_vision
from offramp.errors import MissingExtra

MISMATCH = RuntimeError("operator torchvision::nms does not exist")
WANTED = "'torchvision==0.28.*' --index-url https://download.pytorch.org/whl/cpu"


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretends that these packages are installed, and that importing one ends in an error."""

    def pretend(installed: dict[str, str], error: Exception) -> None:
        def version(package: str) -> str:
            if package not in installed:
                raise PackageNotFoundError(package)
            return installed[package]

        def fail(name: str) -> Any:
            raise error

        monkeypatch.setattr(_extra, "version", version)
        monkeypatch.setattr(_extra.importlib, "import_module", fail)  # type: ignore[attr-defined]  # where it is used
        found = {name: ModuleSpec(name, None) for name in installed}
        monkeypatch.setattr(_extra.importlib.util, "find_spec", found.get)  # type: ignore[attr-defined]  # where it is used

    return pretend


def test_a_missing_package_says_what_to_install() -> None:
    with pytest.raises(MissingExtra, match=r"must be installed, but is not.*pip install 'offramp\[text\]'"):
        import_extra("a_package_that_nobody_has", "text")


def test_a_present_package_is_given() -> None:
    assert import_extra("json", "vision").__name__ == "json"


@pytest.mark.parametrize("name", ["torchvision", "torchvision.models", "timm"])
def test_a_torchvision_of_another_build_is_told_the_one_that_fits(name: str, machine: Any) -> None:
    machine({"torch": "2.13.0+cpu", "torchvision": "0.28.0", "timm": "1.0"}, MISMATCH)
    with pytest.raises(MissingExtra) as told:
        import_extra(name, "vision")
    assert str(told.value).startswith("torchvision 0.28.0 does not fit torch 2.13.0+cpu")
    assert str(told.value).endswith(f"Run: pip install --force-reinstall --no-deps {WANTED}")
    assert len(str(told.value).split()) <= 40


@pytest.mark.parametrize(
    ("torch", "wanted"),
    [
        ("2.9.1+cpu", "'torchvision==0.24.*' --index-url https://download.pytorch.org/whl/cpu"),
        ("2.13.0+cu130", "'torchvision==0.28.*' --index-url https://download.pytorch.org/whl/cu130"),
        ("2.11.0", "'torchvision==0.26.*'"),
        ("2.12.0a0+xpu", "'torchvision==0.27.*' --index-url https://download.pytorch.org/whl/xpu"),
    ],
)
def test_each_torch_has_its_torchvision(torch: str, wanted: str, machine: Any) -> None:
    machine({"torch": torch, "torchvision": "0.1.0"}, MISMATCH)
    with pytest.raises(MissingExtra) as told:
        import_extra("torchvision", "vision")
    assert str(told.value).endswith(f"--no-deps {wanted}")


@pytest.mark.parametrize("name", ["torchvision", "timm"])
def test_beside_a_cpu_build_a_missing_torchvision_comes_from_the_same_index_first(name: str, machine: Any) -> None:
    machine({"torch": "2.13.0+cpu"}, ModuleNotFoundError(f"No module named '{name}'"))
    with pytest.raises(MissingExtra) as told:
        import_extra(name, "vision")
    assert str(told.value).endswith(f"Run: pip install {WANTED} && pip install 'offramp[vision]'")


@pytest.mark.parametrize("installed", [{}, {"torch": "2.13.0"}, {"torch": "3.0+cpu"}], ids=repr)
def test_where_no_build_is_known_the_extra_is_all_that_is_named(installed: dict[str, str], machine: Any) -> None:
    machine(installed, ModuleNotFoundError("No module named 'torchvision'"))
    with pytest.raises(MissingExtra) as told:
        import_extra("torchvision", "vision")
    assert str(told.value) == "torchvision must be installed, but is not. Run: pip install 'offramp[vision]'"


def test_a_package_that_breaks_for_its_own_reasons_is_not_blamed_on_torchvision(machine: Any) -> None:
    machine({"torch": "2.13.0+cpu", "transformers": "5.0"}, ImportError("tokenizers is too old.\nsecond line"))
    with pytest.raises(MissingExtra, match=r"transformers must be importable, but: tokenizers is too old\. Run"):
        import_extra("transformers", "text")


def test_a_broken_torchvision_is_found_where_somebody_else_would_import_it(machine: Any) -> None:
    machine({"torch": "2.13.0+cpu", "torchvision": "0.28.0"}, MISMATCH)
    with pytest.raises(MissingExtra, match="does not fit"):
        check_vision()
    machine({"torch": "2.13.0+cpu"}, MISMATCH)
    check_vision()
