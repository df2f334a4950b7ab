"""From a graph to the same graph with other weights."""

from ._classifier import train_classifier as train_classifier
from ._cumulative import CumulativeSettings as CumulativeSettings
from ._cumulative import cumulative as cumulative
from ._distill_heads import DistillSettings as DistillSettings
from ._distill_heads import distill_heads as distill_heads
from ._joint import joint as joint
from ._joint_settings import JointSettings as JointSettings
from ._q import q as q
from ._q_settings import QSettings as QSettings
from ._q_sweep import q_sweep as q_sweep
from ._teacher import full_answers as full_answers
