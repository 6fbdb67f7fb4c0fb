"""Turns media into vectors: decoding, preprocessing, models, and how the models are made."""
