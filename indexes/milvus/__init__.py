"""Collections on a Milvus cluster, or in a file of Milvus Lite: the same promises, elsewhere kept.

A Kindred collection is a handful of Milvus collections whose names start alike: a *root* without
rows, whose properties say what the collection is, one *table* of items for each modality, so that
no graph ever mixes modalities, and one of media. `cluster` is the only module that sees pymilvus.
"""
