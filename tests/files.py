"""What every runtime of files does with files that it should, and should not, read: tests to inherit."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import numpy as np
import onnx
import pytest

from graphs import make_chain, with_numpy_bodies
from offramp.errors import DataError, EngineError, OptionError, ThresholdError
from offramp.run import run_reference

GRAPH = make_chain(3)


def make_batch(rows: int = 4) -> dict[str, np.ndarray]:
    return {"x": np.arange(3 * rows, dtype=np.float32).reshape(rows, 3) % 17 - 6}


def rewrite_card(path: Path, target: Path, **entries: object) -> Path:
    model = onnx.load(path)
    card = {**json.loads(model.metadata_props[0].value), **entries}
    onnx.helper.set_model_props(model, {"offramp": json.dumps(card)})
    onnx.save(model, target)
    return target


class FileContract:
    """Tests of one engine's `load` and `load_dense`; `bare` runs the file with the engine's own package alone."""

    run: ClassVar[ModuleType]
    bare: ClassVar[str]

    @pytest.fixture
    def path(self, chain_files: Path) -> Path:
        return chain_files / "model.onnx"

    @pytest.fixture
    def dense(self, chain_files: Path) -> Path:
        return chain_files / "dense.onnx"

    def test_the_file_answers_in_the_bare_package(self, path: Path) -> None:
        done = subprocess.run(
            [sys.executable, "-c", self.bare, path], capture_output=True, text=True, check=False, cwd=path.parent
        )
        assert done.returncode == 0, done.stderr
        expected = run_reference(with_numpy_bodies(GRAPH), make_batch(), np.array([1, 2, 0], np.float32))
        got = json.loads(done.stdout)
        assert got == {name: getattr(expected, name).tolist() for name in got}

    def test_without_thresholds_those_of_the_card_apply(self, path: Path, tmp_path: Path) -> None:
        runtime = self.run.load(rewrite_card(path, tmp_path / "m.onnx", thresholds=[-1e9, 0.0, 0.0]))
        assert runtime(make_batch()).exit.tolist() == [0, 0, 0, 0]

    def test_a_card_with_the_wrong_number_of_thresholds_is_refused(self, path: Path, tmp_path: Path) -> None:
        rewritten = rewrite_card(path, tmp_path / "m.onnx", thresholds=[0.0])
        with pytest.raises(ThresholdError, match="expected 3"):
            self.run.load(rewritten)

    def test_the_dense_file_gives_every_exit_and_score(self, dense: Path) -> None:
        answer = self.run.load_dense(dense)(make_batch())
        everybody = run_reference(with_numpy_bodies(GRAPH), make_batch(), np.full(3, 1e9, np.float32))
        assert answer.logits.shape == (4, 4, 3)
        np.testing.assert_array_equal(answer.logits[:, -1], everybody.logits)
        np.testing.assert_array_equal(answer.scores["sum"], answer.logits[:, :3].sum(axis=2))

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"nothing\.onnx"):
            self.run.load(tmp_path / "nothing.onnx")

    def test_a_broken_file_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "broken.onnx").write_bytes(b"broken")
        with pytest.raises(EngineError, match=r"broken\.onnx") as caught:
            self.run.load(tmp_path / "broken.onnx")
        assert caught.value.__cause__ is not None

    def test_a_file_without_metadata_is_refused(self, path: Path, tmp_path: Path) -> None:
        model = onnx.load(path)
        del model.metadata_props[:]
        onnx.save(model, tmp_path / "bare.onnx")
        with pytest.raises(EngineError, match="metadata"):
            self.run.load(tmp_path / "bare.onnx")

    def test_a_dense_file_is_not_a_conditional_one(self, dense: Path) -> None:
        with pytest.raises(EngineError, match="load_dense"):
            self.run.load(dense)

    def test_no_threads_are_refused(self, path: Path) -> None:
        with pytest.raises(OptionError, match="threads"):
            self.run.load(path, threads=0)
