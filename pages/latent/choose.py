"""Which trained decoders the latent page looks into: the shipped ones with two or with ten latents, or one's own."""

from __future__ import annotations

import json

import streamlit as st

from pages.shared.address import Address, PageSettings
from pages.shared.trained import asked_for, choose_runs
from vae_core.runs.engine import Engine
from vae_core.shipped import SPECS, TWO_LATENTS, WITH_WEIGHTS
from vae_core.spec import RunSpec

NUMBERS = {2: "two", 10: "ten"}
LATENTS = {2: "Two: all of z on one plane", 10: "Ten: planes through z"}
SHIPPED = {2: TWO_LATENTS, 10: SPECS}


def of_older(address: Address) -> Address:
    """A link by which `z` said where one stood is from when the shipped runs had ten latents alone."""
    return {"latents": ["10"], **address} if "z" in address else address


def choose_trained(settings: PageSettings, engine: Engine) -> list[RunSpec]:
    """Draw the choice and return the specs to show. It is out of the way, unless there is something in it to be told:
    that a link names a run that is not here, or that the visitor's own runs are ready."""
    own = {run.id: run.spec for run in engine.store.trained()}
    known = own | {spec.id: spec for spec in WITH_WEIGHTS.values()}
    asked = _asked(settings)
    if asked and asked not in known:
        return choose_runs(settings, engine)
    chosen = f"a run with {known[asked].latent_dim}" if asked else f"shipped, {NUMBERS[settings['latents']]}"
    label = f"Trained decoders: {chosen} latents"
    ready = not asked and asked_for(own)
    with st.container() if ready else st.popover(label, icon=":material/tune:"):
        specs = choose_runs(settings, engine)
        if settings["run"]:
            return specs
        moved = lambda: settings.__setitem__("at", "")  # where one stood is a place in the other space
        settings.one_of("latents", "How many latents", on_change=moved)
    return list(SHIPPED[settings["latents"]].values())


def _asked(settings: PageSettings) -> str:
    """The id of the run that is chosen, or that a link names by its settings; "" for the shipped decoders."""
    if settings["run"] or not settings["spec"]:
        return settings["run"]
    return RunSpec.from_dict(json.loads(settings["spec"])).id
