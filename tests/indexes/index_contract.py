"""What every index promises; a subclass says how to make an empty one."""

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexes.base import Index
from indexes.errors import InvalidVector, StorageError
from tests.indexes.samples import nearest, unit_rows

DIM = 24


class IndexContract(ABC):
    @abstractmethod
    def empty(self, dim: int) -> Index:
        """Returns an index without rows."""

    def filled(self, n: int, seed: int = 1) -> Index:
        return self.empty(DIM).add(np.arange(1, n + 1), unit_rows(n, DIM, seed))

    @pytest.mark.parametrize("k", [1, 10, 150])
    def test_finds_what_exact_search_finds(self, k: int) -> None:
        keys, vectors, queries = (
            np.arange(7, 3_007),
            unit_rows(3_000, DIM, 2),
            unit_rows(40, DIM, 3),
        )
        found = self.empty(DIM).add(keys, vectors).search(queries, k)
        expected, scores = nearest(queries, keys, vectors, k)
        np.testing.assert_array_equal(found.keys, expected)
        np.testing.assert_allclose(found.scores, scores, atol=1e-6)
        assert found.keys.dtype == np.int64
        assert found.scores.dtype == np.float32

    def test_a_batch_scores_bit_for_bit_like_single_queries(self) -> None:
        index, queries = self.filled(2_000), unit_rows(50, DIM, 4)
        together = index.search(queries, 12)
        for i, query in enumerate(queries):
            alone = index.search(query[None], 12)
            np.testing.assert_array_equal(alone.keys[0], together.keys[i])
            np.testing.assert_array_equal(alone.scores[0], together.scores[i])

    def test_fills_up_with_minus_one_when_fewer_are_found(self) -> None:
        query = unit_rows(1, DIM, 5)
        found = self.filled(3).search(query, 5)
        assert found.keys[0, 3:].tolist() == [-1, -1]
        assert found.scores[0, 3:].tolist() == [-np.inf, -np.inf]
        assert self.empty(DIM).search(query, 2).keys.tolist() == [[-1, -1]]

    @pytest.mark.parametrize("share", [0.001, 0.01, 0.3, 1.0])
    def test_searches_among_the_allowed_keys_only(self, share: float) -> None:
        keys, vectors, queries = np.arange(1, 3_001), unit_rows(3_000, DIM, 6), unit_rows(5, DIM, 7)
        index = self.empty(DIM).add(keys, vectors).remove(keys[::5])
        chosen = np.sort(np.random.default_rng(8).choice(keys, int(3_000 * share), replace=False))
        live = chosen[(chosen - 1) % 5 != 0]
        unknown = np.array([5_000, 6_000])
        found = index.search(queries, 4, allowed=np.concatenate([chosen, unknown]))
        expected, _ = nearest(queries, live, vectors[live - 1], 4)
        np.testing.assert_array_equal(found.keys[:, : expected.shape[1]], expected)
        assert (found.keys[:, expected.shape[1] :] == -1).all()

    @pytest.mark.parametrize("n", [400, 3_000])
    @pytest.mark.parametrize("k", [1, 5, 99, 150, 400])
    def test_equal_scores_come_in_order_of_their_keys(self, n: int, k: int) -> None:
        few, which = unit_rows(5, DIM, 9), np.random.default_rng(9).integers(0, 5, n)
        keys = np.arange(1, n + 1)
        index = self.empty(DIM).add(keys, few[which])
        every = index.search(few[:1], n)
        scores = np.empty(n, np.float32)
        scores[every.keys[0] - 1] = every.scores[0]
        assert len(set(scores.tolist())) == 5
        expected = keys[np.lexsort((keys, -scores))][:k]
        assert index.search(few[:1], k).keys[0].tolist() == expected.tolist()

    @pytest.mark.parametrize("n", [30, 300])
    def test_a_version_is_left_as_it_was_by_later_ones(self, n: int) -> None:
        vectors, query = unit_rows(2 * n, DIM, 10), unit_rows(1, DIM, 11)
        first = self.empty(DIM).add(np.arange(1, n + 1), vectors[:n])
        before = first.search(query, n)
        second = first.add(np.arange(n + 1, 2 * n + 1), vectors[n:]).remove(np.arange(1, n - 9))
        other = first.add(np.array([n + 1]), vectors[-1:])  # as after a commit that failed
        for version, keys, rows in (
            (first, np.arange(1, n + 1), vectors[:n]),
            (second, np.arange(n - 9, 2 * n + 1), vectors[n - 10 :]),
            (other, np.arange(1, n + 2), np.concatenate([vectors[:n], vectors[-1:]])),
        ):
            expected, _ = nearest(query, keys, rows, len(keys))
            np.testing.assert_array_equal(version.search(query, len(keys)).keys, expected)
            assert len(version) == len(keys)
        after = first.search(query, n)
        np.testing.assert_array_equal(before.scores, after.scores)

    @settings(max_examples=40, deadline=None)
    @given(st.data())
    def test_agrees_with_a_dictionary_after_any_changes(self, data: st.DataObject) -> None:
        model: dict[int, int] = {}
        pool, index, newest = unit_rows(400, DIM, 12), self.empty(DIM), 0
        for _ in range(data.draw(st.integers(1, 8))):
            removes: bool = data.draw(st.booleans())
            if model and removes:
                gone: set[int] = data.draw(st.sets(st.integers(1, newest + 3)))
                index = index.remove(np.array(sorted(gone), dtype=np.int64))
                model = {key: row for key, row in model.items() if key not in gone}
            else:
                steps: list[int] = data.draw(st.lists(st.integers(1, 3), max_size=60))
                keys = newest + np.cumsum(steps, dtype=np.int64)
                index = index.add(keys, pool[keys])
                model |= {int(key): int(key) for key in keys}
                newest = int(keys[-1]) if len(keys) else newest
        query = pool[:1]
        expected, _ = nearest(query, np.array(list(model), np.int64), pool[list(model)], 30)
        found = index.search(query, 30).keys[0]
        assert found[found >= 0].tolist() == expected[0].tolist()
        assert index.keys().tolist() == list(model)
        assert len(index) == len(model)

    def test_saves_and_loads_bit_for_bit(self, tmp_path: Path) -> None:
        index, query = self.filled(500).remove(np.arange(10, 60)), unit_rows(2, DIM, 13)
        index.save(tmp_path / "index")
        loaded = type(index).load(tmp_path / "index")
        before, after = index.search(query, 20), loaded.search(query, 20)
        np.testing.assert_array_equal(before.keys, after.keys)
        np.testing.assert_array_equal(before.scores, after.scores)
        assert [path.name for path in tmp_path.iterdir()] == ["index"]

    def test_every_flipped_byte_of_a_file_is_noticed(self, tmp_path: Path) -> None:
        path, query = tmp_path / "index", unit_rows(1, DIM, 14)
        index = self.filled(20)
        index.save(path)
        good, before = path.read_bytes(), index.search(query, 20).scores
        for place in range(0, len(good), 37):
            path.write_bytes(good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :])
            try:
                loaded = type(index).load(path)
            except StorageError:
                continue
            # A byte that carries nothing, such as the time in an archive, may change.
            np.testing.assert_array_equal(loaded.search(query, 20).scores, before)

    def test_a_file_cut_short_or_missing_is_refused(self, tmp_path: Path) -> None:
        index = self.filled(20)
        index.save(tmp_path / "index")
        data = (tmp_path / "index").read_bytes()
        (tmp_path / "index").write_bytes(data[: len(data) // 2])
        for name in ("index", "none"):
            with pytest.raises(StorageError):
                type(index).load(tmp_path / name)

    def test_refuses_vectors_of_another_shape_and_keys_out_of_order(self) -> None:
        index = self.filled(5)
        with pytest.raises(InvalidVector, match=r"\(1, 24\)"):
            index.add(np.array([6]), unit_rows(1, DIM + 1, 1))
        with pytest.raises(InvalidVector):
            index.search(unit_rows(1, DIM - 1, 1), 1)
        for keys in ([5], [7, 6], [8, 8]):
            with pytest.raises(ValueError, match="increase"):
                index.add(np.array(keys), unit_rows(len(keys), DIM, 1))

    def test_a_removed_key_is_not_used_again(self) -> None:
        index = self.filled(5).remove(np.arange(1, 6))
        with pytest.raises(ValueError, match="larger than 5"):
            index.add(np.array([5]), unit_rows(1, DIM, 1))

    def test_threads_search_while_one_adds(self) -> None:
        vectors, query = unit_rows(4_000, DIM, 15), unit_rows(1, DIM, 16)
        versions = [self.empty(DIM)]

        def grow() -> None:
            for start in range(0, 4_000, 50):
                keys = np.arange(start + 1, start + 51)
                versions.append(versions[-1].add(keys, vectors[start : start + 50]))

        def look() -> None:
            while len(versions) <= 80:
                version = versions[-1]
                n = len(version)
                expected, _ = nearest(query, np.arange(1, n + 1), vectors[:n], 3)
                found = version.search(query, 3).keys[0]
                assert found[found >= 0].tolist() == expected[0].tolist()

        with ThreadPoolExecutor(4) as pool:
            for done in [*(pool.submit(look) for _ in range(3)), pool.submit(grow)]:
                done.result()
