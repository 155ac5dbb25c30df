"""Who can reach the app: nobody but this machine, unless `server.address` says otherwise."""

from __future__ import annotations

import ipaddress
import logging

import streamlit as st

from pages.shared import word

log = logging.getLogger(__name__)


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it by that name."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def warn_of_visitors() -> None:
    """As the app starts: what it means that others can reach it, where they can."""
    address = st.get_option("server.address")
    if address and is_loopback(address):
        return
    anybody = "Anybody can train: set VAE_WORD so that only who knows that word can."
    trains = "VAE_WORD is set, so only who knows that word can train." if word.is_set() else anybody
    log.warning(
        "The app listens on %s, so others can open it, and what they and it say is not encrypted: put a proxy with TLS "
        "before it, and leave server.address at 127.0.0.1 where the proxy runs on this machine. %s",
        address or "every address of this machine",
        trains,
    )
