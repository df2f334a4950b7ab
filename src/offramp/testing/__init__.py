"""Contract suites that an outsider's score, pass, learner or runtime can inherit."""

from ._score import ScoreContract as ScoreContract
