"""Numbers to choices: which thresholds, for which loss, and what may be promised about it."""

from ._audit import Audit as Audit
from ._audit import audit as audit
from ._decision import Decision as Decision
from ._decision import Guarantee as Guarantee
from ._decision import Refusal as Refusal
from ._decision import budget as budget
from ._decision import knee as knee
from ._decision import thresholds as thresholds
from ._loss import Kind as Kind
from ._loss import certifiable_loss as certifiable_loss
from ._loss import find_losses as find_losses
from ._loss import needed_samples as needed_samples
from ._loss import p_value as p_value
from ._placement import Placement as Placement
from ._placement import Trial as Trial
from ._placement import placement as placement
from ._promise import Promise as Promise
from ._promise import quality_for as quality_for
from ._rank import Ranking as Ranking
from ._rank import rank_scores as rank_scores
from ._rotate import Rotation as Rotation
from ._rotate import rotate as rotate
