"""Where torchvision's compiled part does not fit PyTorch, the two operators that its Python part wants to see.

Importing this module is enough; it goes before whatever imports torchvision.
"""

from __future__ import annotations

import importlib

import torch

KEPT: list[torch.library.Library] = []  # a library that nobody keeps takes its operators with it


def name_operators() -> None:
    """Name `nms` and `qnms`, unless torchvision is whole, or not there at all."""
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]  # PyTorch's own
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]  # PyTorch's own
        KEPT.append(library)
    except ImportError:
        pass  # whoever needs it will say so


name_operators()
