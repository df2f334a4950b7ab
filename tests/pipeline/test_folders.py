"""What is done with a finished folder needs no PyTorch."""

from __future__ import annotations

import subprocess
import sys


def test_steps_on_a_finished_folder_never_load_torch() -> None:
    code = "import sys, offramp.pipeline.folders; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
