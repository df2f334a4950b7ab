"""A run as it is left behind, made by hand."""

from __future__ import annotations

import json
from typing import Any

from offramp.store.record import CheckRecord, RunRecord, SweepRecord, read_run


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


def make_result(**changes: Any) -> dict[str, Any]:
    """The JSON of a run, as it was before records had a version; other entries take the place of these."""
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
        "options": {"data": "npz:train.npz", "held_out": "npz:test.npz", "tokenizer": None},
        "search": {"name": "frontier", "grid": None, "shares": None},
        "exit_macs": [2e5, 5e5, 1.2e6],
        "warnings": [],
        "verdict": ["It does 0.41 of the work and is faster: 2.50x [2.31, 2.70] at batch 1."],
        **changes,
    }  # fmt: skip


def make_times(result: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The JSON of times of such a run, at its chosen point."""
    made = ("command", "machine", "versions", "engine", "precision", "threads")
    point = {name: result["chosen"][name] for name in ("thresholds", "exit_rates", "relative_macs")}
    told = {name: result["chosen"][name] for name in ("latency_s", "gain", "gain_interval")}
    known = {"samples": "npz:test.npz", "chosen": told, "baseline": {"latency_s": result["baseline"]["latency_s"]}}
    return {**point, **{name: result[name] for name in made}, **known, **changes}


def make_sweep(result: dict[str, Any]) -> dict[str, Any]:
    """The JSON of a sweep of such a run."""
    promise = result["guarantee"]
    refused = {**promise, **point(1.0, 1.0, (0, 0, 1)), "max_loss": 0.001, "status": "refused", "test_loss": 0.0}
    certified = {**promise, **point(0.4, 0.99, (0.5, 0.3, 0.2))}
    cheaper = {**promise, **point(0.38, 0.98, (0.6, 0.3, 0.1)), "max_loss": 0.02, "test_loss": 0.018}
    return {
        "folder": "out",
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


def make_check(**changes: Any) -> dict[str, Any]:
    """The JSON of a check of such a run; other entries take the place of these."""
    made = make_result()
    return {
        **{name: made[name] for name in ("command", "machine", "versions", "engine", "precision", "seed", "score")},
        "folder": "out", "data": "npz:new.npz", "thresholds": made["chosen"]["thresholds"],
        "alarm": True, "shifted": True, "p_value": 0.0003, "exits_p": 0.0001, "alpha": 0.01, "change": 0.1,
        "samples": {"new": 5000, "to_the_end": 2000, "expected": 3493},
        "exits": [
            {"name": "exit 0", "expected_rate": 0.5, "rate": 0.4, "scores_p": 0.25},
            {"name": "final", "expected_rate": 0.5, "rate": 0.6, "scores_p": None},
        ],
        "relative_macs": {"expected": 0.6, "new": 0.68},
        "loss": {
            "kind": "agreement", "promised_kind": "agreement", "max_loss": 0.01, "mean": 0.007,
            "interval": [0.004, 0.0117], "confidence": 0.95, "final_exit_differs": 0.0, "is_stand_in": False,
            "verdict": "stands", "needed": None, "remedy": "nothing needs to be done",
        },
        "accuracy": None,
        "verdict": ["The new samples look different.", "The promise stands."],
        "warnings": [],
        **changes,
    }  # fmt: skip


def as_run(result: dict[str, Any]) -> RunRecord:
    """The record of this JSON."""
    return read_run(json.dumps(result), "it")


def as_sweep(sweep: dict[str, Any]) -> SweepRecord:
    """The record of this JSON."""
    return SweepRecord.model_validate(sweep)


def as_check(check: dict[str, Any]) -> CheckRecord:
    """The record of this JSON."""
    return CheckRecord.model_validate(check)


def make_record(**changes: Any) -> RunRecord:
    """The record of such a run; arguments as for `make_result`."""
    return as_run(make_result(**changes))
