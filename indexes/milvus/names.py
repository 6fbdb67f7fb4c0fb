"""What Kindred's things are called on Milvus, whose names hold letters, digits and _ only.

The root of collection "my-things" is `kindred_root_my_dthings`: - becomes _d, and _ becomes _u. The
tables of a collection are named after the key it was given when it was created, so that one made
anew under an old name has nothing of its rows.
"""

_ROOT = "kindred_root_"
_TABLE = "kindred_data_"
_MEDIA = "_media"  # no modality begins with _


def root(name: str) -> str:
    """Returns the name of a collection's root."""
    return _ROOT + name.replace("_", "_u").replace("-", "_d")


def collection(root_name: str) -> str | None:
    """Returns the name of the collection that a root is of; None if it is no root."""
    if not root_name.startswith(_ROOT):
        return None
    return root_name.removeprefix(_ROOT).replace("_d", "-").replace("_u", "_")


def table(key: str, modality: str) -> str:
    """Returns the name of the table of one modality."""
    return f"{_TABLE}{key}_{modality}"


def media(key: str) -> str:
    """Returns the name of the table of media."""
    return table(key, _MEDIA)


def tables(key: str, present: list[str]) -> list[str]:
    """Returns those of the names that are tables of a collection, that of media included."""
    return [name for name in present if name.startswith(table(key, ""))]


def modality(key: str, table_name: str) -> str | None:
    """Returns the modality whose table this is; None if it is that of media."""
    found = table_name.removeprefix(table(key, ""))
    return None if found == _MEDIA else found
