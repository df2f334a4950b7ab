"""Scores: what a gate compares with its threshold (features and logits -> one number per sample)."""

from ._build import MASKED_SCORES as MASKED_SCORES
from ._build import SCORES as SCORES
from ._build import build_score as build_score
from ._calibrated import Calibrated as Calibrated
from ._class_mean import ClassMean as ClassMean
from ._confidence import Confidence as Confidence
from ._energy import Energy as Energy
from ._entropy import Entropy as Entropy
from ._gate import gate_of as gate_of
from ._head_confidence import HeadConfidence as HeadConfidence
from ._margin import Margin as Margin
from ._max_probability import MaxProbability as MaxProbability
from ._normalized_entropy import NormalizedEntropy as NormalizedEntropy
from ._openmax import OpenMax as OpenMax
from ._patience import Patience as Patience
from ._protocol import FittedScore as FittedScore
from ._protocol import Score as Score
from ._targets import Targets as Targets
