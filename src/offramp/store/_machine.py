"""Where and with what a result was made."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shlex
import sys
from pathlib import Path

import offramp
from offramp.run import legible

_ABSOLUTE = re.compile(
    r"(?:^|(?<=[:=,]))/(?!/)"
)  # where a path begins: `/a`, `npz:/a`, `--out=/a`, but not `https://a`
PACKAGES = ("torch", "openvino", "onnxruntime", "onnx", "numpy")


def describe_machine() -> dict[str, str | int]:
    """Processor, cores that this process may use, and system."""
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
    }


def describe_versions() -> dict[str, str]:
    """Of offramp, Python and the packages that decide numbers; none is imported for it."""
    versions = {"offramp": offramp.__version__, "python": platform.python_version()}
    return versions | {name: importlib.metadata.version(name) for name in PACKAGES}


def describe_command(*program: str) -> str:
    """The command line that is running, ready to be pasted where it names only files below the current folder.

    A result travels, the folders of the machine that made it do not: see `without_folders`.

    Args:
        program: What comes before the arguments; offramp if nothing is given.
    """
    return legible(shlex.join(map(without_folders, [*(program or ("offramp",)), *sys.argv[1:]])))


def without_folders(argument: str) -> str:
    """An argument that names no folder of this machine.

    An absolute path below the current folder becomes relative to it; of any other one the last part stays, behind
    `.../`. Relative paths, addresses such as `https://...` and everything else stay as they are.

    Example:
        >>> without_folders("npz:/home/ada/data/cifar10.npz@test"), without_folders("digits"), without_folders("out/a")
        ('npz:.../cifar10.npz@test', 'digits', 'out/a')
    """
    near = relative_to_here(argument)
    begin = _ABSOLUTE.search(near)
    return near if begin is None else f"{near[: begin.start()]}.../{near.rstrip('/').rpartition('/')[2]}"


def relative_to_here(argument: str) -> str:
    """An argument in which an absolute path below the current folder is relative to it; others stay as they are."""
    begin = _ABSOLUTE.search(argument)
    here = str(Path.cwd())
    if begin is None or here == "/":
        return argument
    before, path = argument[: begin.start()], os.path.normpath(argument[begin.start() :])
    if path == here:
        return f"{before}."
    return before + path.removeprefix(f"{here}/") if path.startswith(f"{here}/") else argument


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
