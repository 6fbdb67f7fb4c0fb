"""One adapter an engine, all with the same five verbs: add, build, search, filtered, close."""

from benchmarks.search.engines.base import Engine
from benchmarks.search.engines.databases import Chroma, LanceDB, MilvusLite
from benchmarks.search.engines.kindred import Kindred, KindredGraph
from benchmarks.search.engines.libraries import Hnswlib, Usearch

OURS = "Kindred"

ENGINES: dict[str, type[Engine]] = {
    OURS: Kindred,
    "Kindred graph": KindredGraph,
    "hnswlib": Hnswlib,
    "usearch": Usearch,
    "LanceDB": LanceDB,
    "Chroma": Chroma,
    "Milvus Lite": MilvusLite,
}
