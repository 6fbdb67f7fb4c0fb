"""Reads training shards: Parquet files of labelled or captioned media.

A shard's columns: key, modality, format, media (the file's bytes), dataset, label, captions,
synonyms, fold, licence, tier, source, title, author. A folder may hold `train/`, `val/` and
`train/sound_image_pairs.csv`.
"""

import csv
import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

HELD_OUT_PER_MILLE = {"image": 100, "audio": 150}
"""Share of each labelled set kept out of training, in thousandths, by modality."""

_COLUMNS = [
    "key", "modality", "format", "dataset", "label",
    "captions", "synonyms", "fold", "licence", "tier",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class ShardItem:
    """One row of a shard, without its media."""

    key: str
    modality: str
    format: str
    dataset: str
    label: str | None
    captions: tuple[str, ...]
    synonyms: tuple[str, ...]
    fold: int | None
    licence: str
    tier: str
    shard: Path
    row: int

    @property
    def family(self) -> str:
        """Names the group of the item's shard: `photos` for photos-000, photos-001 and so on."""
        return re.sub(r"-\d+$", "", self.shard.stem)


def read_items(folder: Path, pattern: str = "*.parquet") -> list[ShardItem]:
    """Returns every row of every shard in the folder, in file and row order, without media.

    Raises:
        FileNotFoundError: If there is no shard.
    """
    items: list[ShardItem] = []
    shards = sorted(folder.glob(pattern))
    if not shards:
        raise FileNotFoundError(f"a folder of shards must have {pattern}, and {folder} has none")
    for shard in shards:
        table = pq.read_table(shard, columns=_COLUMNS)
        items += [_item(row, shard, i) for i, row in enumerate(table.to_pylist())]
    return items


def _item(row: dict[str, object], shard: Path, index: int) -> ShardItem:
    captions = row["captions"] or []
    synonyms = str(row["synonyms"] or "")
    fold = row["fold"]
    return ShardItem(
        key=str(row["key"]),
        modality=str(row["modality"]),
        format=str(row["format"]),
        dataset=str(row["dataset"]),
        label=None if row["label"] is None else str(row["label"]),
        captions=tuple(str(c) for c in captions),  # type: ignore[attr-defined]
        synonyms=tuple(s for s in synonyms.split("|") if s),
        fold=None if fold is None else int(str(fold)),
        licence=str(row["licence"]),
        tier=str(row["tier"]),
        shard=shard,
        row=index,
    )


def read_media(items: Sequence[ShardItem]) -> Iterator[bytes]:
    """Yields each item's file bytes, in the order of the items, one shard in memory at a time."""
    shard, column = None, None
    for item in items:
        if item.shard != shard:
            shard = item.shard
            column = pq.read_table(shard, columns=["media"])["media"].combine_chunks()
        assert column is not None
        yield column[item.row].as_py()


def bucket(key: str) -> int:
    """Returns a stable number in 0..999 for a key: the seed of every split here."""
    digest = hashlib.sha256(f"kindred:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 1000


def is_held_out(item: ShardItem) -> bool:
    """Tells whether an item is kept out of training.

    Flickr8k has a validation shard of its own; ESC-50 is split by fold (4 is held out while models
    are selected); of every other set a tenth of the photos and 15 % of the sounds are held out, by
    key.
    """
    if item.dataset == "flickr8k":
        return item.shard.parent.name == "val"
    if item.dataset == "esc50":
        return item.fold == 4
    return bucket(item.key) < HELD_OUT_PER_MILLE[item.modality]


def read_sound_image_pairs(folder: Path) -> list[tuple[str, str]]:
    """Returns (sound label, image key) pairs from `sound_image_pairs.csv`."""
    with (folder / "sound_image_pairs.csv").open(newline="") as file:
        return [(row["sound_label"], row["image_key"]) for row in csv.DictReader(file)]
