"""Grey pixels under BCE: five runs on the same grey digits, and what each one's number is the log of."""

from __future__ import annotations

import streamlit as st

from pages.experiments.parts import BADGES, GREY, Answer, chart, number, show_pictures, table, told
from pages.shared.figures import COLOURS, enlarged
from pages.shared.naming import badge
from pages.shared.numbers import nats
from vae_core.lessons.experiments import Row, grey_rows, late_rise, priced, share_of_levels
from vae_core.shipped import pictures
from vae_core.tiles import png

NAMES = {
    "loss": "Bernoulli, grey pixels (BCE)",
    "tossed": "Bernoulli, tossed pixels",
    "continuous": "Continuous Bernoulli",
    "continuous_noise": "Continuous Bernoulli, noise added",
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
QUESTION = "Predict first: for how many of these five runs can one say what the **stored grey image** costs, in bits?"
COUNTS = {"all": 5, "three": 3, "one": 1}
GUESSES = {"all": "All five", "three": "Three", "one": "One", "skip": "Just show me"}
UNIFORM = 8.0  # bits, of a guess that knows nothing of 256 levels


def show_numbers(rows: dict[str, Row]) -> None:
    """The number each maximises, and the digits as each sees them."""
    for (name, one), column in zip(rows.items(), st.columns(len(rows))):
        shown = pictures(one.spec)
        assert shown is not None
        with column, st.container(border=True):
            terms = "−BCE − KL" if one.spec.loss_only else "ELBO"
            st.markdown(f"**{name}**  \n{terms} **{nats(one.result.means.elbo)}** nats per image  \n{badge(one.spec)}")
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
    y = {"field": "run", "type": "nominal", "title": None, "sort": list(rows), "axis": {"labelLimit": 210}}
    y["scale"] = {"domain": list(rows)}
    x = number("bits", "bits per pixel of the stored grey image, lower is better", [0, 9])
    domain = [one.spec.likelihood for one in found.values()]
    colour = {"field": "decoder", "type": "nominal", "legend": None}
    colour["scale"] = {"domain": domain, "range": [COLOURS[key] for key in domain]}
    shape = {"field": "decoder", "type": "nominal", "legend": None}
    points = {"mark": {"type": "point", "filled": True, "size": 110}}
    points["encoding"] = {"x": x, "y": y, "color": colour, "shape": shape}
    labels = {
        "mark": {"type": "text", "dx": 26, "color": GREY},
        "encoding": {"x": x, "y": y, "text": {"field": "text"}},
    }
    none = {
        "data": {"values": [{"run": name} for name in rows if name not in found]},
        "mark": {"type": "text", "align": "left", "color": GREY, "text": "none: 254 levels have probability 0"},
        "encoding": {"x": {"value": 6}, "y": y},
    }
    uniform = {
        "data": {"values": [{"bits": UNIFORM}]},
        "mark": {"type": "rule", "strokeDash": [4, 3], "color": GREY},
        "encoding": {"x": x},
    }
    st.markdown(f"**What the stored grey image costs**  \n{BADGES['bits']}")
    flat = [{"run": n, "decoder": o.spec.likelihood, "bits": o.bits, "text": f"{o.bits:.3f}"} for n, o in found.items()]
    best = min(found, key=lambda name: found[name].bits or UNIFORM)
    alt = f"{len(found)} of {len(rows)} runs have a price in bits per pixel; {best} has the lowest, {found[best].bits:.3f}"
    chart(flat, [points, labels, none, uniform], "grey bits", alt)
    st.caption(f"Dashed: a uniform guess among 256 levels, {UNIFORM:g} bits. The KL is included.")


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
        f"Held out, {next(iter(rows.values())).spec.n_held_out:,} images, one drawn z each. MSE is to the pixels that a "
        "run sees: tosses and noise count as errors of the mean, so compare it among runs that see the same."
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
    lines = [
        "**The two Bernoullis** may be compared with each other. On grey x, −BCE is the mean of ln p over all "
        "black-and-white tosses of the image, each pixel white with its grey as chance. So both are bounds on the price "
        f"of a *tossed* image: {loss.bits_of_tosses:.3f} bits a pixel trained on greys, {tossed.bits_of_tosses:.3f} on "
        f"tosses, {abs(apart):.3f} apart. Neither says anything of the greys.",
        f"**The stored image** has one price in each of the other three, and these may be compared. "
        f"{_cheapest(rows)} is the cheapest.",
    ]
    if plain.result.means.elbo > noisy.result.means.elbo and price(plain) > price(noisy):
        lines.append(
            f"**A higher density, a worse price.** {100 * black:.0f} % of these pixels are exactly black and "
            f"{100 * white:.1f} % exactly white, and a density may pile up there. Without noise the continuous "
            f"Bernoulli's ELBO is {nats(plain.result.means.elbo)}, with noise {nats(noisy.result.means.elbo)} nats; it "
            f"spends {nats(plain.result.means.kl)} nats of KL on it, instead of {nats(noisy.result.means.kl)}; and a "
            f"pixel costs {price(plain):.3f} bits instead of {price(noisy):.3f}. In the last quarter of training it "
            f"still rose by {nats(rise, 0)} nats, with noise by {nats(rise_noisy, 0)}: that race has no end."
        )
    if price(logistic) < price(noisy):
        lines.append(
            "**Why the logistic is so much cheaper.** It has two numbers a pixel, where and how wide. The continuous "
            "Bernoulli has one: it can be narrow at black or white only, and with its mean at ½ it is the uniform, "
            "σ = 0.29."
        )
    return lines


def _cheapest(rows: dict[str, Row]) -> str:
    found = priced(rows)
    name = min(found, key=lambda one: found[one].bits or UNIFORM)
    return f"{name}, with {found[name].bits:.3f} bits,"
