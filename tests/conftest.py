"""What all tests share: one thread, the flag that rewrites golden files, and a guard that none reaches the network."""

from __future__ import annotations

import importlib
import importlib.util
import ipaddress
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from examples import register_profiles

pytest_plugins = ["exporter", "runs"]

GOLDEN = Path(__file__).parent / "golden"

# On networks this small several threads only wait for each other, and more so with a process per core. Set before
# anything loads NumPy or PyTorch, and inherited by the processes that tests start.
for library in ("OMP", "MKL", "OPENBLAS"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")

register_profiles()  # before Hypothesis reads its options


@pytest.hookimpl(optionalhook=True)  # without pytest-xdist nobody asks
def pytest_xdist_auto_num_workers() -> int | None:
    """The cores that this process may use: pytest-xdist would count those of the machine."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ or not hasattr(os, "sched_getaffinity"):
        return None  # then pytest-xdist decides
    return len(os.sched_getaffinity(0))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite-golden", action="store_true", help="write the golden files anew; review the diff")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compares a text with `tests/golden/NAME`, or writes that file if pytest got --rewrite-golden."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--rewrite-golden"):
            path.write_text(text)
        assert text == path.read_text(), f"{name} changed; if on purpose: pytest --rewrite-golden, and review"

    return compare


@pytest.fixture(scope="session")
def vision() -> Iterator[Any]:  # Any: a module
    """torchvision; its networks load even where its compiled part does not fit, if two operators have a name."""
    import torch

    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    library = None
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]  # PyTorch's own
        for name in ("nms", "qnms"):
            schema = f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
            library.define(schema)  # type: ignore[no-untyped-call]  # PyTorch's own
    yield importlib.import_module("torchvision")
    del library  # the operators live as long as it does


@pytest.fixture(scope="session")
def chain_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `make_chain(3)` as model.onnx and dense.onnx: writing them takes seconds, so tests share them."""
    from graphs import make_chain
    from offramp.export import onnx
    from shared import made_once

    def make(folder: Path) -> None:
        onnx.save(make_chain(3), folder / "model.onnx")
        onnx.save(make_chain(3), folder / "dense.onnx", dense=True)

    return made_once(tmp_path_factory, "chain", make)


def is_local(address: Any) -> bool:  # Any: what socket.connect takes differs per family
    """True for unix sockets and the loopback range."""
    if not isinstance(address, tuple):
        return True
    try:
        return ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        return bool(address[0] == "localhost")


@pytest.fixture(autouse=True, scope="session")
def no_network() -> Iterator[None]:
    """Refuses every connection that would leave this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        assert is_local(address), f"a test tried to reach {address}"
        connect(self, address)

    patch = pytest.MonkeyPatch()
    patch.setattr(socket.socket, "connect", guarded)
    yield
    patch.undo()
