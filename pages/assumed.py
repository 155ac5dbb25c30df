"""What a loss assumes about p(x|z,w), what will come of it, and both runs side by side."""

from __future__ import annotations

import math

import numpy as np
import streamlit as st

from pages.shared.address import PageSettings, choice, parse, real, whole
from pages.shared.commands import show_trouble, statuses, stop, train
from pages.shared.controls import link_to
from pages.shared.explain import ending, page_words
from pages.shared.figures import nats, scientific
from pages.shared.gallery import Report, reports
from pages.shared.lanes import KIND, heading, show_run
from pages.shared.runtime import get_engine, seconds_between_looks, show_engine_state, show_new_problem
from vae_core import assumed, exact
from vae_core.assumed import LOSSES, REDUCTIONS, LossCode, meaning
from vae_core.data import DATASETS, load_dataset
from vae_core.errors import SpecError, StoreError
from vae_core.likelihoods import LIKELIHOODS
from vae_core.spec import RunSpec

BUNDLED = [key for key, info in DATASETS.items() if info.openml is None]
EPOCHS = {"digits": 40}  # of small data; 15 of the others: enough to see a latent wake or stay asleep
LOSS_NAMES = {
    "squared": "Squared error",
    "absolute": "Absolute error",
    "bce_grey": "Binary cross-entropy, grey pixels",
    "bce_binary": "Binary cross-entropy, black-and-white pixels",
}
SYMBOLS = {"sigma2": "σ²", "b": "b", "beta": "β"}
OUTLOOKS = {  # to the parts of the page's words
    "collapse": "Collapse",
    "some": "Some",
    "noisy": "Noisy",
    "fair": "Fair",
    "too sure": "Too sure",
    "ceiling collapse": "Ceiling collapse",
    "no forecast": "No forecast",
}
SETTINGS = PageSettings(
    "assumed",
    {
        "loss": choice(LOSSES, "squared"),
        "half": choice(["no", "yes"], "no"),
        "pixels": choice(REDUCTIONS, "mean"),
        "batch": choice(REDUCTIONS, "mean"),
        "latents": choice(REDUCTIONS, "sum"),
        "kl_batch": choice(REDUCTIONS, "mean"),
        "weight": real(1e-9, 1e6, 1.0),
        "dataset": choice(BUNDLED, "mnist"),
        "latent_dim": whole(1, 32, 10),
        "batch_size": whole(8, 1024, 128),
    },
)
engine = get_engine()
store = engine.store
words = page_words("assumed")


# What the data say --------------------------------------------------------------------------------------------------


def _images(dataset: str, loss: str) -> np.ndarray:
    data = load_dataset(dataset)
    images = data.scaled(np.arange(len(data.images)))
    return images > 0.5 if loss == "bce_binary" else images


@st.cache_data(show_spinner="Reading the images", max_entries=6)
def eigenvalues(dataset: str) -> np.ndarray:
    return exact.eigenvalues(_images(dataset, "squared"))


@st.cache_data(show_spinner="Reading the images", max_entries=24)
def excess_error(dataset: str, loss: str) -> float:
    return exact.excess_error(_images(dataset, loss), loss.removesuffix("_grey").removesuffix("_binary"))


@st.cache_data(show_spinner="Reading the images", max_entries=64)
def noise_left(code: LossCode, dataset: str) -> float:
    return assumed.noise_left(code, _images(dataset, code.loss), eigenvalues(dataset))


# The form -----------------------------------------------------------------------------------------------------------


def form() -> LossCode:
    reduced = lambda label, name: st.segmented_control(label, REDUCTIONS, required=True, **SETTINGS.keep(name))
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.selectbox("The error", LOSSES, format_func=LOSS_NAMES.__getitem__, width=320, **SETTINGS.keep("loss"))
            st.segmented_control(
                "½ before it",
                ["no", "yes"],
                required=True,
                disabled=SETTINGS["loss"] != "squared",
                **SETTINGS.keep("half"),
            )
            reduced("Over pixels", "pixels")
            reduced("Over the batch", "batch")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            reduced("KL over latents", "latents")
            reduced("KL over the batch", "kl_batch")
            st.number_input(
                "Weight c of the KL", 1e-9, 1e6, step=0.1, format="%g", width=150, **SETTINGS.keep("weight")
            )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            title = lambda key: f"{DATASETS[key].title}, D = {DATASETS[key].n_pixels}"
            st.selectbox("Images", BUNDLED, format_func=title, width=320, **SETTINGS.keep("dataset"))
            st.number_input("Latents J", 1, 32, width=130, **SETTINGS.keep("latent_dim"))
            st.number_input("Batch size B", 8, 1024, width=130, **SETTINGS.keep("batch_size"))
    return code_of({name: SETTINGS[name] for name in SETTINGS.settings})


def code_of(values: dict[str, object]) -> LossCode:
    n_pixels = DATASETS[str(values["dataset"])].n_pixels
    names = values.keys() - {"dataset", "half"}
    return LossCode(half=values["half"] == "yes", n_pixels=n_pixels, **{name: values[name] for name in names})  # type: ignore[arg-type]


def settings_of(report: Report) -> dict[str, object]:
    values, _ = parse(SETTINGS.settings, report.address)
    return {name: values.get(name, setting.default) for name, setting in SETTINGS.settings.items()}


def fill_in(report: Report) -> None:
    for name, value in settings_of(report).items():
        SETTINGS[name] = value
    st.toast(f"The form at the top now has the loss of {report.title}.", icon=":material/edit_note:")


# What it means ------------------------------------------------------------------------------------------------------


def number(value: float) -> str:
    if value == 0 or 1e-4 <= value < 1e6:
        return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
    return scientific(value, 2)


def noise_words(code: LossCode) -> str:
    """The parameter that the code sets, as a table's cell and a report's line show it."""
    found = meaning(code)
    if found.parameter == "sigma2":
        return f"σ² = {number(found.value)}, σ = {number(found.deviation)}"
    return f"{SYMBOLS[found.parameter]} = {number(found.value)}"


def show_meaning(code: LossCode) -> None:
    found = meaning(code)
    kind = KIND[LIKELIHOODS[found.likelihood].kind]
    badge = kind if found.normalised else ":orange-badge[a loss, ln of no distribution]"
    if found.parameter == "sigma2":
        st.markdown(f"**p(x|z,w) = N(x; μ, σ²I)** {badge}")
        say = (
            f"Every pixel is μ plus Gaussian noise of standard deviation **σ = {number(found.deviation)}**; black "
            f"to white is 1. The same best weights: ½·SSE + {number(found.value)}·KL."
        )
    elif found.parameter == "b":
        st.markdown(f"**p(x|z,w) = Laplace(x; μ, b)**, pixel by pixel {badge}")
        say = (
            f"Every pixel is μ plus Laplace noise of scale **b = {number(found.value)}**, standard deviation √2·b = "
            f"{number(found.deviation)}, where black to white is 1. The same best weights: absolute error + "
            f"β·KL with β = {number(found.value)}."
        )
    else:
        name = "p(x|z,w) = Bernoulli(x; λ), pixel by pixel" if found.normalised else "No p(x|z,w)"
        st.markdown(f"**{name}** {badge}")
        times = f"The KL weighs **β = {number(found.value)}** times what the ELBO gives it."
        say = "The KL has the weight that the ELBO gives it, **β = 1**." if math.isclose(found.value, 1) else times
        say += " A Bernoulli has no width that could absorb this factor." if found.normalised else ""
    st.latex(assumed.derivation(code))
    st.markdown(say)
    if not found.normalised:
        st.markdown(words["No likelihood"])
    inside = (
        f"(−ELBO at this {SYMBOLS[found.parameter]})"
        if found.parameter != "beta"
        else f"(BCE + {number(found.value)}·KL)"
    )
    offset = f" {'−' if found.offset < 0 else '+'} {number(abs(found.offset))}" if found.offset else ""
    st.caption(f"Exactly: loss = {number(found.scale)} × {inside}{offset}, in nats per image, averaged over the batch.")


# The forecast -------------------------------------------------------------------------------------------------------


def show_forecast(code: LossCode, right: LossCode, dataset: str) -> None:
    st.markdown(words["Forecast"])
    codes = {"What you wrote": code} if assumed.right_already(code) else {"What you wrote": code, "Corrected": right}
    values = eigenvalues(dataset)
    seen = [assumed.forecast(one, values, excess_error(dataset, one.loss)) for one in codes.values()]
    rows = [["", *codes], ["---"] * (len(codes) + 1), ["What it assumes", *map(noise_words, codes.values())]]
    linear = [one.linear for one in seen if one.linear]
    if linear:
        rows += [
            ["Linear decoder: latents in use", *(f"{one.active} of {code.latent_dim}" for one in linear)],
            ["Linear decoder: KL, nats", *(nats(one.kl) for one in linear)],
            ["Linear decoder: ln p(x|w), nats, density", *(nats(one.log_likelihood) for one in linear)],
        ]
    rows.append(["Any decoder: KL at most, nats", *(number(one.most_kl) for one in seen)])
    outlook = assumed.outlook(code, seen[0], exact.best_variance(values, code.latent_dim))
    tell, icon = (
        (st.info, ":material/info:") if outlook in ("fair", "no forecast") else (st.warning, ":material/warning:")
    )
    tell(words[OUTLOOKS[outlook]], icon=icon)
    escaped = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    st.markdown("\n".join(f"| {' | '.join(row)} |" for row in escaped))


# The runs -----------------------------------------------------------------------------------------------------------


def specs_of(code: LossCode, right: LossCode, dataset: str) -> dict[str, RunSpec]:
    """By lane; what cannot be run is told."""
    epochs = EPOCHS.get(dataset, 15)
    specs = {}
    try:
        specs["What you wrote"] = assumed.run_spec(code, dataset, epochs)
    except SpecError as error:
        st.info(f"What you wrote cannot be run here: {error}", icon=":material/block:")
    if not assumed.right_already(code):
        specs["Corrected"] = assumed.run_spec(right, dataset, epochs)
    return specs


def show_runs(specs: dict[str, RunSpec]) -> None:
    drawn = statuses(store, specs.values())
    runs = [run for spec in specs.values() if (run := store.run(spec.id))]
    active = [run for run in runs if run.active]
    waiting = [
        spec for spec, status in zip(specs.values(), drawn) if status not in ("queued", "running", "done", "diverged")
    ]
    with st.container(horizontal=True):
        if active:
            st.button("Stop", on_click=stop, args=(active,), icon=":material/stop:", type="primary")
        else:
            st.button(
                "Run it",
                on_click=train,
                args=(waiting,),
                disabled=not waiting,
                icon=":material/play_arrow:",
                type="primary",
                help="Already trained: same settings, same result." if not waiting else None,
            )
    show_trouble()
    if not runs:
        return

    @st.fragment(run_every=seconds_between_looks() if active else None, key="assumed_lanes")
    def lanes() -> None:
        try:
            show_new_problem(engine)
            for (lane, spec), column in zip(specs.items(), st.columns(len(specs))):
                with column, st.container(border=True, key=f"run_{lane.split()[0].lower()}"):
                    show_lane(lane, spec)
            if statuses(store, specs.values()) != drawn:
                st.rerun()
        except StoreError as error:
            st.error(str(error), icon=":material/hard_drive:")

    lanes()


def show_lane(lane: str, spec: RunSpec) -> None:
    st.markdown(f"**{lane}**")
    heading(spec)
    if spec.beta != 1:
        st.caption(f"Trained with β = {number(spec.beta)}; the ELBO shown has weight 1.")
    show_run(store, lane, spec)
    st.page_link("pages/train.py", label="Open it on the Train page", query_params=link_to([spec]))


# The page -----------------------------------------------------------------------------------------------------------

SETTINGS.follow()
st.title("Which σ² did your loss assume?")
st.markdown(words[""])
code = form()
SETTINGS.mirror()
dataset = SETTINGS["dataset"]
written, means = st.columns(2, gap="medium")
with written:
    st.subheader("What you wrote")
    st.code(assumed.lines_written(code), language="python", wrap_lines=True)
    st.markdown(words["The rule"])
with means:
    st.subheader("What it assumes")
    show_meaning(code)

noise = noise_left(code, dataset)
right = assumed.corrected(code, noise)
st.subheader("What will happen")
show_forecast(code, right, dataset)
st.subheader("The corrected lines")
st.markdown(words["Corrected"])
st.code(assumed.lines_corrected(code, noise), language="python", wrap_lines=True)
if noise:
    st.caption(
        f"{noise_words(right)}: the error of {code.latent_dim} principal components on these images. It is a "
        "place to start from; your trained decoder's own residuals decide."
    )
st.subheader("Run it")
st.markdown(words["Run it"])
show_engine_state(engine)
try:
    show_runs(specs_of(code, right, dataset))
except StoreError as error:
    st.error(str(error), icon=":material/hard_drive:")

st.subheader("Real reports", anchor="real-reports")
st.markdown(words["Real reports"])
gallery = reports()
for start in range(0, len(gallery), 2):
    for report, column in zip(gallery[start : start + 2], st.columns(2)):
        with column, st.container(border=True, height="stretch"):
            st.markdown(f"**[{report.title}]({report.link})**\n\n{report.text}")
            st.caption(f"Here: {noise_words(code_of(settings_of(report)))}")
            st.button("Set the form to this", key=f"report {report.title}", on_click=fill_in, args=(report,))
ending(words)
