"""Vectors as a CLIP-like model makes them, for collections larger than any set of media at hand.

What makes search across modalities hard is the geometry that Liang et al. (Mind the Gap, 2022)
describe: every modality lies in a narrow cone of its own, a text's best picture is hardly nearer
than a chance one, and only part of what places a picture is something that words can say. So a
vector here is the unit vector along

    centre of its modality + sqrt(SHARED) * f(z) + sqrt(PRIVATE) * g_modality(w)

z: 12 numbers that the matched text, picture and sound have in common; w: 14 that the modality
keeps to itself; f and g: smooth curved maps into the space. `statistics` says how near that comes
to CLIP; so that readers can judge, every run prints it.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import track

Rows = NDArray[np.float32]
"""float32, shape (n, dim), unit rows."""

Halves = NDArray[np.float16]
"""The same as they are kept on disk; `widened` makes them unit rows again."""

MODALITIES = ("image", "audio", "text")
SHARED, PRIVATE = 0.12, 0.36
COMMON_CENTRE, OWN_CENTRE = 0.227, 0.299
"""Squared lengths of the part of a centre that all modalities share, and of its own part."""

_BLOCK = 16_384
_WAVES = 48
_CURVED = 0.4
_FREQUENCY = 0.42

_QUERIES_PART = 1_000_000
"""Number of the draw that queries come from; no file of rows is that long."""


class _Smooth:
    """A curved map of latents into the space, of mean 0 and mean squared length about 1."""

    def __init__(self, rng: np.random.Generator, latents: int, decay: float, dim: int) -> None:
        spread = decay ** np.arange(latents)
        self._spread = spread / np.linalg.norm(spread)
        self._axes = _orthonormal(rng, latents, dim)
        self._frequencies = _FREQUENCY * rng.standard_normal((latents, _WAVES))
        self._phases = rng.uniform(0, 2 * np.pi, _WAVES)
        self._waves = _orthonormal(rng, _WAVES, dim) * np.sqrt(2 / _WAVES)

    def __call__(self, latents: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns shape (n, dim) of latents, shape (n, latents)."""
        damping = np.exp(-np.square(self._frequencies).sum(0) / 2)
        curved = np.sin(latents @ self._frequencies + self._phases)
        curved -= np.sin(self._phases) * damping  # their mean over standard normal latents
        straight = (latents * self._spread) @ self._axes
        mapped: NDArray[np.float64] = (
            np.sqrt(1 - _CURVED) * straight + np.sqrt(_CURVED) * curved @ self._waves
        )
        return mapped


class Space:
    """Three modalities of one space; the same seed makes the same vectors at every size."""

    def __init__(self, dim: int = 512, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.dim, self.seed = dim, seed
        common, *own = _orthonormal(rng, 1 + len(MODALITIES), dim)
        self._shared = _Smooth(rng, 12, 0.82, dim)
        self._centres = {
            name: np.sqrt(COMMON_CENTRE) * common + np.sqrt(OWN_CENTRE) * axis
            for name, axis in zip(MODALITIES, own, strict=True)
        }
        self._private = {name: _Smooth(rng, 14, 0.87, dim) for name in MODALITIES}

    def rows(self, modality: str, count: int, part: int, *, matched: str = "") -> Rows:
        """Returns `count` rows of a modality; `part` numbers the draw.

        Args:
            modality: One of `MODALITIES`.
            count: How many rows.
            part: Which draw.
            matched: The modality whose draw of this number these are the matches of.
        """
        drawn = np.random.default_rng([self.seed, MODALITIES.index(matched or modality), part])
        shared = drawn.standard_normal((count, 12))
        if matched:
            drawn = np.random.default_rng([self.seed, 9, MODALITIES.index(modality), part])
        private = drawn.standard_normal((count, 14))
        rows = self._centres[modality] + np.sqrt(SHARED) * self._shared(shared)
        rows += np.sqrt(PRIVATE) * self._private[modality](private)
        return _unit(rows)

    def write(self, modality: str, count: int, path: Path) -> None:
        """Writes `count` rows of a modality to an .npy file as float16, block by block."""
        file = np.lib.format.open_memmap(path, "w+", np.float16, (count, self.dim))
        for part in track(range(-(-count // _BLOCK)), f"making {count:,} {modality} vectors"):
            rows = self.rows(modality, _BLOCK, part)
            start = part * _BLOCK
            file[start : start + _BLOCK] = rows[: count - start]
        file.flush()


@dataclass(frozen=True, slots=True)
class Vectors:
    """What may be stored, and what is asked.

    Attributes:
        files: An .npy file of float16 rows for each stored modality.
        queries: Rows to ask with, by their modality; none of them is stored.
        practice: Others like them, to ask before anything is measured.
    """

    files: dict[str, Path]
    queries: dict[str, Rows]
    practice: dict[str, Rows]

    def rows(self, modality: str) -> Halves:
        """Returns the rows of a modality, mapped from disk."""
        return _mapped(self.files[modality])


@cache  # to map a file for each row that is added would take longer than to add it
def _mapped(path: Path) -> Halves:
    rows: Halves = np.load(path, mmap_mode="r")
    return rows


def synthetic(folder: Path, sizes: dict[str, int], queries: int, dim: int = 512) -> Vectors:
    """Writes rows of each modality to the folder, unless they are there, and returns them.

    Args:
        folder: Where to write.
        sizes: How many rows of each modality.
        queries: How many texts and how many images to ask with, and so many to practise with.
        dim: Length of a vector.
    """
    space = Space(dim)
    files = {name: folder / f"{name}-{count}x{dim}.npy" for name, count in sizes.items()}
    for modality, path in files.items():
        if not path.exists():
            partial = path.with_suffix(".partial")
            space.write(modality, sizes[modality], partial)
            partial.replace(path)
    asked = {name: space.rows(name, 2 * queries, _QUERIES_PART) for name in ("text", "image")}
    return _parted(files, asked, queries)


def matched_cosine(dim: int, pairs: int = 2_000) -> float:
    """Returns the mean cosine of synthetic texts and the images that they describe."""
    space = Space(dim)
    texts = space.rows("text", pairs, _QUERIES_PART)
    images = space.rows("image", pairs, _QUERIES_PART, matched="text")
    return float(np.einsum("ij,ij->i", texts, images).mean())


def real(path: Path, folder: Path, queries: int) -> Vectors:
    """Returns the vectors of an .npz file with arrays "image" and "audio", and "text" to ask with.

    The last images are taken out to be asked with.

    Raises:
        SystemExit: If an array is missing.
    """
    with np.load(path) as arrays:
        missing = set(MODALITIES) - set(arrays)
        if missing:
            raise SystemExit(f"{path} must hold arrays {MODALITIES}, it misses {missing}")
        rows = {name: _unit(arrays[name]) for name in MODALITIES}
    asked = {"text": rows["text"][: 2 * queries], "image": rows["image"][-2 * queries :]}
    rows["image"] = rows["image"][: -2 * queries]
    files = {name: folder / f"real-{name}.npy" for name in ("image", "audio")}
    for modality, file in files.items():
        np.save(file, rows[modality].astype(np.float16))
    return _parted(files, asked, queries)


def widened(rows: Halves) -> Rows:
    """Returns stored rows as every engine gets them: float32, of unit norm."""
    return _unit(rows.astype(np.float32))


def _parted(files: dict[str, Path], asked: dict[str, Rows], queries: int) -> Vectors:
    measured = {name: rows[:queries] for name, rows in asked.items()}
    return Vectors(files, measured, {name: rows[queries:] for name, rows in asked.items()})


def _orthonormal(rng: np.random.Generator, count: int, dim: int) -> NDArray[np.float64]:
    """Returns random orthonormal rows, as many as fit; any further ones are merely unit rows."""
    columns = rng.standard_normal((dim, count))
    return np.asarray(np.linalg.qr(columns)[0].T if count <= dim else _unit(columns.T))


def _unit(rows: NDArray[np.floating]) -> Rows:
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    return np.ascontiguousarray(rows / norms[:, None], dtype=np.float32)
