"""What a run leaves behind: its folder, who may write there, and what machine it was made on."""

from ._machine import describe_command as describe_command
from ._machine import describe_machine as describe_machine
from ._machine import describe_versions as describe_versions
