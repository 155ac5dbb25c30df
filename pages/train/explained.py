"""Below the stage: what may be compared, and what each decoder assumes."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from pages.shared.columns import columns
from pages.shared.links import page_link
from pages.shared.naming import badge, ln_p_is, title
from pages.shared.words import explanation
from pages.train.form import EXPLAINED, named_specs
from vae_core.lessons.linear import ONE_SIGMA
from vae_core.likelihoods import LIKELIHOODS
from vae_core.likelihoods.base import uniform_bits
from vae_core.spec import LIVE_IMAGES, RunSpec

KINDS = {
    "mass": "One is the log of a **mass**, a probability.",
    "density": "One is the log of a **density**.",
    "loss": "A Bernoulli on grey pixels gives a **loss only**, the log of nothing.",
}


@st.fragment(key=EXPLAINED)
def explain() -> None:
    """Runs again when one of the settings that it is about has changed."""
    specs = named_specs()
    if not specs:
        return
    st.markdown(
        "The loss is −E[ln p(x|z,w)] + β·KL. That is how badly a z drawn from the encoder's q(z|x) explains x, on "
        "average, estimated with L draws, plus how far q(z|x) is from the prior N(0, I). Minus the loss at β = 1 is "
        "the ELBO (of a Bernoulli on grey pixels it is −BCE − KL). Nats are the units of natural logs. Terms and MSE "
        f"are of held-out images, {LIVE_IMAGES} on the way and all of them at the end, at a drawn z. The pictures are "
        "at z = m, the mean of q(z|x), or, the new ones, at z from the prior."
    )
    if any(spec.decoder == "linear" and spec.likelihood in ONE_SIGMA for spec in specs.values()):
        label = "A linear decoder with Gaussian noise of one σ: its end is known beforehand"
        page_link("pages/linear/page.py", label, ":material/straighten:")
    st.header("What may be compared")
    _compared(specs)
    st.header("What each decoder assumes")
    for (key, spec), column in zip(specs.items(), columns(len(specs))):
        with column, st.container(border=True, key=f"lane_{key}"):
            st.markdown(f"**{title(spec)}** {badge(spec)}")
            if "levels" in LIKELIHOODS[key].settings and spec.levels < spec.n_levels:
                st.caption(
                    f"Its ln p(x|z,w) is of pixels rounded to the nearest of {spec.levels} levels; stored, they have "
                    f"{spec.n_levels}."
                )
            plain, rest = explanation(key)
            st.markdown(plain)
            with st.expander("Symbol, code and what to watch"):
                st.markdown(rest)


def _compared(specs: Mapping[str, RunSpec]) -> None:
    kinds = [ln_p_is(spec) for spec in specs.values()]
    any_spec = next(iter(specs.values()))
    levels, noisy = any_spec.n_levels, any(spec.dequantize != "none" for spec in specs.values())
    if len(set(kinds)) > 1:
        st.markdown(
            ":orange-badge[not on one axis] Reconstruction terms stay in their own lanes. "
            + " ".join(sentence for kind, sentence in KINDS.items() if kind in kinds)
            + " A difference between them means nothing."
        )
    if kinds.count("density") > 1 and not noisy:
        st.markdown(
            "Two densities do not rank their decoders either. Stored pixels are levels, and a density of levels can be "
            "made as large as one likes with narrow enough noise."
        )
    same_pixels = "" if noisy else ", and the MSE the same pixels"
    st.markdown(
        f"The KL measures q(z|x) against the same prior under every decoder{same_pixels}. A small KL is no merit (0 is "
        "collapse), and the MSE judges only means, each at a drawn z."
    )
    st.markdown(
        ":green-badge[on one axis] **Bits per pixel** may be compared, and lower is better. Each is made of the "
        f"probability P of **the same stored image**, whose pixels are one of {levels} levels each. A density gives a "
        "level the area over the bin around it. The lanes then say what it takes to tell x once z is known; the curve "
        "with the KL, the one to judge by, also pays for z, and so is an upper bound on −log₂ P(x|w). Nats divided by "
        f"D ln 2 are bits per pixel. A uniform guess over the levels costs {uniform_bits(levels):.3g} bits."
    )
    if noisy and any_spec.binarize == "stochastic":
        st.markdown(
            "Not so here: with tossed pixels and noise together, the tosses of masses and densities differ, and so do "
            "the stored images. Leave one of the two out to compare."
        )
    if noisy:
        bin_width = "1" if levels == 2 else f"1/{levels - 1}"
        st.markdown(
            "With noise one level wide, a density's ELBO plus ln of the width of each pixel's bin bounds ln P(x|w) "
            f"from below, on average over the noise. A bin is {bin_width} wide; those of black and white end at 0 and "
            "1, where the noise is folded back, and are half as wide. (Theis, van den Oord & Bethge 2016, arXiv "
            "1511.01844.) The MSE of a density is of the noisy pixels, that of a mass of the stored ones."
        )
    page_link("pages/compare/page.py", "More of it, on shipped and own runs", ":material/bar_chart:")
