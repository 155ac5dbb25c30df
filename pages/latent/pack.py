"""What the widgets of the latent page fetch: networks, codes and images, as one byte string."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import numpy as np
import streamlit as st

from pages.latent.run import LatentRun
from pages.shared.figures import COLOURS
from pages.shared.served import MOST, offer
from vae_core.feed import Feed
from vae_core.lessons.latent_weights import flat, shared
from vae_core.likelihoods import Likelihood
from vae_core.model import VAE
from vae_core.pictures import grey

MOST_WEIGHTS = 10_000_000  # encoders counted too: 40 MB to the browser, and some 5 ms a picture there
MOST_PICTURED = 1000  # held-out images whose pixels go with the codes: 0.8 MB
SIGMA_DARK = 0.01  # where a picture of sigma begins that has no floor
FASHION = ["top", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"]


def fits(runs: list[LatentRun]) -> bool:
    """Whether these networks are small enough to be sent; where not, the page says so."""
    weights = sum(parameter.numel() for run in runs for parameter in run.vae.parameters())
    if weights > MOST_WEIGHTS:
        st.info(
            f"{weights / 1e6:.0f} million weights are too many to walk through in the browser (at most "
            f"{MOST_WEIGHTS / 1e6:.0f} million). The views that the server draws work: traversals, paths, new images."
        )
    return weights <= MOST_WEIGHTS


def packed(runs: list[LatentRun], encoder: bool = False) -> dict[str, str]:
    """For a widget: the `id` of these networks, with their codes and images (the first run's), and the `address` to
    fetch them from."""
    id_, data, _ = _packed(tuple(run.spec.id for run in runs), tuple(id(run.vae) for run in runs), encoder, runs)
    return {"id": id_, "address": offer(id_, data)}


@st.cache_resource(max_entries=MOST, show_spinner=False)  # those that are served, so no more memory
def _packed(
    ids: tuple[str, ...], vaes: tuple[int, ...], encoder: bool, _runs: list[LatentRun]
) -> tuple[str, bytes, list[VAE]]:
    """The digest, and the bytes; with the networks, so that no other can have their `id` while this is kept."""
    weights: list[bytes] = []
    described = []
    for run in _runs:
        networks = {"decoder": run.vae.decoder} | ({"encoder": run.vae.encoder} if encoder else {})
        places: dict[str, Any] = {}
        for name, network in networks.items():
            start, flattened = sum(map(len, weights)) // 4, flat(network)
            weights.append(flattened.data)
            places |= {name: [start, start + len(flattened.data) // 4], f"{name}_layers": flattened.layers}
        described.append(_described(run) | places | {"layers": places["decoder_layers"]})
    first = _runs[0]
    codes, spec = first.codes, first.spec
    values = {
        "runs": described,
        "weights": b"".join(weights),
        "m": codes.m.numpy().astype("<f4").tobytes(),
        "s": (0.5 * codes.log_var).exp().numpy().astype("<f4").tobytes(),
        "labels": codes.labels.tobytes(),
        "pictures": grey(Feed(spec, first.data).held_out(MOST_PICTURED)).tobytes(),
        "side": round(spec.n_pixels**0.5),
        "black_and_white": spec.binarize != "none",
        "kl": codes.kl.tolist(),
        "order": codes.order,
        "reach": codes.reach,
        "classes": FASHION if spec.dataset.startswith("fashion") else [],
    }
    data = as_bytes(values)
    return sha256(data).hexdigest(), data, [run.vae for run in _runs]


def _described(run: LatentRun) -> dict[str, Any]:
    likelihood = run.vae.likelihood
    return {
        "name": run.name,
        "likelihood": run.spec.likelihood,
        "settings": likelihood.given,
        "shared": shared(run.vae),
        "sigma": _sigma_shown(likelihood),
        "colour": COLOURS[run.spec.likelihood],
    }


def _sigma_shown(likelihood: Likelihood) -> dict[str, Any] | None:
    """From where a picture of sigma begins, and what that is; None where sigma is the same everywhere, or the mean
    alone says it."""
    if likelihood.n_outputs < 2 * likelihood.n_pixels:
        return None
    floor = likelihood.given.get("variance_floor")
    return {"dark": floor**0.5, "is": "floor"} if floor else {"dark": SIGMA_DARK, "is": "or less"}


def as_bytes(values: dict[str, Any]) -> bytes:
    """One byte string: the length of the JSON head (uint32), the head, then the parts of `values` that are bytes, each
    at a multiple of 4."""
    parts = {name: value for name, value in values.items() if isinstance(value, bytes)}
    filled = {name: value + bytes(-len(value) % 4) for name, value in parts.items()}
    ends = np.cumsum([len(value) for value in filled.values()]).tolist()
    places = {name: [end - len(filled[name]), len(parts[name])] for name, end in zip(parts, ends)}
    plain = {name: value for name, value in values.items() if name not in parts}
    head = json.dumps({**plain, "parts": places}).encode()
    head += b" " * (-len(head) % 4)
    return b"".join([len(head).to_bytes(4, "little"), head, *filled.values()])
