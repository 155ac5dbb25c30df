"""Grey pixels under BCE: five runs on the same grey digits, and what each one's number is the log of."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.experiments.parts import BADGES, Answer, baseline, chart, number, show_pictures, table, told
from pages.shared.figures import COLOURS, QUIET, enlarged
from pages.shared.naming import ln_p_is
from pages.shared.numbers import nats
from vae_core.lessons.experiments import Row, grey_rows, late_rise, priced, share_of_levels
from vae_core.likelihoods.base import uniform_bits
from vae_core.shipped import pictures
from vae_core.tiles import png

NAMES = {
    "loss": "Bernoulli, greys (BCE)",
    "tossed": "Bernoulli, tossed",
    "continuous": "Continuous Bernoulli",
    "continuous_noise": "Continuous, noise added",
    "logistic": "Discretised logistic",
}
ROWS = {NAMES[key]: one for key, one in grey_rows().items()}
WHAT = {  # it is the ln of
    "loss": "no probability of a grey image; the mean of ln p over all its tosses",
    "tossed": "the probability of one toss of it, black or white",
    "continuous": "a density of its greys, which has no upper bound at exact black and white",
    "continuous_noise": "a density of its greys with noise one level wide",
    "logistic": "the probability of the stored image, 256 levels a pixel",
}
QUESTION = "Predict first: for how many of these five runs can one say what the stored grey image costs, in bits?"
COUNTS = {"all": 5, "three": 3, "one": 1}
GUESSES = {"all": "All five", "three": "Three", "one": "One", "skip": "Just show me"}
SHORT = {  # badges for narrow cards
    "mass": ":blue-badge[ln of a mass]",
    "density": ":violet-badge[ln of a density]",
    "loss": ":orange-badge[a loss, not ln p]",
}
UNIFORM = uniform_bits(ROWS[NAMES["logistic"]].spec.n_levels)  # bits a pixel, of a guess that knows nothing


def show_numbers(rows: dict[str, Row]) -> None:
    """The number each maximises, and the digits as each sees them."""
    for (name, one), column in zip(rows.items(), st.columns(len(rows))):
        shown = pictures(one.spec)
        assert shown is not None
        with column, st.container(border=True):
            terms = "−BCE − KL" if one.spec.loss_only else "ELBO"
            st.markdown(
                f"**{name}**  \n{terms} **{nats(one.result.means.elbo)}** nats per image  \n{SHORT[ln_p_is(one.spec)]}"
            )
            alt = f"Three held-out digits as {name} sees them"
            st.image(enlarged(png(shown["input"][:3], columns=3)), caption="x as it sees them", width=150, alt=alt)


def show_reveal(rows: dict[str, Row], guess: str) -> None:
    found = priced(rows)
    answers = {key: Answer(GUESSES[key].lower(), count == len(found)) for key, count in COUNTS.items()}
    count = {0: "None", 1: "One", 2: "Two", 3: "Three", 4: "Four", 5: "All five"}[len(found)]
    prices = "; ".join(f"{name} {one.bits:.3f}" for name, one in found.items())
    st.info(
        f"{told(guess, answers)}**{count}**, in bits per pixel: {prices}. A Bernoulli knows two levels only: it gives "
        "the other 254 probability 0.",
        icon=":material/visibility:",
    )


def show_prices(rows: dict[str, Row]) -> None:
    """Bits per pixel of the stored image, where there are any."""
    found = priced(rows)
    y: dict[str, Any] = {"field": "run", "type": "nominal", "title": None, "scale": {"domain": list(rows)}}
    y["axis"] = {"labelLimit": 210}
    x = number("bits", "bits per pixel of the stored grey image, lower is better", [0, 9])
    domain = [one.spec.likelihood for one in found.values()]
    of_decoder: dict[str, Any] = {"field": "decoder", "type": "nominal", "legend": None}
    colour = of_decoder | {"scale": {"domain": domain, "range": [COLOURS[key] for key in domain]}}
    points = {
        "mark": {"type": "point", "filled": True, "size": 110},
        "encoding": {"x": x, "y": y, "color": colour, "shape": of_decoder},
    }
    labels = {
        "mark": {"type": "text", "dx": 26, "color": "currentColor"},
        "encoding": {"x": x, "y": y, "text": {"field": "text"}},
    }
    none = {
        "data": {"values": [{"run": name} for name in rows if name not in found]},
        "mark": {"type": "text", "align": "left", "color": "currentColor", "text": "none"},
        "encoding": {"x": {"value": 6}, "y": y},
    }
    known = baseline(rows[NAMES["logistic"]].spec)
    lines = {
        "data": {"values": [{"bits": known.uniform_bits}, {"bits": known.histogram_bits}]},
        "mark": {"type": "rule", "strokeDash": [4, 3], "color": QUIET},
        "encoding": {"x": x},
    }
    st.markdown(f"**What the stored grey image costs**  \n{BADGES['bits']}")
    flat = [{"run": n, "decoder": o.spec.likelihood, "bits": o.bits, "text": f"{o.bits:.3f}"} for n, o in found.items()]
    best = min(found, key=lambda name: found[name].bits or UNIFORM)
    alt = f"{len(found)} of {len(rows)} runs have a price in bits per pixel; lowest: {best}, {found[best].bits:.3f}"
    chart(flat, [points, labels, none, lines], "grey bits", alt)
    st.caption(
        "Dashed: each pixel's own histogram over the training images, which knows no z, "
        f"{known.histogram_bits:.3f} bits; and a uniform guess among 256 levels, {known.uniform_bits:g} bits. "
        "The KL is included."
    )


def show_details(rows: dict[str, Row]) -> None:
    columns = [
        "Its number, nats",
        "is ln of",
        "Bits per pixel, stored",
        "Bits per pixel, tossed",
        "KL, nats",
        "MSE to x",
    ]
    cells = {}
    for (name, one), key in zip(rows.items(), WHAT):
        means = one.result.means
        in_bits = ["–" if bits is None else f"{bits:.3f}" for bits in (_stored(one), one.bits_of_tosses)]
        cells[name] = [nats(means.elbo), WHAT[key], *in_bits, nats(means.kl), f"{means.mse:.4f}"]
    table(cells, columns, "The number of each run, what it is the log of, and what the image costs in bits")
    st.caption(
        f"Held out, {next(iter(rows.values())).spec.n_held_out:,} images, one drawn z each. MSE is to the pixels a run "
        "sees: tosses and noise count as errors of the mean, so compare it among runs that see the same."
    )
    st.markdown("\n".join(f"- {line}" for line in sentences(rows)))
    show_pictures(rows)


def _stored(one: Row) -> float | None:
    return one.bits if one.spec.n_levels > 2 else None


def sentences(rows: dict[str, Row]) -> list[str]:
    """What may be compared, and what came out; in words that follow the numbers."""
    loss, tossed, plain, noisy, logistic = rows.values()
    price = lambda one: one.bits or UNIFORM
    apart = (loss.bits_of_tosses or 0) - (tossed.bits_of_tosses or 0)
    black, white = share_of_levels(plain.spec)
    rise, rise_noisy = late_rise(plain), late_rise(noisy)
    means, noisy_means = plain.result.means, noisy.result.means
    # What z leaves to tell may have become cheaper, and what z costs dearer by more.
    kl_alone = ", all of it for the KL" if (means.log_mass or 0) > (noisy_means.log_mass or 0) else ""
    lines = [
        "**The two Bernoullis** may be compared with each other. On grey x, −BCE is the mean of ln p over all "
        "black-and-white tosses of the image, each pixel white with its grey as chance. So both bound the price of "
        f"a *tossed* image: {loss.bits_of_tosses:.3f} bits a pixel trained on greys, {tossed.bits_of_tosses:.3f} on "
        f"tosses, {abs(apart):.3f} apart. Neither says anything of the greys.",
        f"**The stored image** has one price in each of the other three, and these may be compared. "
        f"{_cheapest(rows)} is the cheapest.",
    ]
    if means.elbo > noisy_means.elbo and price(plain) > price(noisy):
        lines.append(
            f"**A higher density, a worse price.** {100 * black:.0f} % of these pixels are exactly black and "
            f"{100 * white:.1f} % exactly white, and a density may pile up there. Without noise the continuous "
            f"Bernoulli's ELBO is {nats(means.elbo)} nats, with noise {nats(noisy_means.elbo)}; its "
            f"KL is {nats(means.kl)} nats instead of {nats(noisy_means.kl)}; and a pixel costs "
            f"{price(plain):.3f} bits instead of {price(noisy):.3f}{kl_alone}. Over the last quarter of training it "
            f"rose by {nats(rise, 0)} nats, with noise by {nats(rise_noisy, 0)}: without noise nothing bounds it."
        )
    if price(logistic) < price(noisy):
        lines.append(
            "**Why the logistic is so much cheaper.** Mostly because of black. The logistic's bin of black is open: a "
            "μ far enough below 0 gives it all the probability there is. A continuous Bernoulli ends at 0 and must "
            "crowd into black's half bin, 1/510 wide; to give black 93 %, its a must be some 1,400 below 0."
        )
    return lines


def _cheapest(rows: dict[str, Row]) -> str:
    found = priced(rows)
    name = min(found, key=lambda one: found[one].bits or UNIFORM)
    return f"{name}, with {found[name].bits:.3f} bits,"
