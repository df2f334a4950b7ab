"""Where, with what and out of what something was made."""

from __future__ import annotations

from typing import Any, Final

from pydantic import ConfigDict

from ._part import Part

GIVEN: Final = "given:"  # begins the name of samples that are no reference, and that nobody can open again
Versions = dict[str, str]  # name of a package -> its version


class MachineRecord(Part):
    """The machine that a number was made on.

    Attributes:
        cpu: What the processor is called.
        cores: Number of cores that the process could use.
        system: Operating system and architecture.
    """

    cpu: str
    cores: int
    system: str


class SamplesRecord(Part):
    """How many samples each part of a run has.

    Attributes:
        train: Samples from which the exits learned.
        tune: Samples on which the frontier was drawn and exits were chosen.
        calibrate: Samples on which the promise was proven.
        test: Samples on which nothing was chosen, and which everything is reported on.
    """

    train: int
    tune: int
    calibrate: int
    test: int


class OptionsRecord(Part):
    """What `offramp optimize` was asked for: one entry per option, named as on the command line with underscores.

    The commands that come after it read those that are listed here; all others are kept as they were given.

    Attributes:
        data: Reference to the samples to learn from; "given:" and a number if they were no reference.
        held_out: The same of the samples to choose, prove and test on; null if they are a part of `data`.
        tokenizer: Folder of the tokenizer that texts need, or null.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Any]  # Any: JSON; which options there are is the business of the command line

    data: str
    held_out: str | None
    tokenizer: str | None = None

    @property
    def samples(self) -> str:
        """Reference to the samples that decide who leaves where, or the name of what was no reference."""
        return self.held_out or self.data
