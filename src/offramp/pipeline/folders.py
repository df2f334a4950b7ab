"""Answers as `offramp predict` writes them: rows of each batch, and files of rows; no PyTorch."""

from ._answers import write_answers as write_answers
from ._predict import to_rows as to_rows
