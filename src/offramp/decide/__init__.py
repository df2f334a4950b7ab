"""Numbers to choices: which thresholds, for which loss, and what may be promised about it."""

from ._audit import Audit as Audit
from ._audit import audit as audit
from ._decision import Decision as Decision
from ._decision import Guarantee as Guarantee
from ._decision import Refusal as Refusal
from ._decision import budget as budget
from ._decision import knee as knee
from ._decision import thresholds as thresholds
from ._drift import Drift as Drift
from ._drift import drift as drift
from ._interval import loss_interval as loss_interval
from ._loss import Kind as Kind
from ._loss import find_losses as find_losses
from ._loss import needed_samples as needed_samples
from ._loss import p_value as p_value
from ._promise import Promise as Promise
from ._promise import quality_for as quality_for
from ._rank import Ranking as Ranking
from ._rank import rank_scores as rank_scores
from ._rotate import Rotation as Rotation
from ._rotate import rotate as rotate
from ._shift import Shift as Shift
from ._standing import Standing as Standing
from ._standing import Verdict as Verdict
from ._watch import Watch as Watch
