"""Optional packages."""

from __future__ import annotations

import pytest

from offramp.data._extra import import_extra
from offramp.errors import MissingExtra


def test_a_missing_package_says_what_to_install() -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'offramp\[vision\]'"):
        import_extra("a_package_that_nobody_has", "vision")


def test_a_present_package_is_given() -> None:
    assert import_extra("json", "vision").__name__ == "json"
