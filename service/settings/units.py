"""Units that settings are given in."""

MIB = 1024 * 1024
"""Bytes."""
