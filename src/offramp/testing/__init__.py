"""Contract suites that an outsider's score, pass, learner or runtime can inherit."""

from ._pass import PassContract as PassContract
from ._runtime import RuntimeContract as RuntimeContract
from ._score import ScoreContract as ScoreContract
