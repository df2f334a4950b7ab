"""From a name to a score."""

from __future__ import annotations

import pytest

from offramp.errors import OptionError
from offramp.nn.scores import SCORES, build_score


@pytest.mark.parametrize("name", SCORES)
def test_every_score_is_built_by_the_name_it_declares(name: str) -> None:
    assert build_score(name, (4, 6, 6), 5).name == name


def test_an_unknown_score_is_refused_with_the_closest_name() -> None:
    with pytest.raises(OptionError, match="Did you mean 'max_probability'"):
        build_score("max_prob", (4,), 5)
