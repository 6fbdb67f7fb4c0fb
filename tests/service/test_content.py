"""Media in JSON: what is base64 and what is not, by the standard library."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder.errors import UndecodableMedia
from service.rest.content import decoded

NEARLY_BASE64 = st.one_of(
    st.text("ABCxyz019+/=", max_size=40),
    st.text("AB=-_ \n\té\0", max_size=12),
    st.binary(max_size=200).map(lambda data: base64.b64encode(data).decode()),
)


def by_the_standard_library(text: str) -> bytes | str:
    """Returns the bytes, or what is wrong."""
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as error:
        return str(error)


@given(NEARLY_BASE64)
def test_base64_is_what_the_standard_library_takes_for_it(text: str) -> None:
    expected = by_the_standard_library(text)
    if isinstance(expected, bytes):
        assert decoded(text) == expected
    else:
        with pytest.raises(UndecodableMedia, match=re.escape(expected)):
            decoded(text)


def test_a_file_comes_out_of_a_data_address_as_it_went_in() -> None:
    data = bytes(range(256)) * 1000
    assert decoded("data:image/png;base64," + base64.b64encode(data).decode()) == data
