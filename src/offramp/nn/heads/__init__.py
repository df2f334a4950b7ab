"""Heads: the small networks that answer at an exit (features -> logits)."""

from ._build import build_head as build_head
from ._confident import ConfidentHead as ConfidentHead
from ._ensemble import Ensemble as Ensemble
from ._logit_reuse import LogitReuseHead as LogitReuseHead
from ._recipe import HeadRecipe as HeadRecipe
