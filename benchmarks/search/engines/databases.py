"""LanceDB, Chroma and Milvus Lite: embedded databases with metadata, each in one process."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.search.data import Rows
from benchmarks.search.engines.base import (
    BUILD_WIDTH,
    CONNECTIVITY,
    SYNCED,
    WRITTEN,
    Batch,
    Engine,
    Trait,
    Where,
    expression,
)


class LanceDB(Engine):
    """IVF_HNSW_SQ in one partition, refined tenfold from the vectors; metadata is indexed.

    Rows that came after `build` are searched exactly until the next one.
    """

    trait = Trait("lancedb", "lancedb", WRITTEN, (32, 128, 512, 1024), "ef")

    def __init__(self, folder: Path, dim: int, threads: int) -> None:
        lancedb, arrow = import_module("lancedb"), import_module("pyarrow")
        self._arrow = arrow
        self._schema = arrow.schema(
            [
                ("key", arrow.int64()),
                ("modality", arrow.string()),
                ("bucket", arrow.int64()),
                ("tag", arrow.string()),
                ("vector", arrow.list_(arrow.float32(), dim)),
            ]
        )
        self._table = lancedb.connect(str(folder)).create_table("bench", schema=self._schema)

    def add(self, batch: Batch) -> None:
        """See `Engine.add`."""
        flat = self._arrow.array(batch.vectors.reshape(-1))
        vectors = self._arrow.FixedSizeListArray.from_arrays(flat, batch.vectors.shape[1])
        modality = [batch.modality] * len(batch.keys)
        columns = [batch.keys, modality, batch.buckets, batch.tags(), vectors]
        self._table.add(self._arrow.table(columns, schema=self._schema))

    def build(self) -> None:
        """See `Engine.build`."""
        if self._table.list_indices():
            self._table.optimize()
            return
        self._table.create_index(
            metric="dot",
            index_type="IVF_HNSW_SQ",
            num_partitions=1,
            m=CONNECTIVITY,
            ef_construction=BUILD_WIDTH,
        )
        self._table.create_scalar_index("bucket", index_type="BTREE")
        for column in ("modality", "tag"):
            self._table.create_scalar_index(column, index_type="BITMAP")

    def search(self, query: Rows, asked_with: str, effort: int) -> Sequence[int]:
        """See `Engine.search`."""
        return self._keys(self._query(query, effort))

    def filtered(self, query: Rows, asked_with: str, effort: int, where: Where) -> Sequence[int]:
        """See `Engine.filtered`."""
        return self._keys(self._query(query, effort).where(expression(where, "="), prefilter=True))

    def close(self) -> None:
        """See `Engine.close`."""

    def _query(self, query: Rows, effort: int) -> Any:  # noqa: ANN401
        asked = self._table.search(query, vector_column_name="vector").distance_type("dot")
        refine = min(10, effort // 10)  # LanceDB wants ef >= hits * refine
        return asked.ef(effort).refine_factor(refine).limit(10).select(["key", "_distance"])

    def _keys(self, query: Any) -> Sequence[int]:  # noqa: ANN401
        keys: list[int] = query.to_arrow()["key"].to_pylist()
        return keys


class Chroma(Engine):
    """A persistent client with one collection."""

    trait = Trait("chromadb", "chromadb", SYNCED, (32, 128, 256, 512), "ef_search")

    def __init__(self, folder: Path, dim: int, threads: int) -> None:
        self._chroma, self._folder = import_module("chromadb"), folder
        graph = {
            "space": "ip",
            "max_neighbors": CONNECTIVITY,
            "ef_construction": BUILD_WIDTH,
            "num_threads": threads,
        }
        self._dim, self._effort = dim, 0
        self._collection = self._client().create_collection(
            "bench", configuration={"hnsw": graph}, embedding_function=None
        )

    def add(self, batch: Batch) -> None:
        """See `Engine.add`."""
        self._collection.add(
            ids=[str(key) for key in batch.keys],
            embeddings=batch.vectors,
            metadatas=[
                {"modality": batch.modality, "bucket": int(bucket), "tag": tag}
                for bucket, tag in zip(batch.buckets, batch.tags(), strict=True)
            ],
        )

    def build(self) -> None:
        """See `Engine.build`; a search waits until what was added is in the graph."""
        self._collection.query(query_embeddings=[[1.0] + [0.0] * (self._dim - 1)], n_results=1)

    def search(self, query: Rows, asked_with: str, effort: int) -> Sequence[int]:
        """See `Engine.search`."""
        return self._ask(query, effort, None)

    def filtered(self, query: Rows, asked_with: str, effort: int, where: Where) -> Sequence[int]:
        """See `Engine.filtered`."""
        conditions: list[dict[str, Any]] = []
        if where.modality:
            conditions.append({"modality": where.modality})
        if where.below is not None:
            conditions.append({"bucket": {"$lt": where.below}})
        if where.tag:
            conditions.append({"tag": where.tag})
        return self._ask(
            query, effort, conditions[0] if len(conditions) == 1 else {"$and": conditions}
        )

    def close(self) -> None:
        """See `Engine.close`."""

    def _ask(self, query: Rows, effort: int, where: dict[str, Any] | None) -> Sequence[int]:
        if effort != self._effort:
            self._set(effort)
        found = self._collection.query(
            query_embeddings=query[None], n_results=10, where=where, include=[]
        )
        return [int(key) for key in found["ids"][0]]

    def _set(self, effort: int) -> None:
        """Sets ef_search; Chroma 1.5 heeds a changed one only when the file is opened again."""
        self._collection.modify(configuration={"hnsw": {"ef_search": effort}})
        self._effort = effort
        client = self._client()
        client.clear_system_cache()
        self._collection = self._client().get_collection("bench", embedding_function=None)

    def _client(self) -> Any:  # noqa: ANN401
        settings = self._chroma.config.Settings(anonymized_telemetry=False)
        return self._chroma.PersistentClient(str(self._folder), settings)


class MilvusLite(Engine):
    """A file of Milvus Lite, asked by its client over a local socket, as it is meant to be."""

    trait = Trait("milvus-lite", "milvus_lite", WRITTEN, (32, 128, 512), "ef")

    def __init__(self, folder: Path, dim: int, threads: int) -> None:
        milvus = import_module("pymilvus")
        self._client = milvus.MilvusClient(str(folder / "bench.db"))
        schema = self._client.create_schema(auto_id=False, enable_dynamic_field=False)
        schema.add_field("key", milvus.DataType.INT64, is_primary=True)
        schema.add_field("modality", milvus.DataType.VARCHAR, max_length=32)
        schema.add_field("bucket", milvus.DataType.INT64)
        schema.add_field("tag", milvus.DataType.VARCHAR, max_length=32)
        schema.add_field("vector", milvus.DataType.FLOAT_VECTOR, dim=dim)
        self._client.create_collection("bench", schema=schema)
        self._built = False

    def add(self, batch: Batch) -> None:
        """See `Engine.add`."""
        rows = zip(batch.keys, batch.buckets, batch.tags(), batch.vectors, strict=True)
        self._client.insert(
            "bench",
            [
                {
                    "key": int(key),
                    "modality": batch.modality,
                    "bucket": int(bucket),
                    "tag": tag,
                    "vector": vector,
                }
                for key, bucket, tag, vector in rows
            ],
        )

    def build(self) -> None:
        """See `Engine.build`."""
        self._client.flush("bench")
        if not self._built:
            index = self._client.prepare_index_params()
            parameters = {"M": CONNECTIVITY, "efConstruction": BUILD_WIDTH}
            index.add_index("vector", index_type="HNSW", metric_type="IP", params=parameters)
            self._client.create_index("bench", index)
            self._built = True
        self._client.load_collection("bench")

    def search(self, query: Rows, asked_with: str, effort: int) -> Sequence[int]:
        """See `Engine.search`."""
        return self._ask(query, effort, "")

    def filtered(self, query: Rows, asked_with: str, effort: int, where: Where) -> Sequence[int]:
        """See `Engine.filtered`."""
        return self._ask(query, effort, expression(where, "=="))

    def close(self) -> None:
        """See `Engine.close`."""
        self._client.close()

    def _ask(self, query: Rows, effort: int, filter: str) -> Sequence[int]:
        found = self._client.search(
            "bench",
            data=[query],
            limit=10,
            filter=filter,
            search_params={"metric_type": "IP", "params": {"ef": effort}},
        )
        return [int(hit["key"]) for hit in found[0]]
