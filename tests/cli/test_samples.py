"""Samples as a network reads them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from offramp.cli._samples import load_samples
from offramp.errors import DataError


def test_pictures_are_brought_to_the_size_and_channels_of_the_network() -> None:
    samples = load_samples("digits", {"x": (1, 28, 28)}, 10, split="test")
    assert samples.take([0])["x"].shape == (1, 1, 28, 28)


def test_labels_beyond_the_classes_of_the_network_are_refused() -> None:
    with pytest.raises(DataError, match="label"):
        load_samples("digits", {"x": (1, 28, 28)}, 5, split="test")


def test_torch_is_not_loaded_for_it() -> None:
    code = "import sys; import offramp.cli._samples, offramp.cli._predict; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
