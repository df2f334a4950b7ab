"""What this CPU trains fastest in."""

from __future__ import annotations

from typing import Literal

import torch

AMX = bool(torch.cpu.get_capabilities().get("amx_tile"))
PRECISION: Literal["float32", "bfloat16"] = "bfloat16" if AMX else "float32"
