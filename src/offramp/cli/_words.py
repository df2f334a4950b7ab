"""The library's words for arguments, as the command line calls them: `target.max_loss` is `--max-loss`."""

from __future__ import annotations

import re
from collections.abc import Sequence


def say_options(text: str, about: Sequence[str]) -> str:
    """A sentence of the library in the words of the command line.

    Args:
        text: The sentence.
        about: The arguments that it names, once for each time; what else is in it, such as names of files, stays.

    Example:
        >>> say_options("target.max_loss must be a share, but out/x is none.", ["target.max_loss"])
        '--max-loss must be a share, but out/x is none.'
    """
    for name in sorted(about, key=len, reverse=True):
        behind = "" if name.endswith("=") else r"(?![\w/-]|\.\w)"
        text = re.sub(rf"(?<![\w./:@-]){re.escape(name)}{behind}", name_option(name), text, count=1)
    return text


def name_option(argument: str) -> str:
    """The option of an argument.

    Example:
        >>> name_option("training.sample_weighting"), name_option("resume=True"), name_option("held_out")
        ('--sample-weighting', '--resume', '--held-out')
    """
    bare = argument.removesuffix("=True").removesuffix("=")
    from offramp.pipeline._recorded import name_recorded  # only who made a mistake waits for it

    option = f"--{name_recorded(bare).replace('_', '-')}"
    return f"{option} " if argument.endswith("=") else option
