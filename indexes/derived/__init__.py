"""The index of one modality: derived from the truth, and made again from it when it is lost.

chunk, chunks, scan       rows in memory, compared one by one
segment, codes, effort    many rows in files, searched approximately and scored exactly
partition, nearest        all parts of a modality as one index
building, clustering      segments made beside serving
"""
