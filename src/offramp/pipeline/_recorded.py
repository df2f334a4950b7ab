"""What a request is called in the record of a run: `options` of `result.json`, and what a killed run was asked for."""

from __future__ import annotations

# Name of an argument -> its name there, and on the command line with dashes; others are called as their last part.
RECORDED = {
    "train": "data",
    "exits.count": "exits",
    "exits.scores": "score",
    "training.precision": "training_precision",
    "engine.name": "engine",
    "search.name": "search",
    "search.shares": "grid",
}


def name_recorded(argument: str) -> str:
    """What an argument is called in the record.

    Example:
        >>> name_recorded("exits.scores"), name_recorded("target.max_loss"), name_recorded("seed")
        ('score', 'max_loss', 'seed')
    """
    return RECORDED.get(argument, argument.rpartition(".")[2])
