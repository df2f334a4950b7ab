"""Classifiers from a local folder in the form of Hugging Face."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from offramp.capture import other_floats, warn_of_floats
from offramp.data import check_vision, import_extra
from offramp.errors import UnknownReference, WeightsError

from ._sources import Arguments, Source

AUDIO = "AutoModelForAudioClassification"
TASKS = {  # ending of the architecture in config.json -> the class that loads it
    "ForImageClassification": "AutoModelForImageClassification",
    "ForSequenceClassification": "AutoModelForSequenceClassification",
    "ForAudioClassification": AUDIO,
}
TOKENS = 128  # length of a text unless asked otherwise


def from_huggingface(place: str, arguments: Arguments) -> Source:
    """The classifier in a folder, with its weights; nothing is downloaded and no code of the folder runs.

    Args:
        place: Path of a folder with `config.json` and `model.safetensors`, as `save_pretrained` writes it.
        arguments: Entries of the configuration to replace.

    Returns:
        The network in float32, with the shapes, mean, std and class names that its folder declares.

    Raises:
        UnknownReference: No such folder, or not a classifier of images, texts or sounds.
        WeightsError: Weights are absent or do not fit the configuration.
        MissingExtra: transformers is not installed.
    """
    folder = Path(place)
    if not (folder / "config.json").is_file():
        raise UnknownReference(f"hf needs a local folder with config.json, but {place} is none. Use save_pretrained.")
    transformers = import_extra("transformers", "text")
    check_vision()  # transformers imports it wherever it is installed, and fails far from the reason
    config = _read_config(transformers, folder, arguments)
    loader = getattr(transformers, _loader_name(transformers, config, place))
    module = _in_float32(_load(loader, folder, config), place)
    if loader is transformers.AutoModelForSequenceClassification:
        return _text_source(module, config)
    if loader is transformers.AutoModelForAudioClassification:
        return _sound_source(module, config)
    return _picture_source(module, config, _read_processor(folder))


def _read_config(transformers: Any, folder: Path, arguments: Arguments) -> Any:  # Any: transformers has no types
    try:
        return transformers.AutoConfig.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False, **arguments
        )
    except (OSError, ValueError, KeyError) as error:
        raise UnknownReference(
            f"{folder}/config.json must be a configuration that transformers knows, but: {_first_line(error)}. "
            "Save it again."
        ) from error


def _loader_name(transformers: Any, config: Any, place: str) -> str:  # Any: as above
    names = list(config.architectures or [])
    for ending, loader in TASKS.items():
        if any(name.endswith(ending) for name in names):
            # families for sounds name their classifiers so too
            return AUDIO if type(config) in transformers.MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING else loader
    raise UnknownReference(
        f"{place} must be a model for image, sequence or audio classification (architectures "
        f"{', '.join(f'*{ending}' for ending in TASKS)}), but is {names}. Save a classifier, or load it from code."
    )


def _load(loader: Any, folder: Path, config: Any) -> Any:  # Any: as above
    try:
        with _no_progress_bar():
            module, report = loader.from_pretrained(
                str(folder), config=config, local_files_only=True, trust_remote_code=False, output_loading_info=True
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise WeightsError(
            f"{folder} must hold the weights of its configuration, but: {_first_line(error)}. Save them again."
        ) from error
    missing = sorted(report["missing_keys"])
    if missing:  # transformers would fill them at random and only log a warning
        raise WeightsError(
            f"{folder} must hold all weights, but lacks {len(missing)}, such as {missing[0]}. "
            "Save the fine-tuned classifier, not its backbone."
        )
    return module


def _in_float32(module: Any, place: str) -> Any:  # Any: as above
    """The model; weights that are stored in 16 bits are the same numbers in 32."""
    kinds = other_floats(module)
    warn_of_floats(f"hf:{place}", kinds)
    return module.float() if kinds else module


@contextmanager
def _no_progress_bar() -> Iterator[None]:
    """A classifier loads in less time than its bar takes to read."""
    logging = import_extra("transformers.utils.logging", "text")
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _text_source(module: Any, config: Any) -> Source:  # Any: as above
    length = min(TOKENS, getattr(config, "max_position_embeddings", TOKENS))  # some families have no limit
    return Source(
        module=module,
        shapes={"input_ids": (length,), "attention_mask": (length,)},
        vocabulary=config.vocab_size,
        class_names=_class_names(config),
    )


def _sound_source(module: Any, config: Any) -> Source:  # Any: as above
    """Spectrograms of a fixed size, or waves of any length."""
    shape: tuple[int, ...] = ()
    if config.model_type == "audio-spectrogram-transformer":
        shape = config.max_length, config.num_mel_bins
    if config.model_type == "whisper":
        shape = config.num_mel_bins, 2 * config.max_source_positions
    return Source(module=module, shapes={module.main_input_name: shape})


def _picture_source(module: Any, config: Any, processor: dict[str, Any]) -> Source:  # Any: as above; JSON
    channels = getattr(config, "num_channels", 3)  # some families know color only
    size = _picture_size(config, processor)
    mean, std = _normalization(processor, channels)
    return Source(
        module=module,
        shapes={"pixel_values": (channels, *size) if size else ()},
        mean=mean,
        std=std,
        class_names=_class_names(config),
    )


def _class_names(config: Any) -> tuple[str, ...] | None:  # Any: as above
    """The configuration's names of the outputs; None for LABEL_0 and the like, and if two are equal."""
    given = {int(at): str(name).strip() for at, name in (getattr(config, "id2label", None) or {}).items()}
    names = tuple(given.get(at, "") for at in range(len(given)))
    if not all(names) or len(set(names)) < len(names) or any(re.fullmatch(r"LABEL_\d+", name) for name in names):
        return None
    return names or None


def _picture_size(config: Any, processor: dict[str, Any]) -> tuple[int, int] | None:  # Any: as above
    fixed = getattr(config, "image_size", None)  # convolutional families take any size
    sizes: list[Any] = [fixed, processor.get("crop_size"), processor.get("size")]  # Any: JSON
    for size in sizes:
        if isinstance(size, int):
            return size, size
        if isinstance(size, (list, tuple)):
            return int(size[0]), int(size[1])
        if isinstance(size, dict) and (edge := size.get("height", size.get("shortest_edge"))):
            return int(edge), int(size.get("width") or edge)
    return None


def _normalization(
    processor: dict[str, Any],
    channels: int,  # Any: JSON
) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Mean and std for pixels in [0, 1], from rules that start at pixels in 0 .. 255.

    (255 x f - m) / s = (x - m / 255f) / (s / 255f) with f the processor's rescale factor.
    """
    if not processor or processor.get("rescale_offset"):
        return None, None
    scale = 255 * (processor.get("rescale_factor", 1 / 255) if processor.get("do_rescale", True) else 1.0)
    normalizes = processor.get("do_normalize", True) and "image_mean" in processor
    mean = processor["image_mean"] if normalizes else [0.0] * channels
    std = processor["image_std"] if normalizes else [1.0] * channels
    return tuple(float(m) / scale for m in mean), tuple(float(s) / scale for s in std)


def _read_processor(folder: Path) -> dict[str, Any]:  # Any: JSON
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise UnknownReference(f"{path} must be JSON, but is not: {error}. Save it again.") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", maxsplit=1)[0].rstrip(".")
