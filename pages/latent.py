"""Walk through the latent space, and see the distribution that the decoder describes there."""

import streamlit as st

from pages.shared.address import PageSettings, choice, whole
from pages.shared.explain import ending, page_words
from pages.shared.lanes import title
from pages.shared.latent_between import between
from pages.shared.latent_compare import side_by_side
from pages.shared.latent_image import from_image
from pages.shared.latent_new import new_images
from pages.shared.latent_pad import Z_SETTING, latent_pad
from pages.shared.latent_run import IMAGE_SETTINGS, latent_run
from pages.shared.latent_traverse import traversals
from pages.shared.runtime import get_engine, show_engine_state
from pages.shared.trained import RUN_SETTINGS, choose_runs
from vae_core.errors import CheckpointError, DataError
from vae_core.likelihoods import LIKELIHOODS
from vae_core.spec import RunSpec

VIEWS = {
    "walk": "Walk",
    "traversals": "Traversals",
    "image": "From an image",
    "between": "Between two images",
    "new": "New images",
    "compare": "Side by side",
}
SETTINGS = PageSettings(
    "latent",
    {
        **RUN_SETTINGS,
        **IMAGE_SETTINGS,
        "decoder": choice(list(LIKELIHOODS), next(iter(LIKELIHOODS))),
        "view": choice(list(VIEWS), "walk"),
        "z": Z_SETTING,
        "draw": whole(0, 9999, 0),
        "beside": RUN_SETTINGS["run"],
    },
)
SETTINGS.follow()
engine = get_engine()
words = page_words("latent")


def choose_decoder(specs: list[RunSpec]) -> RunSpec:
    names = {spec.likelihood: title(spec) for spec in specs}
    if SETTINGS["decoder"] not in names:
        SETTINGS["decoder"] = next(iter(names))
    key = st.segmented_control(
        "Decoder, p(x|z,w)",
        list(names),
        format_func=lambda key: names[key],
        required=True,
        wrap=True,
        **SETTINGS.keep("decoder"),
    )
    return next(spec for spec in specs if spec.likelihood == key)


def show(specs: list[RunSpec]) -> None:
    run = latent_run(choose_decoder(specs), engine.store)
    view = st.segmented_control(
        "View", list(VIEWS), format_func=lambda key: VIEWS[key], required=True, wrap=True, **SETTINGS.keep("view")
    )
    if view == "walk":
        st.markdown(words["Walk"])
        latent_pad([run], SETTINGS)
        st.markdown(words["Behind the points"])
    elif view == "traversals":
        traversals(run, SETTINGS, words)
    elif view == "image":
        from_image(run, SETTINGS, words)
    elif view == "between":
        between(run, SETTINGS, words)
    elif view == "new":
        new_images(run, SETTINGS, words)
    else:
        side_by_side(run, specs, engine.store, SETTINGS, words)


st.title("The latent space")
st.markdown(words[""])
specs = choose_runs(SETTINGS, engine)
if specs:
    try:
        show(specs)
    except (CheckpointError, DataError) as error:
        st.error(str(error), icon=":material/broken_image:")
        st.page_link("pages/train.py", label="Train it again", icon=":material/model_training:")
SETTINGS.mirror()
ending(words)
show_engine_state(engine)
