"""Units that settings are given in, and how their values are written for people."""

MIB = 1024 * 1024
"""Bytes."""

MANY_DIGITS = 100_000
"""From here on, digits come in groups."""


def in_words(value: object) -> str:
    """Returns a value as people write it; nothing for None."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int) and value >= MIB and value % MIB == 0:
        return f"{value // MIB:,} MiB"
    if isinstance(value, int | float):
        return f"{value:,}" if value >= MANY_DIGITS else f"{value:g}"
    return "" if value is None else str(value)
