"""What a request is called in the record of a run: `options` of `result.json`, and what a killed run was asked for."""

from __future__ import annotations

# Name of an argument -> its name there, and on the command line with dashes; others are called as their last part.
RECORDED = {
    "train": "data",
    "exits.count": "exits",
    "exits.scores": "score",
    "exits.reuse_logits": "cascade",
    "exits.ensemble_heads": "ensemble",
    "training.precision": "training_precision",
    "training.sample_weighting": "survivors",
    "training.mixup": "mix",
    "engine.name": "engine",
    "search.name": "search",
    "search.shares": "grid",
}


def name_recorded(argument: str) -> str:
    """What an argument is called in the record.

    Example:
        >>> name_recorded("training.mixup"), name_recorded("target.max_loss"), name_recorded("seed")
        ('mix', 'max_loss', 'seed')
    """
    return RECORDED.get(argument, argument.rpartition(".")[2])
