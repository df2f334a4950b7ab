"""Optional packages, loaded when a reference asks for them."""

from __future__ import annotations

import importlib
from types import ModuleType

from offramp.errors import MissingExtra


def import_extra(name: str, extra: str) -> ModuleType:
    """Import an optional package, or say how to install it.

    Raises:
        MissingExtra: It is not installed, or does not fit the installed torch.
    """
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError) as error:  # torchvision raises RuntimeError if it does not match torch
        package = name.partition(".")[0]
        raise MissingExtra(
            f"{package} must be importable, but: {error}. Run: pip install 'offramp[{extra}]'"
        ) from error
