"""A link to the app as the class can open it, and its QR code."""

from __future__ import annotations

import base64
import io
from functools import lru_cache
from urllib.parse import urlencode, urlsplit

import segno

from pages.shared.address import Address
from pages.shared.reach import is_loopback

START = "start"  # the page that the bare address opens


def address_of(here: str, page: str, query: Address) -> str:
    """`here` is the address of a page of the app as the visitor's browser has it, without its query."""
    base = here.rsplit("/", 1)[0]
    text = urlencode(query, doseq=True)
    return f"{base}/{'' if page == START else page}{'?' * bool(text)}{text}"


def only_here(address: str) -> bool:
    """Whether nobody else can open it."""
    return is_loopback(urlsplit(address).hostname or "")


@lru_cache(maxsize=32)
def qr_code(address: str) -> str | None:
    """A PNG as a data URL, with the white border that the standard (ISO/IEC 18004) asks for; None where the address is
    too long for a code that a camera reads from across a room. Level M: 15 % of its words may be lost."""
    try:
        code = segno.make_qr(address, error="m", boost_error=False)
    except segno.DataOverflowError:
        return None
    if int(code.version) > 20:
        return None
    file = io.BytesIO()
    code.save(file, kind="png", scale=8, border=4)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
