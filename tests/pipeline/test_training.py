from __future__ import annotations

from typing import Any

import pytest

from offramp.errors import OptionError
from offramp.pipeline import Training


@pytest.mark.parametrize("option", [{"targets": "hard"}, {"sample_weighting": 0.5}, {"mixup": 0.5}])
def test_what_heads_alone_are_told_is_refused_where_labels_teach(option: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=r"mixup belong to training\.regime post, but .* is mixed"):
        Training(regime="mixed", **option)


def test_a_price_goes_with_its_regime_alone() -> None:
    assert Training(regime="cumulative", price=0.5).price == 0.5
    with pytest.raises(OptionError, match=r"training\.regime cumulative, but the regime is post"):
        Training(price=0.5)


@pytest.mark.parametrize("price", [-1.0, float("nan")])
def test_a_price_is_not_negative(price: float) -> None:
    with pytest.raises(OptionError, match=r"training\.price .* \(0 to"):
        Training(regime="cumulative", price=price)


def test_all_options_out_of_range_are_named_at_once() -> None:
    wrong: dict[str, Any] = {"epochs": 0, "mixup": 2.0, "regime": "best", "precision": "float8"}
    with pytest.raises(OptionError, match=r"epochs 0.*mixup 2.*regime best.*precision float8"):
        Training(**wrong)


@pytest.mark.parametrize(("regime", "labels"), [("post", False), ("cumulative", False), ("frozen", True)])
def test_labels_teach_in_some_regimes(regime: Any, labels: bool) -> None:
    assert Training(regime=regime).needs_labels == labels
