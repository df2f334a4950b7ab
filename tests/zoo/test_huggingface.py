"""Classifiers in folders of the Hugging Face form, made here and tiny."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from offramp import attach
from offramp.errors import CaptureError, OfframpWarning, OptionError, UnknownReference, WeightsError
from offramp.zoo import load_model

SMALL: dict[str, Any] = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "num_labels": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def transformers(vision: object) -> ModuleType:
    module: ModuleType = pytest.importorskip("transformers")
    return module


@pytest.fixture
def save(transformers: Any, tmp_path: Path) -> Callable[[str, str, dict[str, Any]], str]:
    def save_model(config: str, model: str, options: dict[str, Any]) -> str:
        getattr(transformers, model)(getattr(transformers, config)(**options)).save_pretrained(tmp_path)
        return f"hf:{tmp_path}"

    return save_model


VIT = ("ViTConfig", "ViTForImageClassification", {**SMALL, "image_size": 32, "patch_size": 8})
BERT = ("BertConfig", "BertForSequenceClassification", {**SMALL, "vocab_size": 99, "max_position_embeddings": 40})
RESNET = ("ResNetConfig", "ResNetForImageClassification", {"embedding_size": 8, "hidden_sizes": [8], "depths": [1]})


def test_a_picture_classifier_reads_pixel_values(save: Any) -> None:
    loaded = load_model(save(*VIT))
    assert loaded.shapes == {"pixel_values": (3, 32, 32)}
    assert loaded.classes == 3
    assert loaded.mean is None


def test_a_text_classifier_reads_tokens_and_a_mask(save: Any) -> None:
    loaded = load_model(save(*BERT))
    assert loaded.shapes == {"input_ids": (40,), "attention_mask": (40,)}
    assert isinstance(loaded.example, dict)
    assert {tensor.dtype for tensor in loaded.example.values()} == {torch.int64}
    assert loaded.reference is not None
    assert load_model(loaded.reference, shape=(7,)).shapes == {"input_ids": (7,), "attention_mask": (7,)}


@pytest.mark.parametrize(
    ("told", "names"),
    [
        ({0: "cat", 1: "dog", 2: "hen"}, ("cat", "dog", "hen")),
        ({2: " hen", 0: "tench, Tinca tinca", 1: "dog"}, ("tench, Tinca tinca", "dog", "hen")),
        ({0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}, None),
        ({0: "cat", 1: "LABEL_1", 2: "hen"}, None),
        ({0: "cat", 1: "cat", 2: "hen"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize("kind", [VIT, BERT])
def test_the_configuration_says_what_the_outputs_are_called(
    save: Any, kind: tuple[str, str, dict[str, Any]], told: dict[int, str], names: tuple[str, ...] | None
) -> None:
    config, model, options = kind
    asked = {**options, "id2label": told} if told else options
    loaded = load_model(
        save(config, model, {name: one for name, one in asked.items() if name != "num_labels" or not told})
    )
    assert loaded.class_names == names
    assert loaded.vocabulary == (99 if kind is BERT else 0)


@pytest.mark.parametrize(
    ("processor", "mean", "std"),
    [
        ({"image_mean": [0.5] * 3, "image_std": [0.25] * 3}, 0.5, 0.25),
        ({"image_mean": [0.5] * 3, "image_std": [0.25] * 3, "do_normalize": False}, 0, 1),
        ({"image_mean": [127.5] * 3, "image_std": [51] * 3, "do_rescale": False}, 0.5, 0.2),
        ({"image_mean": [1.0] * 3, "image_std": [0.5] * 3, "rescale_factor": 1 / 127.5}, 0.5, 0.25),
    ],
)
def test_mean_and_std_come_from_the_processor_for_pixels_up_to_1(
    save: Any, tmp_path: Path, processor: dict[str, Any], mean: float, std: float
) -> None:
    reference = save(*VIT)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(processor))
    loaded = load_model(reference)
    assert loaded.mean == pytest.approx((mean,) * 3)
    assert loaded.std == pytest.approx((std,) * 3)


@pytest.mark.parametrize("size", [{"height": 48, "width": 32}, {"shortest_edge": 40}, [48, 32], 32])
def test_a_network_for_any_size_takes_the_processors(save: Any, tmp_path: Path, size: Any) -> None:
    reference = save(*RESNET)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": size}))
    expected = {"dict": (48, 32) if "height" in str(size) else (40, 40), "list": (48, 32), "int": (32, 32)}
    assert load_model(reference).shapes == {"pixel_values": (3, *expected[type(size).__name__])}


def test_a_broken_processor_file_is_named(save: Any, tmp_path: Path) -> None:
    reference = save(*VIT)
    (tmp_path / "preprocessor_config.json").write_text("{")
    with pytest.raises(UnknownReference, match=r"preprocessor_config\.json must be JSON"):
        load_model(reference)


def test_a_backbone_without_classifier_is_refused(save: Any) -> None:
    with pytest.raises(UnknownReference, match="ViTModel"):
        load_model(save("ViTConfig", "ViTModel", VIT[2]))


def test_missing_weights_are_never_made_up(save: Any, transformers: Any, tmp_path: Path) -> None:
    reference = save("ViTConfig", "ViTModel", VIT[2])
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "architectures": ["ViTForImageClassification"]}))
    transformers.logging.set_verbosity_error()
    with pytest.raises(WeightsError, match=r"lacks \d+, such as classifier"):
        load_model(reference)


def test_a_folder_without_weights_is_refused(save: Any, tmp_path: Path) -> None:
    reference = save(*VIT)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="must hold the weights"):
        load_model(reference)


@pytest.mark.parametrize("config", ["{", '{"model_type": "no_such_family"}'])
def test_an_unknown_configuration_is_refused(transformers: Any, tmp_path: Path, config: str) -> None:
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(UnknownReference, match=r"config\.json must be"):
        load_model(f"hf:{tmp_path}")


def test_a_name_on_the_hub_is_no_folder() -> None:
    with pytest.raises(UnknownReference, match="local folder"):
        load_model("hf:google/vit-base-patch16-224")


def test_a_picture_of_the_wrong_size_is_refused(save: Any) -> None:
    with pytest.raises(CaptureError, match=r"\[2, 3, 64, 64\]"):
        load_model(save(*VIT), shape=(3, 64, 64))


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_weights_in_16_bits_are_loaded_in_float32(kind: str, transformers: Any, tmp_path: Path) -> None:
    config = transformers.ViTConfig(**VIT[2])
    transformers.ViTForImageClassification(config).to(getattr(torch, kind)).save_pretrained(tmp_path)
    with pytest.warns(OfframpWarning, match=f"computes in {kind}; offramp works in float32"):
        loaded = load_model(f"hf:{tmp_path}")
    assert len(attach.exits(loaded.module, loaded.example, count=1).exits) == 2


AST = (
    "ASTConfig",
    "ASTForAudioClassification",
    {**SMALL, "max_length": 48, "num_mel_bins": 32, "patch_size": 16, "time_stride": 16, "frequency_stride": 16},
)
WAV2VEC2 = (
    "Wav2Vec2Config",
    "Wav2Vec2ForSequenceClassification",
    {
        **SMALL, "conv_dim": (8, 8), "conv_kernel": (10, 3), "conv_stride": (5, 2), "num_feat_extract_layers": 2,
        "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2, "classifier_proj_size": 8,
    },
)  # fmt: skip
WHISPER = (
    "WhisperConfig",
    "WhisperForAudioClassification",
    {
        "d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 16, "decoder_layers": 1,
        "decoder_attention_heads": 2, "decoder_ffn_dim": 16, "num_mel_bins": 8, "max_source_positions": 12,
        "vocab_size": 9, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
        "num_labels": 3, "classifier_proj_size": 8,
    },
)  # fmt: skip


@pytest.mark.tracing
@pytest.mark.parametrize(
    ("kind", "shape", "shapes"),
    [
        (AST, None, {"input_values": (48, 32)}),
        (WAV2VEC2, (800,), {"input_values": (800,)}),
        (WHISPER, None, {"input_features": (8, 24)}),
    ],
    ids=["spectrogram", "wave", "whisper"],
)
def test_a_classifier_of_sounds_attaches(kind: Any, shape: Any, shapes: dict[str, Any], save: Any) -> None:
    loaded = load_model(save(*kind), shape=shape)
    assert (loaded.shapes, loaded.classes) == (shapes, 3)
    graph = attach.exits(loaded.module, loaded.example, count=1, head="pool")
    assert [node.name for node in graph.inputs] == list(shapes)


def test_waves_of_any_length_need_a_shape(save: Any) -> None:
    with pytest.raises(OptionError, match="Give the shape of a sample"):
        load_model(save(*WAV2VEC2))


@pytest.mark.parametrize(
    ("config", "model", "options"),
    [
        ("BertConfig", "BertForTokenClassification", BERT[2]),
        ("BertConfig", "BertForMaskedLM", BERT[2]),
        ("Wav2Vec2Config", "Wav2Vec2ForCTC", WAV2VEC2[2]),
        ("VideoMAEConfig", "VideoMAEForVideoClassification",
         {**SMALL, "image_size": 16, "patch_size": 8, "num_frames": 2}),
    ],
)  # fmt: skip
def test_other_tasks_are_refused_with_what_would_work(
    config: str, model: str, options: dict[str, Any], save: Any
) -> None:
    with pytest.raises(UnknownReference, match=rf"image, sequence or audio classification .*\['{model}'\]"):
        load_model(save(config, model, options))
