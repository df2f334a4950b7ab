"""Where and with what a result was made."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import sys
from pathlib import Path

import offramp
from offramp.run import legible

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


def describe_command() -> str:
    """The command line that is running, ready to be pasted."""
    return legible(shlex.join(["offramp", *sys.argv[1:]]))


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
