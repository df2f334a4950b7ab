"""Samples are known by what they hold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from offramp.data import fingerprint, first_of_each, load
from offramp.errors import DataError
from offramp.run import ArraySamples


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (150, 6, 5, 3), np.uint8)


def test_a_copy_is_known_under_another_name_in_another_form_and_in_another_kind_of_set(
    tmp_path: Path, pixels: np.ndarray
) -> None:
    for at, one in enumerate(pixels):
        write(tmp_path / "png" / f"{at:03}.png", one)
        write(tmp_path / "bmp" / f"copy-{at:03}.bmp", one)  # another file of the same pixels
    np.savez(tmp_path / "bytes.npz", x=pixels)
    np.savez(tmp_path / "floats.npz", x=pixels.transpose(0, 3, 1, 2) / np.float32(255))
    sets = [f"imagefolder:{tmp_path / 'png'}", f"imagefolder:{tmp_path / 'bmp'}"]
    sets += [f"npz:{tmp_path / 'bytes.npz'}", f"npz:{tmp_path / 'floats.npz'}"]
    found = [fingerprint(load(one)).tolist() for one in sets]
    assert len(set(found[0])) == 150
    assert all(one == found[0] for one in found)


def test_equal_names_of_different_pictures_are_different(tmp_path: Path, pixels: np.ndarray) -> None:
    for at, folder in enumerate(("a/val", "b/val")):
        write(tmp_path / folder / "1.png", pixels[at])
    one, other = (load(f"imagefolder:{tmp_path / folder}") for folder in ("a/val", "b/val"))
    assert one.ids.tolist() == other.ids.tolist()
    assert fingerprint(one) != fingerprint(other)


def test_repeats_are_counted_once_in_order() -> None:
    rows = np.array([[3.0], [1.0], [3.0], [2.0], [1.0]])
    samples = ArraySamples(inputs={"x": rows}, ids=np.array(list("abcde")))
    assert first_of_each(fingerprint(samples)).tolist() == [0, 1, 3]


def test_all_inputs_count() -> None:
    tokens, mask = np.array([[1, 2], [1, 2]]), np.array([[1, 1], [1, 0]])
    samples = ArraySamples(inputs={"input_ids": tokens, "attention_mask": mask}, ids=np.array(["a", "b"]))
    assert len(set(fingerprint(samples).tolist())) == 2


def test_no_samples_have_no_contents() -> None:
    assert fingerprint(ArraySamples(inputs={"x": np.zeros((0, 3))}, ids=np.zeros(0, np.str_))).tolist() == []


@pytest.mark.parametrize("broken", [[70], [3, 70, 149]])
def test_every_broken_file_is_found_and_the_first_is_named(
    tmp_path: Path, pixels: np.ndarray, broken: list[int]
) -> None:
    for at, one in enumerate(pixels):
        write(tmp_path / f"{at:03}.png", one)
    for at in broken:
        path = tmp_path / f"{at:03}.png"
        path.write_bytes(path.read_bytes()[:60])  # the head is whole, the pixels are not
    with pytest.raises(DataError, match=rf"{broken[0]:03}\.png must be a whole picture") as caught:
        fingerprint(load(f"imagefolder:{tmp_path}"))
    assert ("2 more cannot be read" in str(caught.value)) == (len(broken) == 3)


def test_bad_rows_of_an_array_on_disk_are_found(tmp_path: Path) -> None:
    rows = np.ones((200, 4), np.float32)
    rows[123, 2] = np.nan
    np.save(tmp_path / "rows.npy", rows)
    with pytest.raises(DataError, match="sample 123 has NaN"):
        fingerprint(load(f"npy:{tmp_path / 'rows.npy'}"))


def test_a_meter_sees_every_sample(pixels: np.ndarray) -> None:
    seen: list[int] = []

    def meter(chunks: Iterable[range], total: int, text: str) -> Iterator[range]:
        seen.append(-total)
        for chunk in chunks:
            yield chunk
            seen.append(len(chunk))

    samples = ArraySamples(inputs={"x": pixels}, ids=np.array([f"s/{at}" for at in range(150)]))
    fingerprint(samples, meter=meter)
    assert sum(seen) == 0
    assert len(seen) > 2
