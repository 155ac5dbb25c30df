"""What a process computes once for everybody, before a class waits for it: it visits its own pages like a browser."""

from __future__ import annotations

import logging
import time

import streamlit as st
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from vae_core.shipped import SPECS

log = logging.getLogger(__name__)
LONGEST = 120.0  # seconds for a page, on a machine that trains
BREATH = 0.2  # between two pages: visitors come first


# What is not on a page's first screen, and takes long the first time, or is looked at by a whole class.
MORE = [("mse", "guess=skip"), ("compare", "guess=skip")]
MORE += [("assumed", f"loss={loss}") for loss in ("absolute", "bce_grey", "bce_binary")]
MORE += [("experiments", f"experiment={name}&{name}=skip") for name in ("floor", "grey", "sigma")]
WALKED = [(latents, decoder) for latents in (2, 10) for decoder in SPECS]
MORE += [("latent", f"latents={n}&view=compare") for n in (2, 10)]
MORE += [("latent", f"latents={n}&decoder={key}&view={view}") for view in ("new", "walk") for n, key in WALKED]


def visit_all() -> None:
    """All pages of the menu, as a class's proxy reaches them, and then MORE."""
    url = f"ws://127.0.0.1:{st.get_option('server.port')}/_stcore/stream"
    began = time.monotonic()
    try:
        pages = visit(url, "")
        for page, query in [*((page, "") for page in pages), *MORE]:
            time.sleep(BREATH)
            visit(url, page, query)
    except (OSError, WebSocketException) as error:  # a TimeoutError is an OSError
        log.warning("The pages could not be visited ahead, so who comes first waits for them: %s", error)
    else:
        log.info("All %d pages were visited ahead in %.1f s.", len(pages), time.monotonic() - began)


def visit(url: str, page: str, query: str = "") -> list[str]:
    """Open a page and stay until it is drawn; returns the paths of all pages. Raises what visit_all tells of."""
    asked = BackMsg()
    asked.rerun_script.page_name, asked.rerun_script.query_string = page, query
    pages: list[str] = []
    with connect(url, subprotocols=["streamlit"], max_size=None) as socket:  # type: ignore[list-item]
        socket.send(asked.SerializeToString())
        while True:
            message = ForwardMsg.FromString(socket.recv(LONGEST))
            if message.HasField("navigation"):
                pages = [one.url_pathname for one in message.navigation.app_pages]
            if message.HasField("script_finished") and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                return pages
