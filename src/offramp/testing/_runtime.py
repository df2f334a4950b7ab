"""What every runtime must do, as tests to inherit."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from offramp.errors import DataError, ThresholdError
from offramp.run import Answer, Runtime

Inputs = dict[str, NDArray[np.float32]]


class RuntimeContract:
    """Tests of one runtime: inherit, name the class so that pytest collects it, and override `load` and `expect`.

    The network has at least one threshold gate, and all its inputs are float32 vectors or pictures.
    """

    tolerance = 0.0  # of the logits; other than 0 where the network is not integer-valued

    def load(self) -> Runtime:
        """The runtime; called once per test."""
        raise NotImplementedError

    def expect(self, inputs: Inputs, thresholds: NDArray[np.float32]) -> Answer:
        """The right answer, as `run_reference` gives it."""
        raise NotImplementedError

    @pytest.mark.parametrize("rows", [0, 1, 3, 64])
    def test_it_answers_like_the_reference(self, rows: int) -> None:
        """In all four parts, with their element types."""
        runtime = self.load()
        inputs, thresholds = _inputs(runtime, rows), _thresholds(runtime)
        self._compare(runtime(inputs, thresholds), self.expect(inputs, thresholds))

    def test_a_batch_gives_what_its_samples_give_one_by_one(self) -> None:
        """Who leaves early does not change what others get."""
        runtime = self.load()
        inputs, thresholds = _inputs(runtime, 9), _thresholds(runtime)
        together = runtime(inputs, thresholds)
        for row in range(9):
            alone = runtime({name: array[row : row + 1] for name, array in inputs.items()}, thresholds)
            np.testing.assert_array_equal(alone.exit[0], together.exit[row])
            np.testing.assert_allclose(alone.logits[0], together.logits[row], atol=self.tolerance, rtol=0)

    def test_an_answer_stays_as_it_is_when_the_next_one_comes(self) -> None:
        """Memory that the engine uses again is copied."""
        runtime = self.load()
        first = runtime(_inputs(runtime, 3, seed=1))
        before = first.logits.copy()
        runtime(_inputs(runtime, 3, seed=2))
        np.testing.assert_array_equal(first.logits, before)

    def test_the_extremes_stop_all_and_none(self) -> None:
        """At the first exit, and at the last."""
        runtime = self.load()
        gates, inputs = runtime.card["gates"], _inputs(runtime, 5)
        everybody = runtime(inputs, np.array([gate["stop_all"] for gate in gates], np.float32))
        nobody = runtime(inputs, np.array([gate["stop_none"] for gate in gates], np.float32))
        assert everybody.exit.tolist() == [0] * 5
        assert nobody.exit.tolist() == [len(runtime.card["exits"]) - 1] * 5
        assert nobody.score.tolist() == [1.0] * 5

    @pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("rows", [1, 2, 7, 64])
    def test_what_is_not_finite_never_stops(self, rows: int, wrong: float) -> None:
        """A sample with one entry that is no number goes all the way, and takes nobody along."""
        runtime = self.load()
        inputs = _inputs(runtime, rows)
        for array in inputs.values():
            array.reshape(rows, -1)[0, -1] = wrong
        everybody = np.array([gate["stop_all"] for gate in runtime.card["gates"]], np.float32)
        assert runtime(inputs, everybody).exit.tolist() == [len(runtime.card["exits"]) - 1] + [0] * (rows - 1)

    @pytest.mark.parametrize("extra", [-1, 1])
    def test_the_wrong_number_of_thresholds_is_refused(self, extra: int) -> None:
        """Before anything runs."""
        runtime = self.load()
        with pytest.raises(ThresholdError, match="one per gate"):
            runtime(_inputs(runtime, 1), np.zeros(len(runtime.card["gates"]) + extra, np.float32))

    def test_a_threshold_that_is_nan_is_refused(self) -> None:
        """Nobody could say what it means."""
        runtime = self.load()
        with pytest.raises(ThresholdError, match="NaN"):
            runtime(_inputs(runtime, 1), np.full(len(runtime.card["gates"]), np.nan, np.float32))

    def test_inputs_of_the_wrong_type_are_refused(self) -> None:
        """Never converted in silence."""
        runtime = self.load()
        with pytest.raises(DataError, match="float64"):
            runtime({name: array.astype(np.float64) for name, array in _inputs(runtime, 1).items()})

    def test_inputs_of_the_wrong_shape_are_refused(self) -> None:
        """Also where an engine would broadcast."""
        runtime = self.load()
        with pytest.raises(DataError, match="but got"):
            runtime({name: array[..., :1] for name, array in _inputs(runtime, 2).items()})

    def test_a_batch_without_rows_is_checked_like_any_other(self) -> None:
        """There is nothing to ask the engine, but inputs and thresholds that do not fit are still a mistake."""
        runtime = self.load()
        gates, none = len(runtime.card["gates"]), _inputs(runtime, 0)
        with pytest.raises(DataError, match="but got"):
            runtime({name: array[..., :1] for name, array in none.items()})
        with pytest.raises(ThresholdError, match="one per gate"):
            runtime(none, np.zeros(gates + 1, np.float32))
        with pytest.raises(ThresholdError, match="NaN"):
            runtime(none, np.full(gates, np.nan, np.float32))

    def test_inputs_of_unknown_name_are_refused(self) -> None:
        """Unless there is only one, which needs no name."""
        runtime = self.load()
        inputs = _inputs(runtime, 1)
        with pytest.raises(DataError, match="unknown"):
            runtime({**inputs, "nobody reads this": np.zeros((1, 1), np.float32)})

    def test_it_says_what_it_is(self) -> None:
        """Engine, precision and threads stand beside every number measured."""
        runtime = self.load()
        assert runtime.engine
        assert runtime.precision
        assert runtime.threads >= 1

    def _compare(self, got: Answer, expected: Answer) -> None:
        for name in ("exit", "route"):
            np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)
        for name in ("logits", "score"):
            values, wanted = getattr(got, name), getattr(expected, name)
            np.testing.assert_allclose(values, wanted, atol=self.tolerance, rtol=0, err_msg=name)
        types = [getattr(got, name).dtype for name in ("logits", "exit", "score", "route")]
        assert types == [np.float32, np.int64, np.float32, np.int64]


def _inputs(runtime: Runtime, rows: int, seed: int = 0) -> Inputs:
    """Whole numbers, so that networks that compute with such are exact."""
    generator = np.random.default_rng(seed)
    shapes = {name: (rows, *spec["shape"]) for name, spec in runtime.card["inputs"].items()}
    return {name: generator.integers(-8, 9, shape).astype(np.float32) for name, shape in shapes.items()}


def _thresholds(runtime: Runtime) -> NDArray[np.float32]:
    """Such that, in most networks, somebody leaves at most exits."""
    return np.arange(len(runtime.card["gates"]), dtype=np.float32) % 3
