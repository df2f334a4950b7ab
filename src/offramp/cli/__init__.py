"""The command line: one command per verb."""

from ._app import main as main
