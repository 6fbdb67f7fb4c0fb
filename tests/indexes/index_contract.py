"""What every index promises; a subclass says how to make an empty one, and may age it.

The oracle is plain NumPy in double precision over the rows as float16 keeps them.
"""

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexes.base import Allowed, Half, Index, half
from indexes.errors import InvalidVector
from tests.indexes.samples import nearest, unit_rows

DIM = 24


def half_rows(n: int, seed: int) -> Half:
    return half(unit_rows(n, DIM, seed))


class IndexContract(ABC):
    @abstractmethod
    def empty(self, dim: int) -> Index:
        """Returns an index without rows."""

    def aged(self, index: Index) -> Index:
        """Returns the index as it may be some time later, with the same rows."""
        return index

    def filled(self, n: int, seed: int = 1) -> Index:
        return self.aged(self.empty(DIM).add(np.arange(1, n + 1), half_rows(n, seed)))

    @pytest.mark.parametrize("k", [1, 10, 150])
    def test_finds_what_exact_search_finds(self, k: int) -> None:
        keys, rows, queries = np.arange(7, 3_007), half_rows(3_000, 2), unit_rows(20, DIM, 3)
        found = self.aged(self.empty(DIM).add(keys, rows)).search(queries, k, exact=True)
        expected, scores = nearest(queries, keys, rows, k)
        np.testing.assert_array_equal(found.keys, expected)
        np.testing.assert_allclose(found.scores, scores, atol=1e-6)
        assert found.keys.dtype == np.int64
        assert found.scores.dtype == np.float32

    def test_scores_are_near_those_of_the_vectors_that_were_given(self) -> None:
        vectors, queries = unit_rows(500, DIM, 2), unit_rows(20, DIM, 3)
        found = self.filled(500, 2).search(queries, 500, exact=True)
        given_scores = np.einsum("qd,qkd->qk", queries, vectors[found.keys - 1])
        np.testing.assert_allclose(found.scores, given_scores, atol=1e-3)

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

    @pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.1, 0.3, 0.8, 1.0])
    def test_searches_among_the_allowed_keys_only(self, share: float) -> None:
        keys, rows, queries = np.arange(1, 3_001), half_rows(3_000, 6), unit_rows(5, DIM, 7)
        index = self.aged(self.empty(DIM).add(keys, rows)).remove(keys[::5])
        chosen = np.sort(np.random.default_rng(8).choice(keys, int(3_000 * share), replace=False))
        live = chosen[(chosen - 1) % 5 != 0]
        allowed = Allowed(np.concatenate([chosen, [5_000, 6_000]]))
        every = index.search(queries, 3_000, exact=True)
        for _ in range(2):  # the second time, the rows are known
            found = index.search(queries, 4, allowed=allowed, exact=True)
            expected, _ = nearest(queries, live, rows[live - 1], 4)
            np.testing.assert_array_equal(found.keys[:, : expected.shape[1]], expected)
            assert (found.keys[:, expected.shape[1] :] == -1).all()
            for i, place in np.ndindex(expected.shape):
                same = every.scores[i, every.keys[i] == found.keys[i, place]]
                assert found.scores[i, place] == same

    @pytest.mark.parametrize("k", [1, 7, 50])
    def test_finds_k_among_the_allowed_or_all_of_them(self, k: int) -> None:
        index, query = self.filled(2_000), unit_rows(1, DIM, 7)
        far = index.search(query, 2_000, exact=True).keys[0, -7:]
        found = index.search(query, k, allowed=Allowed(np.sort(far))).keys[0]
        assert found[:7].tolist() == far[:k].tolist()

    @pytest.mark.parametrize("n", [400, 3_000])
    @pytest.mark.parametrize("k", [1, 5, 99, 150, 400])
    def test_equal_scores_come_in_order_of_their_keys(self, n: int, k: int) -> None:
        few, which = half_rows(5, 9), np.random.default_rng(9).integers(0, 5, n)
        keys, query = np.arange(1, n + 1), unit_rows(1, DIM, 9)
        index = self.aged(self.empty(DIM).add(keys, few[which]))
        every = index.search(query, n, exact=True)
        scores = np.empty(n, np.float32)
        scores[every.keys[0] - 1] = every.scores[0]
        assert len(set(scores.tolist())) == 5
        expected = keys[np.lexsort((keys, -scores))][:k]
        assert index.search(query, k, exact=True).keys[0].tolist() == expected.tolist()
        even = Allowed(keys[1::2])
        found = index.search(query, k, allowed=even, exact=True).keys[0]
        expected = keys[1::2][np.lexsort((keys[1::2], -scores[1::2]))][:k]
        assert found[: len(expected)].tolist() == expected.tolist()

    @pytest.mark.parametrize("n", [30, 300])
    def test_a_version_is_left_as_it_was_by_later_ones(self, n: int) -> None:
        rows, query = half_rows(2 * n, 10), unit_rows(1, DIM, 11)
        first = self.aged(self.empty(DIM).add(np.arange(1, n + 1), rows[:n]))
        before = first.search(query, n, exact=True)
        second = first.add(np.arange(n + 1, 2 * n + 1), rows[n:]).remove(np.arange(1, n - 9))
        other = first.add(np.array([n + 1]), rows[-1:])  # as after a commit that failed
        for version, keys, held in (
            (first, np.arange(1, n + 1), rows[:n]),
            (second, np.arange(n - 9, 2 * n + 1), rows[n - 10 :]),
            (other, np.arange(1, n + 2), np.concatenate([rows[:n], rows[-1:]])),
        ):
            expected, _ = nearest(query, keys, held, len(keys))
            found = version.search(query, len(keys), exact=True)
            np.testing.assert_array_equal(found.keys, expected)
            assert len(version) == len(keys)
        after = first.search(query, n, exact=True)
        np.testing.assert_array_equal(before.scores, after.scores)

    @settings(
        max_examples=40,
        deadline=None,  # examples of one kind of index are replayed on the others: so they should
        suppress_health_check=[HealthCheck.differing_executors],
    )
    @given(st.data())
    def test_agrees_with_a_dictionary_after_any_changes(self, data: st.DataObject) -> None:
        model: dict[int, int] = {}
        pool, index, newest = half_rows(800, 12), self.empty(DIM), 0
        for _ in range(data.draw(st.integers(1, 8))):
            match data.draw(st.sampled_from(["add", "remove", "age"])):
                case "remove":
                    gone: set[int] = data.draw(st.sets(st.integers(1, newest + 3)))
                    index = index.remove(np.array(sorted(gone), dtype=np.int64))
                    model = {key: row for key, row in model.items() if key not in gone}
                case "add":
                    steps: list[int] = data.draw(st.lists(st.integers(1, 3), max_size=60))
                    keys = newest + np.cumsum(steps, dtype=np.int64)
                    index = index.add(keys, pool[keys])
                    model |= {int(key): int(key) for key in keys}
                    newest = int(keys[-1]) if len(keys) else newest
                case _:
                    index = self.aged(index)
        live = np.array(list(model), np.int64)
        query = unit_rows(1, DIM, 13)
        expected, _ = nearest(query, live, pool[live], 30)
        found = index.search(query, 30, exact=True).keys[0]
        assert found[found >= 0].tolist() == expected[0].tolist()
        assert index.keys().tolist() == live.tolist()
        assert len(index) == len(live)
        np.testing.assert_array_equal(index.rows(live[::-1]), pool[live[::-1]])
        every = np.arange(1, newest + 4)
        np.testing.assert_array_equal(index.has(every), np.isin(every, live))

    def test_refuses_vectors_of_another_shape_and_keys_out_of_order(self) -> None:
        index = self.filled(5)
        with pytest.raises(InvalidVector, match=r"\(1, 24\)"):
            index.add(np.array([6]), half(unit_rows(1, DIM + 1, 1)))
        with pytest.raises(InvalidVector, match="float16"):
            index.add(np.array([6]), unit_rows(1, DIM, 1))  # type: ignore[arg-type]
        with pytest.raises(InvalidVector):
            index.search(unit_rows(1, DIM - 1, 1), 1)
        for keys in ([5], [7, 6], [8, 8]):
            with pytest.raises(ValueError, match="increase"):
                index.add(np.array(keys), half_rows(len(keys), 1))

    def test_a_removed_key_is_not_used_again(self) -> None:
        index = self.filled(5).remove(np.arange(1, 6))
        with pytest.raises(ValueError, match="larger than 5"):
            index.add(np.array([5]), half_rows(1, 1))

    def test_refuses_to_give_the_vectors_of_keys_that_it_lacks(self) -> None:
        with pytest.raises(KeyError, match="3"):
            self.filled(5).remove(np.array([3])).rows(np.array([2, 3]))

    def test_threads_search_while_one_adds(self) -> None:
        rows, query = half_rows(2_000, 15), unit_rows(1, DIM, 16)
        versions = [self.empty(DIM)]

        def grow() -> None:
            for start in range(0, 2_000, 50):
                keys = np.arange(start + 1, start + 51)
                versions.append(versions[-1].add(keys, rows[start : start + 50]))

        def look() -> None:
            while len(versions) <= 40:
                version = versions[-1]
                n = len(version)
                expected, _ = nearest(query, np.arange(1, n + 1), rows[:n], 3)
                found = version.search(query, 3).keys[0]
                assert found[found >= 0].tolist() == expected[0].tolist()

        with ThreadPoolExecutor(4) as pool:
            for done in [*(pool.submit(look) for _ in range(3)), pool.submit(grow)]:
                done.result()
