"""What happened in runs that move side by side, found in the numbers of their snapshots and told when it happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

from vae_core.likelihoods.base import bits_per_pixel
from vae_core.measures import ACTIVE_KL
from vae_core.spec import RunSpec

History = Sequence[Mapping[str, Any]]  # the numbers of each snapshot, first to last: see `runs.messages.numbers`
FLOOR_SHARES = (0.0, 0.1, 0.5)  # of the pixels: passing each is told
SETTLED = 0.05  # of the larger KL: a smaller lead is none
FELL = 1.0  # nats below the best held-out ELBO, and twice what it usually moves between snapshots: less is chance


@dataclass(frozen=True)
class Remark:
    step: int
    text: str
    runs: tuple[str, ...]  # whose it is


def remarks(histories: Mapping[str, History], specs: Mapping[str, RunSpec], names: Mapping[str, str]) -> list[Remark]:
    """Of all runs, in the order of the steps. All by run id; `names` are what the page calls them."""
    found: list[Remark] = []
    for run, history in histories.items():
        for each in (_floor, _latents, _positive, _turned):
            found += [Remark(step, text, (run,)) for step, text in each(history, specs[run])]
    for one, other in combinations(histories, 2):
        for step, leads, trails in _overtaken(one, histories[one], other, histories[other]):
            text = f"the KL of {names[leads]} overtook that of {names[trails]}"
            found.append(Remark(step, text, (leads, trails)))
    return sorted(found, key=lambda remark: remark.step)


def _floor(history: History, spec: RunSpec) -> Iterator[tuple[int, str]]:
    told = 0
    for numbers in history:
        pixels = numbers["sigma"]["pixels_on_floor"] if numbers.get("sigma") else 0.0
        passed = sum(pixels >= max(1.0, share * spec.n_pixels) for share in FLOOR_SHARES)
        if passed > told:
            does = "is at" if told else "reached"
            told = passed
            yield (
                numbers["step"],
                f"σ {does} its floor, {numbers['sigma']['floor']:.3g}, on {pixels:.0f} of {spec.n_pixels} pixels of "
                "an image, on average",
            )


def _latents(history: History, spec: RunSpec) -> Iterator[tuple[int, str]]:
    """Each time another number of latents is collapsed; before the first step most are."""
    before: int | None = None
    for numbers in history:
        collapsed = spec.latent_dim - numbers["active_latents"]
        if numbers["step"] and collapsed != before and (collapsed or before is not None):
            if collapsed:
                yield (
                    numbers["step"],
                    f"{collapsed} of {spec.latent_dim} latents collapsed (a KL below {ACTIVE_KL} nats)",
                )
            else:
                yield numbers["step"], f"all {spec.latent_dim} latents are active"
        if numbers["step"]:
            before = collapsed


def _positive(history: History, spec: RunSpec) -> Iterator[tuple[int, str]]:
    for earlier, later in pairwise(history):
        if earlier["elbo"] <= 0 < later["elbo"]:
            yield later["step"], "the ELBO rose above 0: a density may be larger than 1"
            return


def _turned(history: History, spec: RunSpec) -> Iterator[tuple[int, str]]:
    if len(history) < 4:
        return
    elbos = [numbers["elbo"] for numbers in history]
    late = elbos[len(elbos) // 2 :]
    usual = sum(abs(after - before) for before, after in pairwise(late)) / (len(late) - 1)
    # The last of a run is of all held-out images, those before it of some: it alone does not tell of a fall.
    if max(elbos) > max(elbos[-2:]) + max(FELL, 2 * usual):
        what = "−BCE − KL" if spec.loss_only else "ELBO"
        yield history[elbos.index(max(elbos))]["step"], f"its best held-out {what} so far; the last two are lower"


def _overtaken(one: str, history: History, other: str, history_of_other: History) -> Iterator[tuple[int, str, str]]:
    """The step, who leads now, and whom: at steps that both have, who had the smaller KL has the larger now."""
    kl_of_other = {numbers["step"]: numbers["kl"] for numbers in history_of_other}
    ahead = ""
    for numbers in history:
        kl, rival = numbers["kl"], kl_of_other.get(numbers["step"])
        if rival is None or not numbers["step"] or abs(kl - rival) <= SETTLED * max(kl, rival):
            continue
        leads, trails = (one, other) if kl > rival else (other, one)
        if ahead and leads != ahead:
            yield numbers["step"], leads, trails
        ahead = leads


def bits(numbers: Mapping[str, Any], spec: RunSpec) -> tuple[float, float] | None:
    """−E[ln P(x|z,w)] and with the KL, bits per pixel; None where P was not measured, or there is none."""
    if numbers.get("log_mass") is None:
        return None
    log_mass, kl = numbers["log_mass"], numbers["kl"]
    return bits_per_pixel(log_mass, spec.n_pixels, 0.0), bits_per_pixel(log_mass, spec.n_pixels, kl)
