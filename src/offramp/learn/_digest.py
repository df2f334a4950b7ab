"""A fingerprint of weights, so that a training does not go on from what another one left."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


def digest_weights(bodies: Mapping[str, Any]) -> str:  # Any: bodies are opaque
    """A digest of the names and weights of some bodies.

    Args:
        bodies: Bodies by name; one that is no module counts by its name alone.

    Returns:
        64 hexadecimal digits of SHA-256.
    """
    known = hashlib.sha256()
    for name, body in bodies.items():
        known.update(name.encode())
        for tensor in body.state_dict().values() if isinstance(body, nn.Module) else ():
            known.update(tensor.detach().contiguous().cpu().view(-1).view(torch.uint8).numpy())
    return known.hexdigest()
