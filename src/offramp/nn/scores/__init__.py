"""Scores: what a gate compares with its threshold (features and logits -> one number per sample)."""

from ._build import build_score as build_score
from ._confidence import Confidence as Confidence
from ._entropy import Entropy as Entropy
from ._margin import Margin as Margin
from ._max_probability import MaxProbability as MaxProbability
from ._protocol import FittedScore as FittedScore
from ._protocol import Score as Score
