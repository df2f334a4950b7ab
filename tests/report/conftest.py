"""A result as a run leaves it, made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from offramp.graph import Gate
from offramp.measure import Evidence
from offramp.run import ArraySamples


def point(relative: float, agreement: float, exits: tuple[float, ...]) -> dict[str, Any]:
    return {
        "thresholds": [0.875, 0.5], "accuracy": agreement - 0.05, "agreement": agreement, "harm": 1 - agreement,
        "macs": 1e6 * relative, "relative_macs": relative, "exit_rates": list(exits),
    }  # fmt: skip


def ranked(score: str, area: float, macs: list[float], *, candidate: bool = True) -> dict[str, Any]:
    return {
        "score": score, "candidate": candidate, "area": area, "relative_macs": macs[1],
        "frontier": {"relative_macs": macs, "quality": [1.0, 0.99, 0.8]},
    }  # fmt: skip


@pytest.fixture
def result() -> dict[str, Any]:
    latency = {batch: {"mean": 0.002, "p50": 0.001, "p95": 0.004, "calls": 2000} for batch in ("1", "64")}
    return {
        "offramp": "0.1.0",
        "versions": {"offramp": "0.1.0", "torch": "2.13.0"},
        "command": "offramp optimize --model zoo:resnet20 --out out/<b>",
        "machine": {"cpu": "Test CPU", "cores": 2, "system": "Linux x86_64"},
        "seed": 0,
        "engine": "openvino",
        "precision": "f32",
        "threads": 1,
        "held_out": True,
        "samples": {"train": 50000, "tune": 2994, "calibrate": 3493, "test": 60},
        "model": {
            "reference": "zoo:resnet20",
            "classes": 3,
            "inputs": {"x": [3, 8, 8]},
            "dtypes": {"x": "float32"},
            "exits": ["exit0/head", "exit1/head", "stage2"],
            "cuts": ["layer1", "layer2"],
        },
        "score": "max_probability",
        "scores": {
            "auto": True, "area_up_to": 0.01, "accepted_loss": 0.01, "full_quality": 1.0,
            "ranked": [
                ranked("max_probability", 0.55, [0.9, 0.4, 0.2]), ranked("entropy", 0.5, [0.95, 0.45, 0.2]),
                ranked("patience", -0.125, [1.1, 1.05, 0.2], candidate=False),
            ],
        },
        "goal": {"name": "promise", "max_loss": 0.01, "confidence": 0.95, "kind": "agreement", "budget": None},
        "baseline": {"accuracy": 0.9339, "macs": 1e6, "parameters": 272474, "latency_s": latency},
        "chosen": {
            **point(0.41, 0.9912, (0.5, 0.3, 0.2)),
            "latency_s": {batch: {**row, "mean": 0.0008} for batch, row in latency.items()},
            "gain": {"1": 2.5, "64": 2.4},
            "gain_interval": {"1": [2.31, 2.7], "64": [2.35, 2.45]},
            "efficiency": {"1": 0.9, "64": 0.95},
            "ideal_latency_s": {"1": 0.0007, "64": 0.0007},
            "empty_latency_s": {"1": 0.0001, "64": 0.0001},
        },
        "guarantee": {
            "kind": "agreement", "max_loss": 0.01, "confidence": 0.95, "status": "certified", "p_value": 0.04,
            "calibration_samples": 3493, "margin": 0.0, "test_loss": 0.0088, "test_interval": [0.001, 0.02],
        },
        "frontier": [
            point(0.9, 1.0, (0.1, 0.1, 0.8)), point(0.4, 0.99, (0.5, 0.3, 0.2)), point(0.2, 0.8, (0.9, 0.1, 0.0)),
        ],
        "frontier_quality": "agreement",
        "knee": 1,
        "exits_alone": [
            {"exit": 0, "agreement": 0.8, "accuracy": 0.75, "relative_macs": 0.2},
            {"exit": 1, "agreement": 0.9, "accuracy": 0.85, "relative_macs": 0.5},
            {"exit": 2, "agreement": 1.0, "accuracy": 0.93, "relative_macs": 1.0},
        ],
        "warnings": [],
        "verdict": ["It does 0.41 of the work and is faster: 2.50x [2.31, 2.70] at batch 1."],
    }  # fmt: skip


@pytest.fixture
def evidence() -> Evidence:
    """Of 60 samples in 3 classes; the surest leave first."""
    random = np.random.default_rng(0)
    labels = np.arange(60) % 3
    scores = random.random((60, 2)).astype(np.float32)
    predictions = np.stack([np.where(scores[:, 0] > 0.2, labels, (labels + 1) % 3), labels, labels], axis=1)
    return Evidence(
        ids=np.array([f"s{at}" for at in range(60)]),
        predictions=predictions,
        scores={"max_probability": scores},
        gates={"max_probability": Gate(direction="higher", stop_all=0.0, stop_none=2.0)},
        reference=labels,
        labels=labels,
    )


@pytest.fixture
def samples(evidence: Evidence) -> ArraySamples:
    pixels = np.random.default_rng(1).integers(0, 256, (60, 8, 8, 3)).astype(np.uint8)
    return ArraySamples(inputs={"x": pixels}, ids=evidence.ids, labels=evidence.labels)


@pytest.fixture
def sweep(result: dict[str, Any]) -> dict[str, Any]:
    """What a sweep of that result prints as JSON."""
    refused = {**point(1.0, 1.0, (0, 0, 1)), "max_loss": 0.001, "status": "refused", "test_loss": 0.0}
    certified = {**point(0.4, 0.99, (0.5, 0.3, 0.2)), "max_loss": 0.01, "status": "certified", "test_loss": 0.0088}
    cheaper = {**point(0.38, 0.98, (0.6, 0.3, 0.1)), "max_loss": 0.02, "status": "certified", "test_loss": 0.018}
    return {
        "command": "offramp sweep out",
        "engine": "openvino",
        "precision": "f32",
        "samples": result["samples"],
        "score": "max_probability",
        "search": {"name": "screening", "grid": None, "shares": None},
        "goal": {"name": "promise", "max_loss": 0.02, "confidence": 0.95, "kind": "agreement", "budget": None},
        "kind": "agreement",
        "confidence": 0.95,
        "quality": "agreement",
        "points": [point(0.95 - at / 50, 1 - at / 300, (at / 40, 0.1, 0.9 - at / 40)) for at in range(30)],
        "knee": 11,
        "losses": [refused, certified, cheaper],
        "chosen": point(0.38, 0.98, (0.6, 0.3, 0.1)),
        "guarantee": {**result["guarantee"], "max_loss": 0.02},
        "in_file": result["chosen"]["thresholds"],
        "applied": False,
    }
