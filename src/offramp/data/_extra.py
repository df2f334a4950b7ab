"""Optional packages, loaded when a reference asks for them."""

from __future__ import annotations

import importlib
import importlib.util
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from offramp.errors import MissingExtra

BUILDS = "https://download.pytorch.org/whl"  # one index per build of PyTorch: cpu, cu128, ...
_BEHIND = 15  # torchvision 0.(N + 15) belongs to torch 2.N


def import_extra(name: str, extra: str) -> ModuleType:
    """Import an optional package, or say how to install it.

    Args:
        name: The dotted name of the module.
        extra: The extra of offramp that installs it.

    Returns:
        The module.

    Raises:
        MissingExtra: It is not installed, or does not fit the installed torch.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError) as error:  # torchvision raises RuntimeError if it does not match torch
        package = name.partition(".")[0]
        raise MissingExtra(_advice(package, extra, error)) from error


def check_vision() -> None:
    """Refuse a torchvision that is installed and does not fit torch; others import it without a need.

    Raises:
        MissingExtra: It does not; the message says which one does.
    """
    if importlib.util.find_spec("torchvision") is not None:
        import_extra("torchvision", "vision")


def _advice(package: str, extra: str, error: Exception) -> str:
    torch, present = _version("torch"), importlib.util.find_spec(package) is not None
    fitting = _fitting_vision(torch)
    blamed = package == "torchvision" or "torchvision" in str(error)
    if blamed and fitting and _version("torchvision"):
        return (
            f"torchvision {_version('torchvision')} does not fit torch {torch}: {_brief(error)}. "
            f"Run: pip install --force-reinstall --no-deps {fitting}"
        )
    if not present:
        first = f"pip install {fitting} && " if extra == "vision" and fitting and "+" in torch else ""
        return f"{package} must be installed, but is not. Run: {first}pip install 'offramp[{extra}]'"
    return f"{package} must be importable, but: {_brief(error)}. Run: pip install --upgrade 'offramp[{extra}]'"


def _fitting_vision(torch: str) -> str:
    """What pip takes for the torchvision of this torch; nothing if there is no torch of which it is known."""
    release, _, build = torch.partition("+")
    major, _, rest = release.partition(".")
    minor = rest.partition(".")[0]
    if major != "2" or not minor.isdigit():
        return ""
    index = f" --index-url {BUILDS}/{build}" if build else ""
    return f"'torchvision==0.{int(minor) + _BEHIND}.*'{index}"


def _version(package: str) -> str:
    """What is installed, with its build; empty if nothing is."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _brief(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0].rstrip(".")
