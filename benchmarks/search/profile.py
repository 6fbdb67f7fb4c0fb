"""What the vectors are like, beside what is known of CLIP's."""

import numpy as np

from benchmarks.search.data import Rows, Vectors, widened
from benchmarks.search.truth import exact

_GAP = "distance of the centres of texts and images"
_LOCAL = "local dimension of images (MLE, 20 nearest)"

KNOWN = {
    "item-item cosine, mean": "0.50-0.60",
    _GAP: "0.8",
    "random text-image cosine, mean": "0.2",
    "random text-image cosine, std": "0.03",
    "matched text-image cosine": "0.25-0.35",
    "1st / 10th nearest of a text": "0.3-0.4",
    "1st / 10th nearest of an image": "0.8-0.9",
    _LOCAL: "15-25",
    "dimensions for 90 % of the variance": "-",
}
"""Statistics by name, with what the literature reports of CLIP."""

_SAMPLE = 4_000


def profile(vectors: Vectors, count: int) -> dict[str, str]:
    """Returns the statistics of the first `count` images and of the queries."""
    rows = vectors.rows("image")[:count]
    images, texts = widened(rows[:_SAMPLE]), vectors.queries["text"]
    random = texts @ images.T
    of_text = exact(texts, rows, k=10).scores.mean(0)
    of_image = exact(vectors.queries["image"], rows, k=20).scores
    near = of_image.mean(0)
    return {
        "item-item cosine, mean": f"{(images[::2] @ images[1::2].T).mean():.3f}",
        _GAP: f"{np.linalg.norm(texts.mean(0) - images.mean(0)):.3f}",
        "random text-image cosine, mean": f"{random.mean():.3f}",
        "random text-image cosine, std": f"{random.std():.3f}",
        "1st / 10th nearest of a text": f"{of_text[0]:.3f} / {of_text[9]:.3f}",
        "1st / 10th nearest of an image": f"{near[0]:.3f} / {near[9]:.3f}",
        _LOCAL: f"{_local_dimension(of_image):.1f}",
        "dimensions for 90 % of the variance": str(_dimensions(images)),
    }


def _local_dimension(scores: Rows) -> float:
    """Returns Levina and Bickel's estimate (2004) from the nearest cosines, shape (n, nearest)."""
    distances = np.sqrt(np.maximum(2 - 2 * scores.astype(np.float64), 1e-12))
    return float(1 / np.log(distances[:, -1:] / distances[:, :-1]).mean())


def _dimensions(rows: Rows) -> int:
    variances = np.linalg.eigvalsh(np.cov(rows.T))[::-1]
    return int(np.searchsorted(np.cumsum(variances) / variances.sum(), 0.9)) + 1
