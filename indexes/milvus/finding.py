"""Searching the tables of a collection on Milvus, and ranking what they find."""

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from indexes.collection import Answer, Hit, SearchRequest
from indexes.derived import scan
from indexes.filters.language import Filter
from indexes.filters.matching import matches
from indexes.milvus.cluster import Cluster
from indexes.milvus.expressions import Expression, expression
from indexes.milvus.rows import Row
from indexes.milvus.survey import Survey, Surveys
from indexes.milvus.table import Nearest, Table, place
from indexes.milvus.tables import Tables
from indexes.ranking import (
    FEWEST_ITEMS,
    Background,
    Calibration,
    Candidates,
    bulk,
    rank,
    usual_ranking,
)
from indexes.windows import Window

_NOTHING = Nearest([], np.empty(0, np.float32), exact=True)


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """What one table has to offer."""

    modality: str
    nearest: Nearest
    background: Background
    population: int


class Finder:
    """Answers searches, from any number of threads.

    Args:
        cluster: Where the tables are.
        tables: What is searched.
        surveys: What calibration knows of them.
        calibration: Learns from every search.
    """

    def __init__(
        self, cluster: Cluster, tables: Tables, surveys: Surveys, calibration: Calibration
    ) -> None:
        self._cluster = cluster
        self._tables = tables
        self._surveys = surveys
        self._calibration = calibration

    def search(self, request: SearchRequest, index: str) -> Answer:
        """Returns the items nearest to the request's vector."""
        width = min(request.k, request.k_per_modality or request.k)
        twins = 0
        while True:
            found = self._found(request, width + twins)
            rows = without_twins(row for one in found for row in one.nearest.rows)
            dropped = sum(len(one.nearest.rows) for one in found) - len(rows)
            if dropped <= twins:
                break
            twins = dropped
        keys = {id(row): key for key, row in enumerate(rows)}
        groups = [_candidates(one, keys, width, request.min_score) for one in found]
        ranking = request.ranking or usual_ranking(groups)
        ranked = rank(groups, ranking, request.k)
        at = self._moments([rows[hit.key] for hit in ranked], request)
        hits = tuple(
            Hit.of(one, item, item.vector if request.include_vectors else None, at.get(item.id))
            for one, item in ((one, rows[one.key].item) for one in ranked)
        )
        return Answer(hits, ranking, all(one.nearest.exact for one in found), index)

    def searched(
        self, modalities: Iterable[str], condition: Filter
    ) -> list[tuple[Table, Expression]]:
        """Returns the tables that may hold answers, and what to ask each of them for."""
        chosen = set(modalities)
        return [
            (table, expression(condition, table.modality))
            for table in self._tables.present()
            if not chosen or table.modality in chosen
        ]

    def _moments(self, rows: Iterable[Row], request: SearchRequest) -> dict[str, Window]:
        """Returns which window is nearest, by id, of each item that is kept with any."""
        kept = {row.item.id: row.kept for row in rows if row.kept and row.kept.windows}
        media = self._tables.media(make=False) if kept else None
        if media is None:
            return {}
        found = zip(kept, self._cluster.each(media.windows, list(kept.values())), strict=True)
        return {one: windows.best(request.vector) for one, windows in found if windows}

    def _found(self, request: SearchRequest, width: int) -> list[_Found]:
        def search(searched: tuple[Table, Expression]) -> _Found | None:
            table, said = searched
            survey = self._surveys.of(table)
            if not survey.population:
                return None
            nearest = _NOTHING
            if said is not False:
                nearest = table.nearest(
                    request.vector,
                    width,
                    as_text(said),
                    lambda item: matches(request.filter, item),
                    exact=request.exact,
                )
            background = self._background(request, table.modality, survey)
            return _Found(table.modality, nearest, background, survey.population)

        tables = self.searched(request.modalities, request.filter)
        return [one for one in self._cluster.each(search, tables) if one is not None]

    def _background(self, request: SearchRequest, modality: str, survey: Survey) -> Background:
        """Returns the pair's background, to which this query adds what it sees."""
        own = bulk(scan.best(request.vector, survey.sample, len(survey.sample)).scores)
        pair = (request.query_modality, modality)
        if survey.population >= FEWEST_ITEMS:
            self._calibration.observe(pair, own, zlib.crc32(request.vector.tobytes()))
        return self._calibration.background(pair, own)


def as_text(said: Expression) -> str:
    """Returns an expression as Milvus takes it, for which nothing is everything."""
    return said if isinstance(said, str) else ""


def without_twins(rows: Iterable[Row]) -> list[Row]:
    """Returns rows in order of storing; of those with one id the last.

    An item that is changing its modality is in two tables for a moment.
    """
    latest = {row.item.id: row for row in sorted(rows, key=place)}
    return sorted(latest.values(), key=place)


def _candidates(
    found: _Found, keys: Mapping[int, int], width: int, min_score: float | None
) -> Candidates:
    """Returns what a table found, without twins that are in another one by now."""
    good = [
        (keys[id(row)], score)
        for row, score in zip(found.nearest.rows, found.nearest.scores.tolist(), strict=True)
        if id(row) in keys and (min_score is None or score >= min_score)
    ][:width]
    return Candidates(
        found.modality,
        np.array([key for key, _ in good], dtype=np.int64),
        np.array([score for _, score in good], dtype=np.float32),
        found.background,
        found.population,
    )
