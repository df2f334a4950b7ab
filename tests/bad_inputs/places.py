"""Files and folders that something is wrong with, each made where a command names it."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import re
import shutil
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from offramp import zoo

GOOD = np.random.default_rng(0).random((40, 1, 28, 28), np.float32)
LABELS = np.arange(40) % 10
Maker = Callable[[Path], object]


class Code:
    """A pickle that would make a file if somebody loaded it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return open, ("executed", "w")


def text(content: str) -> Maker:
    return lambda path: path.write_text(content)


def npz(**arrays: np.ndarray) -> Maker:
    return lambda path: np.savez(path, **arrays)  # type: ignore[arg-type]  # options by name


def npy(array: np.ndarray) -> Maker:
    return lambda path: np.save(path, array)


def changed(value: float) -> np.ndarray:
    """Good pictures but for one pixel."""
    pictures = GOOD.copy()
    pictures[7, 0, 3, 3] = value
    return pictures


def state(name: str, **arguments: Any) -> dict[str, torch.Tensor]:
    return {key: value.contiguous() for key, value in zoo.load_model(name, **arguments).module.state_dict().items()}


def weights(path: Path) -> None:
    save_file(state("zoo:mlp"), path)


def weights_with_nan(path: Path) -> None:
    found = state("zoo:mlp")
    save_file({name: torch.full_like(value, torch.nan) for name, value in found.items()}, path)


def some_weights(path: Path) -> None:
    found = state("zoo:mlp")
    found.pop(next(iter(found)))
    save_file(found, path)


def cut_weights(path: Path) -> None:
    weights(path)
    path.write_bytes(path.read_bytes()[:-1000])


def classes(path: Path, *, broken: bool = False) -> None:
    """Two classes of pictures, the last of which may be no picture."""
    for name in ("a", "b"):
        (path / name).mkdir(parents=True)
        for at in range(20):
            Image.fromarray((255 * GOOD[at, 0]).astype(np.uint8)).save(path / name / f"{at}.png")
    if broken:
        (path / "b" / "9.png").write_bytes(b"\x89PNG\r\n")


def pictures_beside_each_other(path: Path) -> None:
    path.mkdir()
    Image.fromarray((255 * GOOD[0, 0]).astype(np.uint8)).save(path / "0.png")


def idx(path: Path, shape: Sequence[int], content: int) -> None:
    path.write_bytes(
        gzip.compress(bytes((0, 0, 8, len(shape))) + struct.pack(f">{len(shape)}I", *shape) + b"1" * content)
    )


def mnist(path: Path, *, labels: int = 12, content: int | None = None) -> None:
    """Pictures of 8 by 8 with so many labels, and so many bytes in the file of pictures."""
    path.mkdir()
    for prefix in ("train", "t10k"):
        idx(path / f"{prefix}-images-idx3-ubyte.gz", (12, 28, 28), 12 * 784 if content is None else content)
        idx(path / f"{prefix}-labels-idx1-ubyte.gz", (labels,), labels)


def mnist_of_text(path: Path) -> None:
    mnist(path)
    (path / "train-images-idx3-ubyte.gz").write_text("hello")


def killed_run(path: Path, request: str) -> None:
    """What is beside the folder that a run would have made."""
    partial = path.parent / f".{path.name}.partial"
    partial.mkdir()
    (partial / "request.json").write_text(request)


def tokenizer(path: Path) -> None:
    """Knows three words."""
    import transformers  # only now: it looks for torchvision

    words = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "film")
    transformers.BertTokenizer(vocab={word: at for at, word in enumerate(words)}).save_pretrained(path)


FILES: dict[str, Maker] = {
    # samples
    "good.npz": npz(x=GOOD, y=LABELS),
    "bytes_none.npz": text(""),
    "text.npz": text("hello"),
    "cut.npz": lambda path: (np.savez(path, x=GOOD, y=LABELS), path.write_bytes(path.read_bytes()[:900])),  # type: ignore[func-returns-value]  # only done
    "without_x.npz": npz(a=GOOD),
    "pickled.npz": npz(x=np.array([Code(), Code()], dtype=object)),
    "no_rows.npz": npz(x=GOOD[:0], y=LABELS[:0]),
    "few_labels.npz": npz(x=GOOD, y=LABELS[:-1]),
    "flat_labels.npz": npz(x=GOOD, y=np.zeros((40, 10))),
    "far_labels.npz": npz(x=GOOD, y=LABELS + 100),
    "negative_labels.npz": npz(x=GOOD, y=LABELS - 1),
    "half_labels.npz": npz(x=GOOD, y=LABELS + 0.5),
    "nan_labels.npz": npz(x=GOOD, y=np.where(LABELS == 3, np.nan, LABELS)),
    "nan.npz": npz(x=changed(np.nan), y=LABELS),
    "infinite.npz": npz(x=changed(np.inf), y=LABELS),
    "bright.npz": npz(x=255 * GOOD, y=LABELS),
    "negative.npz": npz(x=GOOD - 0.5, y=LABELS),
    "large.npz": npz(x=np.zeros((40, 1, 29, 29), np.float32), y=LABELS),
    "colored.npz": npz(x=np.zeros((40, 3, 28, 28), np.float32), y=LABELS),
    "flat.npz": npz(x=GOOD.reshape(40, 784), y=LABELS),
    "words.npz": npz(x=np.array(["cat"] * 40)),
    "complex.npz": npz(x=GOOD + 1j, y=LABELS),
    "one_number.npz": npz(x=np.float32(1)),  # type: ignore[arg-type]  # as it is at run time
    "nine.npz": npz(x=GOOD[:9], y=LABELS[:9]),
    "folder.npz": lambda path: path.mkdir(),
    "good.npy": npy(GOOD),
    "text.npy": text("hello"),
    "bytes_none.npy": text(""),
    "integers.npy": npy(np.zeros((40, 1, 28, 28), np.int64)),
    "one_number.npy": npy(np.array(1.0, np.float32)),
    "no_rows.npy": npy(GOOD[:0]),
    "pickled.npy": npy(np.array([Code(), Code()], dtype=object)),
    "nan.npy": npy(changed(np.nan)),
    "empty_folder": lambda path: path.mkdir(),
    "empty_classes": lambda path: [(path / name).mkdir(parents=True) for name in ("a", "b")],  # type: ignore[func-returns-value]  # only done
    "no_classes": pictures_beside_each_other,
    "broken_picture": lambda path: classes(path, broken=True),
    "a_file": text("hello"),
    "mnist_few_labels": lambda path: mnist(path, labels=11),
    "mnist_cut": lambda path: mnist(path, content=99),
    "mnist_text": mnist_of_text,
    "good.tsv": text("text\tlabel\ngood film\tgood\nbad film\tbad\n"),
    "empty.tsv": text(""),
    "tokenizer": tokenizer,
    "header.tsv": text("text\tlabel\n"),
    "one_column.tsv": text("text\tlabel\ngood film\n"),
    "latin.tsv": lambda path: path.write_bytes("text\tlabel\ncaf\xe9\tgood\n".encode("latin-1")),
    # networks
    "good.safetensors": weights,
    "nan.safetensors": weights_with_nan,
    "some.safetensors": some_weights,
    "cut.safetensors": cut_weights,
    "other.safetensors": lambda path: save_file(state("zoo:lenet5"), path),
    "empty.safetensors": lambda path: save_file({}, path),
    "text.safetensors": text("hello"),
    "text.pt": text("hello"),
    "code.pt": lambda path: path.write_bytes(pickle.dumps({"a": Code()})),
    "code_in_archive.pt": lambda path: torch.save({"a": Code()}, path),
    "list.pt": lambda path: torch.save([1, 2], path),
    "module.pt": lambda path: torch.save(torch.nn.Linear(2, 2), path),
    "weights.txt": text("hello"),
    "folder.pt": lambda path: path.mkdir(),
    "net_raises.py": text("def build():\n    raise RuntimeError('no luck')\n"),
    "net_broken.py": text("def build(:\n"),
    "net_number.py": text("build = 3\n"),
    "net_none.py": text("def build():\n    return None\n"),
    "net_vague.py": text("import torch\ndef build():\n    return torch.nn.Identity()\n"),
    "hf_empty": lambda path: path.mkdir(),
    "hf_broken": lambda path: (path.mkdir(), (path / "config.json").write_text("{")),  # type: ignore[func-returns-value]  # only done
    # places
    "pipe": lambda path: os.mkfifo(path),
    "half": lambda path: killed_run(path, json.dumps({"model": "zoo:lenet5"})),
    "half_broken": lambda path: killed_run(path, "{"),
    "others": lambda path: (path.mkdir(), (path / "letter.txt").write_text("dear")),  # type: ignore[func-returns-value]  # only done
}  # fmt: skip


def run_without(*names: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return make


def run_with(name: str, content: bytes | str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def run_telling(**changes: Any) -> Callable[[Path], None]:
    """The run with other entries of its result; None removes one."""

    def make(folder: Path) -> None:
        found = json.loads((folder / "result.json").read_text())
        told = {name: value for name, value in (found | changes).items() if value is not None or name not in changes}
        (folder / "result.json").write_text(json.dumps(told))

    return make


def cut_evidence(folder: Path) -> None:
    (folder / "evidence.npz").write_bytes((folder / "evidence.npz").read_bytes()[:-99])


RUNS: dict[str, Callable[[Path], object]] = {  # what was done to a finished run
    "run": lambda folder: None,
    "run_without_model": run_without("model.onnx"),
    "run_without_result": run_without("result.json"),
    "run_without_evidence": run_without("evidence.npz"),
    "run_broken_model": run_with("model.onnx", "hello"),
    "run_empty_model": run_with("model.onnx", ""),
    "run_broken_result": run_with("result.json", "{"),
    "run_listed_result": run_with("result.json", "[]"),
    "run_old_result": run_telling(search=None),
    "run_miscounted": run_telling(samples={"train": 1, "tune": 1, "calibrate": 1, "test": 1}),
    "run_broken_evidence": run_with("evidence.npz", "hello"),
    "run_cut_evidence": cut_evidence,
    "run_empty_evidence": run_with("evidence.npz", ""),
}


def make_files(words: Sequence[str], folder: Path, run: Path) -> None:
    """Everything that the words of a command name, below a folder; `run` is a finished run."""
    named = {part for word in words for part in re.split("[:=@/]", word)}
    for name, make in FILES.items():
        if name in named or (name.endswith(".py") and name.removesuffix(".py") in named):
            make(folder / name)
    for name, change in RUNS.items():
        if name in named:
            change(Path(shutil.copytree(run, folder / name)))
