"""Walk through the latent space, and see the distribution that the decoder describes there."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.latent.between import between
from pages.latent.choose import LATENTS, choose_trained, of_older
from pages.latent.compare import side_by_side
from pages.latent.image import from_image
from pages.latent.new import new_images
from pages.latent.pad import Z_SETTING, latent_pad
from pages.latent.run import IMAGE_SETTINGS, hidden, open_runs
from pages.latent.traverse import traversals
from pages.shared.address import PageSettings, choice, whole
from pages.shared.naming import title
from pages.shared.path import show_opening
from pages.shared.runtime import get_engine, show_engine_state
from pages.shared.tour import show_title
from pages.shared.trained import RUN_SETTINGS
from pages.shared.words import ending, page_words
from vae_core.errors import StoreError
from vae_core.likelihoods import LIKELIHOODS
from vae_core.spec import RunSpec

VIEWS = {
    "walk": "Walk",
    "traversals": "Traversals",
    "image": "From an image",
    "between": "Paths",
    "new": "New images",
    "compare": "Side by side",
}
SETTINGS = PageSettings(
    "latent",
    {
        **RUN_SETTINGS,
        **IMAGE_SETTINGS,
        "decoder": choice(["", *LIKELIHOODS], ""),
        "view": choice(VIEWS, "walk"),
        "latents": choice(LATENTS, 2),
        "at": Z_SETTING,
        "draw": whole(0, 9999, 0),
        "beside": RUN_SETTINGS["run"],
    },
    once={"z": "at"},
)
SETTINGS.follow(of_older)
engine = get_engine()
words = page_words("latent")


def choose_decoder(specs: list[RunSpec]) -> RunSpec:
    """One of the decoders of the run chosen above: at first the run itself, or the first of the shipped ones."""
    names = {spec.likelihood: title(spec) for spec in specs}
    before, now = st.session_state.get("latent.decoder of"), (SETTINGS["run"], SETTINGS["decoder"])
    left = before is not None and before[0] != now[0] and before[1] == now[1]  # from the run looked at before
    if left or SETTINGS["decoder"] not in names:
        asked = [spec.likelihood for spec in specs if spec.id == SETTINGS["run"]]
        SETTINGS["decoder"] = (asked or list(names))[0]
    st.session_state["latent.decoder of"] = SETTINGS["run"], SETTINGS["decoder"]
    key = st.segmented_control(
        "Decoder, p(x|z,w)",
        list(names),
        format_func=lambda key: names[key],
        required=True,
        wrap=True,
        label_visibility="collapsed",
        **SETTINGS.keep("decoder"),
    )
    return next(spec for spec in specs if spec.likelihood == key)


def show(specs: list[RunSpec], decoders: DeltaGenerator) -> None:
    with decoders:
        spec = choose_decoder(specs)
    view = SETTINGS.one_of("view", "View", label_visibility="collapsed")
    runs = open_runs([spec], engine)
    if not runs:
        return
    run = runs[0]
    if view == "walk":
        latent_pad([run], SETTINGS)
        st.markdown(words["Walk"])
        st.markdown(words["A plane through z" if hidden(run) else "All of z"])
        st.markdown(words["Behind the points"])
        st.markdown(words["All latents together"])
    elif view == "compare":
        side_by_side(run, specs, engine, SETTINGS, words)
    else:
        views = {"traversals": traversals, "image": from_image, "between": between, "new": new_images}
        views[view](run, SETTINGS, words)


@st.fragment(key="latent")
def show_page() -> None:
    try:
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            decoders = st.container(width="content")
            specs = choose_trained(SETTINGS, engine)
        if specs:
            show(specs, decoders)
    except StoreError as error:
        st.error(str(error), icon=":material/hard_drive:")
    SETTINGS.mirror()


show_title("latent", "Latent space")
show_opening("latent", words[""])
show_page()
ending(words)
show_engine_state(engine)
