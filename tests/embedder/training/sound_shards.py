"""A shard of sounds with captions and of plain pictures, made here: pairs that can be learnt."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from embedder.media import Audio
from tests.samples import audio_bytes, image_bytes, picture

RATE = 16_000
NAMES = (
    *("cello", "bassoon", "whale", "tuba", "drum", "bear", "horn", "lion", "goat", "cow", "dog"),
    *("cat", "crow", "violin", "flute", "bird", "whistle", "kettle", "cricket", "mouse", "alarm"),
    *("bell", "siren", "laser"),
)
"""Four of each pitch, from the lowest to the highest."""


def write_sounds(folder: Path, clips: int = 8) -> Path:
    """Writes a shard with so many clips and one picture of each name; returns the folder."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(5)
    rows = [
        _row(f"{name}-{i}", "audio", "wav", audio_bytes(sound(place, random)), name)
        for place, name in enumerate(NAMES)
        for i in range(clips)
    ]
    rows += [
        _row(f"photo-{name}", "image", "png", image_bytes(picture("red", (20 + i, 20))), name)
        for i, name in enumerate(NAMES)
    ]
    pq.write_table(pa.Table.from_pylist(rows), folder / "tones-000.parquet")
    return folder


def sound(place: int, random: np.random.Generator) -> Audio:
    """Returns a sound of the name at this place: one of six pitches in one of four patterns."""
    pitch, pattern = divmod(place, 4)
    hertz = 200 * 2**pitch * random.uniform(0.98, 1.02)
    time = np.arange(round(random.uniform(1.0, 2.5) * RATE)) / RATE
    wave = np.sin(2 * np.pi * min(hertz, 6_500) * time)
    steady = np.ones_like(time)
    pulses = 0.5 + 0.5 * np.sin(16 * np.pi * time)
    beat = (steady, pulses, np.exp(-20 * (time % 0.33)), random.normal(0, 1, time.size))
    noisy = random.uniform(0.2, 0.6) * wave * beat[pattern] + random.normal(0, 0.005, time.size)
    return Audio(noisy.clip(-1, 1).astype(np.float32)[None], RATE)


def _row(key: str, modality: str, format: str, media: bytes, name: str) -> dict[str, object]:
    return {
        "key": key,
        "modality": modality,
        "format": format,
        "media": media,
        "dataset": "tones",
        "label": name,
        "captions": [f"the sound of a {name}"],
        "synonyms": "",
        "fold": None,
        "licence": "CC0-1.0",
        "tier": "open",
    }
