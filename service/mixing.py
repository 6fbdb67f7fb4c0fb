"""One question to a collection from several weighted parts."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embedder.media import Modality
from indexes.collection import SearchRequest
from indexes.filters.language import EVERYTHING, parse_filter
from service.batching import Encoded
from service.errors import CancelledOut, InvalidRequest
from service.messages import SearchQuery

LEAST_NORM = 1e-4
"""Below this share of the weights, what is left of the parts is rounding and not a direction."""


def mixed(parts: Sequence[Encoded], weights: Sequence[float]) -> NDArray[np.float32]:
    """Returns the weighted sum of the parts' unit vectors, made a unit vector, shape (dim,).

    Raises:
        InvalidRequest: If a weight is not finite.
        CancelledOut: If the parts add up to nothing.
    """
    for weight in weights:
        if not math.isfinite(weight):
            raise InvalidRequest(f"a weight must be finite, got {weight}")
    total = np.asarray(weights) @ np.stack([part.vector for part in parts]).astype(np.float64)
    norm, largest = float(np.linalg.norm(total)), sum(abs(weight) for weight in weights)
    if norm <= LEAST_NORM * largest:
        raise CancelledOut(
            f"the weighted parts of a query must not cancel out, got weights {list(weights)} "
            f"whose sum has norm {norm:.2g}"
        )
    return np.asarray(total / norm, dtype=np.float32)


def leading_modality(parts: Sequence[Encoded], weights: Sequence[float]) -> Modality:
    """Returns the modality that weighs most among the parts: whose cone the query lies nearest."""
    weight_of: dict[Modality, float] = {}
    for part, weight in zip(parts, weights, strict=True):
        weight_of[part.modality] = weight_of.get(part.modality, 0.0) + weight
    return max(weight_of, key=lambda modality: weight_of[modality])


def search_request(query: SearchQuery, parts: Sequence[Encoded]) -> SearchRequest:
    """Returns what a collection is asked, given the vectors of the query's parts.

    Raises:
        InvalidRequest: If a weight is not finite, or the parts add up to nothing.
        InvalidFilter: If the filter is not in the language of `indexes.filters.language`.
        InvalidQuery: If a number is out of range.
    """
    weights = [part.weight for part in query.parts]
    return SearchRequest(
        vector=mixed(parts, weights),
        query_modality=leading_modality(parts, weights),
        k=query.k,
        modalities=query.modalities,
        k_per_modality=query.k_per_modality,
        filter=EVERYTHING if query.filter is None else parse_filter(query.filter),
        min_score=query.min_score,
        ranking=query.ranking,
        include_vectors=query.with_vectors,
        exact=query.exact,
    )
