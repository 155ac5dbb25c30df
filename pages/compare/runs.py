"""Which runs are compared: those that ship, own ones, and those a link names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import streamlit as st

from pages.shared.address import Address, PageSettings, Setting
from pages.shared.naming import label, title
from pages.shared.trained import asked_for, named, offer, read_run, read_spec
from vae_core.errors import SpecError
from vae_core.lessons.compare import rate_distortion
from vae_core.runs.engine import Engine
from vae_core.shipped import EXPERIMENTS, SHIPPED, measured
from vae_core.spec import SETTINGS as OF_RUNS, RunSpec
from vae_core.values import Choice

ON_BOARD = {spec.id: spec for spec in (SHIPPED | EXPERIMENTS).values()}  # their numbers ship, of SHIPPED weights too
DEFAULT = [spec.id for spec in SHIPPED.values()]


MOST = 12  # at once: each draws a figure that a browser has no more than 16 of


def _each(read: Any) -> Any:
    def read_all(name: str, texts: list[str]) -> list[str]:
        found = list(dict.fromkeys(read(name, [text]) for text in texts))
        if len(found) > MOST:
            raise SpecError(name, f"{name} names {len(found)} runs; allowed: at most {MOST}.")
        return found

    return read_all


# Runs by their ids, and own ones with all their settings, so that they can be trained where they are not.
CHOICE = {"run": Setting(DEFAULT, _each(read_run), list), "spec": Setting([], _each(read_spec), list)}


def opened(address: Address) -> Address:
    """A link that gives settings alone means their runs, beside those that ship."""
    if "spec" in address and "run" not in address:
        with suppress(SpecError):  # which is told where the link is read
            found = [RunSpec.from_dict(json.loads(read_spec("spec", [text]))).id for text in address["spec"]]
            return address | {"run": [*DEFAULT, *found]}
    return address


def choose(settings: PageSettings, engine: Engine) -> list[RunSpec]:
    """Draw the choice; the specs of those chosen that are here. What a link names besides is offered for training."""
    own = {run.id: run.spec for run in engine.store.trained()}
    known = ON_BOARD | own
    offer_own(settings, asked_for(own))
    if (named_once := _named_once(settings["run"])) != settings["run"]:
        settings["run"] = named_once
    told = {spec.id: spec for spec in (RunSpec.from_dict(json.loads(text)) for text in settings["spec"])}
    chosen = st.multiselect(
        "Runs",
        list(dict.fromkeys([*known, *settings["run"]])),
        format_func=lambda run_id: _called(run_id, known | told),
        help="Those that ship with the app, trained on the same black-and-white digits, and what you trained.",
        placeholder="Choose runs",
        max_selections=MOST,
        select_all=False,
        **settings.keep("run"),
    )
    here_alone = [run_id for run_id in chosen if run_id in own | told and run_id not in ON_BOARD]
    settings["spec"] = [(known | told)[run_id].canonical_json for run_id in here_alone]
    for run_id in chosen:
        if run_id not in known:
            offer(run_id, told.get(run_id), engine)
    return [known[run_id] for run_id in chosen if run_id in known]


def _named_once(said: Sequence[str]) -> list[str]:
    """Of what a browser has sent, the ids of runs: it can send any words, and too many of them."""
    return [one for one in dict.fromkeys(said) if re.fullmatch("[0-9a-f]{16}", one)][:MOST]


def offer_own(settings: PageSettings, ready: Sequence[RunSpec]) -> None:
    """Beside the shipped runs: one press compares the visitor's own instead, once they are ready."""
    if ready and settings["run"] == DEFAULT:
        compare = lambda: settings.__setitem__("run", [spec.id for spec in ready][:MOST])
        how: dict[str, Any] = {"icon": ":material/check_circle:", "type": "primary", "on_click": compare}
        st.button(f"Your {named(ready)} ready: compare {'it' if len(ready) == 1 else 'them'}", key="own runs", **how)


def _called(run_id: str, known: Mapping[str, RunSpec]) -> str:
    if run_id in DEFAULT:
        return f"{title(known[run_id])} · shipped"
    return label(known[run_id]) if run_id in known else f"Run {run_id}"


def short_names(specs: Sequence[RunSpec]) -> dict[str, str]:
    """By id: the decoder, and what else tells those of the same decoder apart."""
    names: dict[str, str] = {}
    for spec in specs:
        alike = [other.to_dict() for other in specs if title(other) == title(spec)]
        differs = [name for name in spec.to_dict() if any(one.get(name) != alike[0].get(name) for one in alike)]
        told = [_value(spec, name) for name in differs if name not in ("likelihood", "sigma", "scale", "levels")]
        names[spec.id] = ", ".join([title(spec), *told])
    return names


def _value(spec: RunSpec, name: str) -> str:
    value, about = getattr(spec, name), OF_RUNS[name]
    if isinstance(about.rule, Choice):
        return about.rule.called(value).lower()
    return f"{about.label} {', '.join(map(str, value)) if isinstance(value, tuple) else format(value, 'g')}"


def means_of(spec: RunSpec, engine: Engine) -> Mapping[str, Any] | None:
    """What the run measured of all its held-out images when it ended; None where it did not get so far."""
    if shipped := measured(spec):
        return vars(shipped.means)
    run = engine.store.run(spec.id)
    return run.result["held_out"] if run and run.result else None


def trail_of(spec: RunSpec, engine: Engine) -> list[tuple[float, float]]:
    """Rate and distortion through training, bits per pixel each; empty where its snapshots scored no probability."""
    shipped = measured(spec)
    points = [vars(one) for one in shipped.trail] if shipped else engine.store.history(spec.id)
    found = [rate_distortion(one, spec.n_pixels) for one in points]
    return [(one.rate_bits, one.distortion_bits) for one in found if one is not None]
