"""From a graph to the same graph with other weights."""

from ._augment import augment as augment
from ._batch import shuffle as shuffle
from ._batch import take_batch as take_batch
from ._classifier import train_classifier as train_classifier
from ._cumulative import CumulativeSettings as CumulativeSettings
from ._cumulative import cumulative as cumulative
from ._distill_heads import DistillSettings as DistillSettings
from ._distill_heads import distill_heads as distill_heads
from ._frozen_backbone import FrozenBackbone as FrozenBackbone
from ._joint import joint as joint
from ._joint_settings import JointSettings as JointSettings
from ._mixup import mixup as mixup
from ._q import q as q
from ._q_settings import QSettings as QSettings
from ._q_sweep import q_sweep as q_sweep
from ._teacher import full_answers as full_answers
