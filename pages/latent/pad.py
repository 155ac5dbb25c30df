"""The pad of the latent page, Python's side: it starts where a link says, and tells the address where one stands."""

from __future__ import annotations

import re
from typing import Any

import streamlit as st

from pages.latent.pack import fits, packed
from pages.latent.run import LatentRun, hidden
from pages.shared.address import PageSettings, Setting
from pages.shared.widget import sent, widget
from vae_core.errors import SpecError
from vae_core.values import shown

_PAD = widget("latent", "pad", "svg", "controls", "canvas", "likelihoods", "decoder", "pack", "ground", "hold")


def latent_pad(runs: list[LatentRun], settings: PageSettings) -> None:
    """Draw the pad for one run, or for several of one latent size on the same z."""
    if not fits(runs):
        return
    key, state = "latent.pad", st.session_state
    values = packed(runs)

    def released() -> None:
        try:
            read(link := written(sent(key, "at")))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):  # a browser can send anything
            return
        settings["at"] = link

    # Where to start is said once, while the pad stands: were it to follow z, every release would send the widget anew.
    if state.get("latent.pad shown") != values["id"] or key not in state:
        state["latent.pad shown"], state["latent.pad start"] = values["id"], _start(settings["at"], runs[0])
    data = {**values, "start": state["latent.pad start"]}
    _PAD(key=key, data=data, on_at_change=released, on_lost_change=lambda: None)


def _start(link: str, run: LatentRun) -> dict[str, Any]:
    """Where the link says; else at the code of an image, where a plane alone does not show all of z, or at 0."""
    return read(link) if link else {"image": 0 if hidden(run) else -1}


# Where one stands, as a link holds it: "3:0.5,7:-1.2" and, for the other latents, "image:17" -----------------------


def written(at: dict[str, Any]) -> str:
    parts = [f"{axis + 1}:{value:g}" for axis, value in zip(at["axes"], at["z"])]
    return ",".join(parts + ([f"image:{at['image']}"] if at["image"] >= 0 else []))


def read(text: str) -> dict[str, Any]:
    """What `written` wrote. Raises ValueError."""
    at: dict[str, Any] = {"axes": [], "z": [], "image": -1}
    for part in filter(None, text.split(",")):
        if found := re.fullmatch(r"image:([0-9]{1,4})", part):
            at["image"] = int(found[1])
        elif found := re.fullmatch(r"([1-9][0-9]?):([+-]?[0-9]{1,4}(?:\.[0-9]{1,9})?)", part):
            at["axes"].append(int(found[1]) - 1)
            at["z"].append(float(found[2]))
        else:
            raise ValueError(part)
    if len(at["axes"]) > 2 or len(set(at["axes"])) < len(at["axes"]):
        raise ValueError(text)
    return at


def _read_setting(name: str, texts: list[str]) -> str:
    try:
        read(texts[-1])
    except ValueError:
        allowed = "allowed: up to two latents and their values, such as 1:0.5,2:-1.2, and an image, such as image:17."
        raise SpecError(name, f"{name} is {shown(texts[-1])}; {allowed}") from None
    return texts[-1]


Z_SETTING = Setting("", _read_setting)
