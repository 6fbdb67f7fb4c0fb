"""Writes SETTINGS.md from the settings themselves: `python -m tests.settings_table`.

With `--check` it fails when the file is not what it would write.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from service.settings import Settings
from service.settings.units import MANY_DIGITS, in_words

FILE = Path(__file__).parent.parent / "SETTINGS.md"

HEAD = """# Settings

Every setting of `kindred serve` is a flag, an environment variable (`--max-items` is
`KINDRED_MAX_ITEMS`) and a key of `kindred.toml` in the working directory (`max_items = 64`).
A flag goes before the environment, the environment before the file, the file before the default.
A value that breaks its rule stops the start with the setting's name, the rule and the value.
Lists are comma-separated in the environment; their flag is repeated.
`make settings` writes this file from `service/settings`.

| Setting | Flag | Default | Rule | What it is |
|---|---|---|---|---|
"""

TOGETHER = """
Rules of several settings: `queue_size` must not be less than `max_items`; `tls_certificate` and
`tls_key` belong together, and `tls_client_ca` takes both; files of TLS and `generator` must exist;
a `host` beyond loopback takes a key or `allow_anonymous`.
"""

BOUNDS = {"ge": "at least {}", "gt": "more than {}", "le": "at most {}", "min_length": "{} or more"}
"""How pydantic calls a rule, and how people do."""


def rules(field: FieldInfo) -> Iterator[tuple[str, Any]]:
    """Yields the rules of a setting: how pydantic calls each, and its value."""
    for rule in field.metadata:
        for kind in (*BOUNDS, "pattern"):
            if (value := getattr(rule, kind, None)) is not None:
                yield kind, value


def flag(name: str, field: FieldInfo) -> str:
    """Returns the flag of a setting on the command line."""
    return "--" + (name.removesuffix("s") if _is_list(field) else name).replace("_", "-")


def written() -> str:
    """Returns what SETTINGS.md has to say."""
    rows = (_row(name, field) for name, field in Settings.model_fields.items())
    return HEAD + "".join(rows) + TOGETHER


def _row(name: str, field: FieldInfo) -> str:
    told = ", ".join(_told(kind, value) for kind, value in rules(field))
    cells = (f"`{name}`", f"`{flag(name, field)}`", _default(field), told, str(field.description))
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _is_list(field: FieldInfo) -> bool:
    return isinstance(field.default, tuple)


def _default(field: FieldInfo) -> str:
    value = in_words(", ".join(map(str, field.default)) if _is_list(field) else field.default)
    if isinstance(field.default, int | float):
        return value
    return f"`{value}`" if value else "none"


def _told(kind: str, value: Any) -> str:  # noqa: ANN401 - a number or a pattern
    if kind == "pattern":
        return f"matches `{value}`"
    return BOUNDS[kind].format(f"{value:,}" if value >= MANY_DIGITS else f"{value:g}")


if __name__ == "__main__":
    if "--check" not in sys.argv:
        FILE.write_text(written(), encoding="utf-8")
    elif FILE.read_text(encoding="utf-8") != written():
        sys.exit("SETTINGS.md is not what the settings say; run `python -m tests.settings_table`")
