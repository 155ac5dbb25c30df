"""The floor: a learned variance that may be ever smaller, on pixels that are only ever black or white."""

from __future__ import annotations

from typing import Any

import streamlit as st

from pages.experiments.parts import BADGES, Answer, baseline, chart, number, show_pictures, table, told
from pages.shared.figures import COLOURS, QUIET
from pages.shared.numbers import RAISED, nats
from vae_core.lessons.experiments import (
    Row,
    cost_of_a_miss,
    floor_rows,
    gain_as_probability,
    gain_at_floor,
    price_of_a_miss,
)
from vae_core.measures import trend

ROWS = {f"e{str(power).translate(RAISED)}": one for power, one in floor_rows().items()}
QUESTION = "Predict first: as the floor falls, what do the bits per pixel of held-out digits do?"
GUESSES = {"fall": "They fall", "same": "They stay the same", "rise": "They rise", "skip": "Just show me"}
DOES = {"grows": "rise", "shrinks": "fall", "same": "same", "neither": "neither"}
PARTS = ["training", "held out"]
SAYS = {"rise": "rise", "fall": "fall", "same": "stay the same", "neither": "go up and down"}


def column_of(rows: dict[str, Row], what: str) -> list[float]:
    """A number of each run, from the highest floor."""
    take = {
        "training": lambda one: one.result.train.elbo,
        "held out": lambda one: one.result.means.elbo,
        "bits": lambda one: one.bits,
        "mse": lambda one: one.result.means.mse,
    }[what]
    return [take(one) for one in rows.values()]


def show_charts(rows: dict[str, Row], revealed: bool) -> None:
    """Three frames, in which before the guess the first floor alone stands."""
    names = list(rows) if revealed else list(rows)[:1]
    says = f"from the floor {names[0]} to {names[-1]}" if revealed else f"at the floor {names[0]}, the others hidden"
    x = {"field": "floor", "type": "ordinal", "title": "floor on σ²", "scale": {"domain": list(rows)}}
    x["axis"] = {"labelAngle": 0, "grid": True}
    line = lambda y, **how: {"mark": {"type": "line", "point": {"size": 60}}, "encoding": {"x": x, "y": y, **how}}
    fixed = {"color": {"value": COLOURS["gaussian_learned"]}}
    by_part = lambda ends: {"field": "part", "type": "nominal", "scale": {"domain": PARTS, "range": ends}}
    legend = {
        "legend": {"title": None, "orient": "top", "offset": 2, "columns": 1, "symbolType": "stroke", "symbolSize": 400}
    }
    parts = {
        "strokeDash": by_part([[4, 3], [1, 0]]) | legend,
        "color": by_part([QUIET, COLOURS["gaussian_learned"]]) | legend,
    }
    left, middle, right = st.columns(3)
    with left:
        values = {part: dict(zip(rows, column_of(rows, part))) for part in PARTS}
        flat = [{"floor": name, "part": part, "elbo": values[part][name]} for part in values for name in names]
        st.markdown(f"**Its own ELBO**, nats per image  \n{BADGES['density']}")
        alt = f"The ELBO as a density, {says}: {_to(column_of(rows, 'held out'), revealed, 0)} nats held out"
        chart(flat, [line(number("elbo", "ELBO, nats", [0, 1800]), **parts)], "floor elbo", alt)
    single: list[tuple[Any, str, str, list[float], int]] = [
        (middle, "bits", "**The image's price**, bits per pixel, lower is better", [0.2, 0.45], 3),
        (right, "mse", "**MSE** per pixel, lower is better", [0.03, 0.06], 4),
    ]
    for place, what, heading, domain, places in single:
        with place:
            st.markdown(f"{heading}  \n{BADGES[what]}")
            values_of = column_of(rows, what)
            flat = [{"floor": name, what: value} for name, value in zip(names, values_of)]
            unit = {"bits": "bits per pixel", "mse": "MSE per pixel"}[what]
            alt = f"{unit}, held out, {says}: {_to(values_of, revealed, places)}"
            chart(flat, [line(number(what, unit, domain), **fixed)], f"floor {what}", alt)


def _to(values: list[float], revealed: bool, places: int) -> str:
    first, last = (nats(value, places) for value in (values[0], values[-1]))
    return f"{first} to {last}" if revealed else first


def show_reveal(rows: dict[str, Row], guess: str) -> None:
    bits = column_of(rows, "bits")
    seen = DOES[trend(bits)]
    answers = {key: Answer(f"they {SAYS[key]}", key == seen) for key in SAYS}
    names = list(rows)
    st.info(
        f"{told(guess, answers)}**They {SAYS[seen]}**: {nats(bits[0], 3)} bits at {names[0]}, {nats(bits[-1], 3)} at "
        f"{names[-1]}. A coin toss for each pixel costs 1, and each pixel's own histogram, which knows no z, "
        f"{baseline(next(iter(rows.values())).spec).histogram_bits:.3f}. {_own_elbo(rows)}",
        icon=":material/visibility:",
    )


def _own_elbo(rows: dict[str, Row]) -> str:
    """What the ELBO itself does, on both parts of the images."""
    names, train, held_out = list(rows), column_of(rows, "training"), column_of(rows, "held out")
    best = held_out.index(max(held_out))
    at = lambda values, i: f"{nats(values[i])} at {names[i]}"
    does = {"grows": "grows at each step", "shrinks": "falls at each step"}.get(trend(train), "moves")
    text = f"Its own ELBO, in nats, {does} on the training images, to {at(train, -1)}"
    if best == len(names) - 1:
        return f"{text}, and on held-out ones to {at(held_out, -1)}."
    return f"{text}; on held-out ones it is highest with {at(held_out, best)}, and {at(held_out, -1)}."


def show_details(rows: dict[str, Row]) -> None:
    columns = ["σ² at least", "Own ELBO, training", "Own ELBO, held out", "ELBO as probability", "Bits per pixel"]
    columns += ["MSE per pixel", "Pixels at the floor", "Largest σ"]
    cells = {}
    for name, one in rows.items():
        means, sigma = one.result.means, one.result.sigma
        assert sigma is not None and one.elbo_mass is not None and one.bits is not None
        numbers = [f"{one.spec.variance_floor:g}", nats(one.result.train.elbo), nats(means.elbo), nats(one.elbo_mass)]
        numbers += [f"{one.bits:.3f}", f"{means.mse:.4f}", f"{sigma.pixels_on_floor:.0f}", f"{sigma.largest:.3g}"]
        cells[name] = numbers
    table(cells, columns, "What each floor gave: density ELBO, ELBO as probability, bits per pixel and MSE")
    st.caption(
        f"Own ELBO {BADGES['density']}; as probability {BADGES['mass']}: nats per image. Held out unless said, "
        f"{next(iter(rows.values())).spec.n_held_out:,} images, one drawn z each. Pixels at the floor: of 784, a mean."
    )
    st.markdown("\n".join(f"- {line}" for line in sentences(rows)))
    show_pictures(rows, inputs=False)


def sentences(rows: dict[str, Row]) -> list[str]:
    """What these numbers say, in words that follow them."""
    names, all_rows = list(rows), list(rows.values())
    (high, low), (first, last) = names[:2], (all_rows[0], all_rows[-1])
    at_floor = all_rows[1].result.sigma
    assert at_floor is not None
    rise = all_rows[1].result.means.reconstruction - first.result.means.reconstruction
    alone = gain_at_floor(at_floor.pixels_on_floor, 2)
    floors = [one.spec.variance_floor for one in all_rows[:2]]
    in_mass = gain_as_probability(at_floor.pixels_on_floor, *floors)
    after, before = all_rows[1].result.means.log_mass, first.result.means.log_mass
    assert after is not None and before is not None
    others = "The other pixels lose more than that." if after < before else ""
    return [
        f"**Where the nats come from.** Each power of e that the floor gives way is worth ½ nat at every pixel that "
        f"follows it and is exact. From {high} to {low}, {at_floor.pixels_on_floor:.0f} pixels follow: that alone is "
        f"worth {nats(alone, 0)} nats of density, and the reconstruction term rises by {nats(rise, 0)}. As probability "
        f"it is worth {nats(in_mass)} nats: that a black corner is black was near certain before. {others}",
        f"**What a surprise costs.** A pixel promised black at σ² = {names[-1]} that turns out white costs "
        f"{nats(price_of_a_miss(last.spec.variance_floor), 0)} nats of probability, at {names[0]} only "
        f"{nats(price_of_a_miss(first.spec.variance_floor))}; of density "
        f"{nats(cost_of_a_miss(last.spec.variance_floor), 0)} and "
        f"{nats(cost_of_a_miss(first.spec.variance_floor), 0)}.",
    ]
