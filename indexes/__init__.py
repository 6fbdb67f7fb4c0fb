"""Finds the nearest vectors: indexes over keys, collections of named items, and their store."""
