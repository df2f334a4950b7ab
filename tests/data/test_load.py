"""One door for all kinds of data."""

from __future__ import annotations

from typing import Any

import pytest

from offramp.data import load
from offramp.data._load import LOADERS
from offramp.data._reference import FORMS
from offramp.errors import OptionError


def test_every_documented_kind_has_a_loader() -> None:
    assert list(LOADERS) == list(FORMS)


@pytest.mark.parametrize("form", FORMS.values())
def test_the_docstring_names_every_form(form: str) -> None:
    assert f"`{form}`" in (load.__doc__ or "")


@pytest.mark.parametrize("options", [{"split": "tests"}, {"channels": 2}])
def test_options_outside_their_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="split must be one of"):
        load("digits", **options)
