"""Preprocessing: media to arrays, in NumPy, the same code for training, library and service."""
