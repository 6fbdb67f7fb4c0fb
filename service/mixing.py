"""One question to a collection from several weighted parts."""

from collections.abc import Sequence

import numpy as np

from embedder.conditioning.mix import mix
from embedder.media import Modality
from indexes.collection import SearchRequest
from indexes.filters.language import EVERYTHING, parse_filter
from service.batching import Encoded
from service.messages import SearchQuery


def leading_modality(parts: Sequence[Encoded], weights: Sequence[float]) -> Modality:
    """Returns the modality that weighs most among the parts: whose cone the query lies nearest."""
    weight_of: dict[Modality, float] = {}
    for part, weight in zip(parts, weights, strict=True):
        weight_of[part.modality] = weight_of.get(part.modality, 0.0) + weight
    return max(weight_of, key=lambda modality: weight_of[modality])


def search_request(query: SearchQuery, parts: Sequence[Encoded]) -> SearchRequest:
    """Returns what a collection is asked, given the vectors of the query's parts.

    Raises:
        ConditioningError: If a weight is not finite.
        InputsCancel: If the parts add up to nothing.
        InvalidFilter: If the filter is not in the language of `indexes.filters.language`.
        InvalidQuery: If a number is out of range.
    """
    weights = [part.weight for part in query.parts]
    return SearchRequest(
        vector=mix(np.stack([part.vector for part in parts]), weights)[0],
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
