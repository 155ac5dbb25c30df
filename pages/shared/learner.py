"""Who a visitor is, as far as sharing the machine goes: a name without meaning, that his browser keeps in a cookie."""

from __future__ import annotations

import re
import secrets
from http.cookies import CookieError, SimpleCookie

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "vae_learner"
NAME = re.compile(r"[0-9a-f]{16}")
DAYS = 180


def learner() -> str:
    """16 hex digits; one for this visit alone where the browser keeps no cookies."""
    found = str(st.context.cookies.get(COOKIE, ""))
    return found if NAME.fullmatch(found) else st.session_state.setdefault(COOKIE, secrets.token_hex(8))


class NamedVisitors:
    """ASGI middleware: who opens a page without a name gets one with it."""

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _needs_name(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                cookie = f"{COOKIE}={secrets.token_hex(8)}; Path=/; Max-Age={DAYS * 86400}; HttpOnly; SameSite=Lax"
                MutableHeaders(scope=message).append("set-cookie", cookie)
            await send(message)

        await self.app(scope, receive, named)


def _needs_name(headers: Headers) -> bool:
    """Only with pages themselves: their parts are asked for at the same time, and would each get another."""
    if "text/html" not in headers.get("accept", ""):
        return False
    try:
        kept = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return True
    return kept is None or not NAME.fullmatch(kept.value)
