"""Between two images: the straight and the spherical path from one code to the other, and ln p(z) at each step."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from pages.latent.run import LatentRun
from pages.latent.sheet import sheet
from pages.shared.address import PageSettings
from pages.shared.figures import readable
from pages.shared.held_out import choose_image, image_of
from pages.shared.numbers import nats
from pages.shared.words import Parts
from vae_core.lessons.latent import arc, line, log_prior, means
from vae_core.pictures import grey

STEPS = 11
COLOUR = "#7D7D7D"  # no decoder's
DASHES = {"linear": "solid", "spherical": "dash"}
MARKERS = {"linear": "circle", "spherical": "diamond-open"}


def between(run: LatentRun, settings: PageSettings, words: Parts) -> None:
    st.markdown(words["Between two images"])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        labels = run.codes.labels
        ends = [
            choose_image(settings, labels, label="From held-out image"),
            choose_image(settings, labels, "other", "to"),
        ]
        st.image(_thumbnail(run, ends[0]), width=72, alt=f"Held-out image {ends[0]}")
        st.image(_thumbnail(run, ends[1]), width=72, alt=f"Held-out image {ends[1]}")
    a, b = (run.codes.m[image] for image in ends)
    paths = {"linear": line(a, b, STEPS), "spherical": arc(a, b, STEPS)}  # (STEPS, latent_dim) each
    shares = [f"{step / (STEPS - 1):.1f}" for step in range(STEPS)]
    sheet(
        "latent.paths",
        {name: means(run.vae, path) for name, path in paths.items()},
        alt=f"Means of p(x|z,w) on the linear and the spherical path from image {ends[0]} to image {ends[1]}",
        columns=shares,
    )
    st.caption(f"Means of p(x|z,w), {run.name}, from the code m of one image (0) to that of the other (1).")
    figure = go.Figure()
    densities = {path: log_prior(z) for path, z in paths.items()}
    for path, values in densities.items():
        figure.add_scatter(
            x=shares,
            y=values,
            name=path,
            line={"color": COLOUR, "dash": DASHES[path]},
            marker={"symbol": MARKERS[path], "size": 8},
            hovertemplate="%{y:.1f} nats",
        )
    figure.update_layout(
        height=360,
        margin={"l": 10, "r": 10, "t": 40, "b": 10},
        hovermode="x unified",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0},
    )
    figure.update_xaxes(title="share of the way", type="linear")
    figure.update_yaxes(title="ln p(z), nats")
    middle = STEPS // 2
    half_way = "; ".join(f"{path}: {nats(values[middle])} nats" for path, values in densities.items())
    bare = {"displayModeBar": False}
    st.plotly_chart(
        readable(figure), key="latent.densities", config=bare, alt=f"ln p(z) along both paths. Half-way, {half_way}"
    )
    st.markdown(f":violet-badge[ln of a probability density of z, nats] ln p(z) half-way: {half_way}.")


def _thumbnail(run: LatentRun, number: int):
    return grey(image_of(run.spec, number)[None])[0].repeat(3, axis=0).repeat(3, axis=1)
