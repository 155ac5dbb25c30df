"""Fit it: what trains in the browser is what torch trains, and people press, draw and switch while it does."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import Browser, Locator, Page, expect

from pages.shared.widget import SHARED
from pages.two_pixels.fit import HOW
from tests.browser.conftest import Server
from tests.browser.test_one_pixel import Sent
from tests.waiting import SECONDS, wait_until
from vae_core.lessons.two_pixels import PLANE
from vae_core.lessons.two_pixels_fit import (
    FLOOR,
    N_EPS,
    PRESETS,
    Fit,
    exact,
    first_weights,
    log_evidence,
    preset,
    terms,
    trained,
)

TRAIN = """({ points, fit, how, steps }) => {
  const trainer = makeTrainer(points, fit, how);
  const seen = { first: [...trainer.row], slopes: [...trainer.slopes], mean: trainer.mean };
  for (let step = 0; step < steps; step++) {
    if (!trainStep(trainer)) return { ...seen, failed: step, row: [...trainer.row] };
  }
  const best = [0, 1].map((latents) => exactBest(points, fit, latents, how));
  return { ...seen, row: [...trainer.row], points: evidenceOf(trainer), best };
}"""

FRAMES = """() => new Promise((done) => {
  let count = 0;
  const go = () => (++count < 12 ? requestAnimationFrame(go) : done());
  go();
})"""


@pytest.fixture(scope="module")
def tiny(browser: Browser):
    """A page without a server, with the training alone."""
    page = browser.new_page()
    for name in ("shared/svg", "two_pixels/exact", "two_pixels/tiny"):
        page.add_script_tag(content=(SHARED.parent / f"{name}.js").read_text(encoding="utf-8"))
    yield page
    page.close()


def train(tiny: Page, x: np.ndarray, fit: Fit, steps: int, **how: float) -> dict[str, Any]:
    given = {"points": x.tolist(), "fit": {"width": fit.width, "sigma": fit.sigma}, "how": HOW | how, "steps": steps}
    return tiny.evaluate(TRAIN, given)


@pytest.mark.parametrize(
    ("fit", "name", "steps"),
    [
        (Fit(), "ring", 500),
        (Fit(), "clusters", 50),
        (Fit(sigma=0.3), "banana", 50),
        (Fit(2), "banana", 500),
        (Fit(1, 1.0), "ring", 50),
        (Fit(0), "clusters", 500),
    ],
)
def test_the_browser_trains_as_torch_does(tiny: Page, fit: Fit, name: str, steps: int) -> None:
    x = preset(name)
    data = torch.from_numpy(x)
    found = train(tiny, x, fit, steps)
    assert found["first"] == pytest.approx(first_weights(fit), abs=1e-15)
    row = torch.tensor(first_weights(fit), dtype=torch.float64, requires_grad=True)
    mean = terms(fit, row, data, N_EPS).elbo.mean()
    (slopes,) = torch.autograd.grad(mean, row)
    assert found["mean"] == pytest.approx(mean.item(), abs=1e-12)
    assert found["slopes"][:-1] == pytest.approx(slopes[:-1].tolist(), abs=1e-9)
    assert found["slopes"][-1] == pytest.approx(slopes[-1].item() if fit.sigma is None else 0.0, abs=1e-9)
    row = trained(x, fit, steps)
    assert found["row"] == pytest.approx(row.tolist(), abs=1e-6)
    evidence, bound = log_evidence(fit, row, data), terms(fit, row, data).elbo
    assert [one["log"] for one in found["points"]] == pytest.approx(evidence.tolist(), abs=1e-6)
    assert [one["elbo"] for one in found["points"]] == pytest.approx(bound.tolist(), abs=1e-6)
    assert [one["gap"] for one in found["points"]] == pytest.approx((evidence - bound).tolist(), abs=1e-6)
    lines = [exact(x, fit, latents).log_likelihood for latents in (0, 1)]
    assert found["best"] == pytest.approx(lines, abs=1e-9)


def test_sigma_sinks_to_its_floor_in_the_browser_too(tiny: Page) -> None:
    found = train(tiny, np.array([[-1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]), Fit(), 3000)
    assert np.exp(0.5 * found["row"][-1]) == pytest.approx(FLOOR, rel=1e-12)


def test_points_in_one_place_and_steps_that_run_away(tiny: Page) -> None:
    same = np.tile([[0.4, -0.2]], (3, 1))
    for fit in (Fit(), Fit(0), Fit(sigma=0.3)):
        found = train(tiny, same, fit, 50)
        assert np.isfinite([*found["row"], *found["best"], *(one["gap"] for one in found["points"])]).all()
        assert found["best"][1] == pytest.approx(exact(same, fit, 1).log_likelihood, abs=1e-9)
    found = train(tiny, preset("ring"), Fit(), 5, rate=1e200)
    assert found["failed"] == 0
    assert found["row"] == found["first"]  # the last good state


# On the page ---------------------------------------------------------------------------------------------------------


def open_fit(page: Page, server: Server, query: str = "") -> Locator:
    page.goto(f"{server.url}/two_pixels?{query}")
    fit = page.locator(".fit")
    expect(page.locator(".fit[data-numbers]")).to_be_visible()
    expect(page.get_by_role("heading", name="Words")).to_be_visible()
    fit.locator(".plane").evaluate("one => one.scrollIntoView({ block: 'center' })")
    return fit


def numbers(fit: Locator) -> dict[str, Any]:
    return json.loads(fit.get_attribute("data-numbers") or "")


def press(fit: Locator, name: str) -> None:
    """A radio lies under its label."""
    fit.get_by_role("radio", name=name, exact=True).evaluate("one => one.click()")


def place(fit: Locator, x: float, y: float) -> tuple[float, float]:
    box = fit.locator(".plane canvas").bounding_box()
    assert box
    share = lambda value: (value - PLANE[0]) / (PLANE[1] - PLANE[0])
    return box["x"] + box["width"] * share(x), box["y"] + box["height"] * (1 - share(y))


def is_the_cores(seen: dict[str, Any]) -> None:
    """Paused, all that is shown is what torch makes of the same points in as many steps."""
    fit = Fit(int(seen["width"]), seen["at"] if seen["noise"] == "fixed" else None)
    x = np.array(seen["points"])
    row = trained(x, fit, seen["steps"])
    assert seen["row"] == pytest.approx(row.tolist(), abs=1e-6)
    data = torch.from_numpy(x)
    evidence, found = log_evidence(fit, row, data), terms(fit, row, data)
    assert seen["gaps"] == pytest.approx((evidence - found.elbo).tolist(), abs=1e-6)
    assert seen["kl"] == pytest.approx(found.kl.tolist(), abs=1e-6)
    means = [evidence.mean().item(), found.elbo.mean().item()]
    assert [seen["evidence"], seen["elbo"]] == pytest.approx(means, abs=1e-6)


def test_each_preset_is_fitted_and_the_server_hears_of_choices_alone(page: Page, server: Server) -> None:
    sent = Sent(page)
    fit = open_fit(page, server)
    go = fit.locator(".go")
    for name, label in zip(PRESETS, ("a ring", "a banana", "two clusters")):
        if name != "ring":
            before = sent.count
            press(fit, label)
            expect(page).to_have_url(re.compile(f"fit_points={name}"))
            assert sent.count == before + 1
        start = numbers(fit)
        assert (start["points"], start["steps"]) == (preset(name).tolist(), 0) and not start["running"]
        expect(go).to_have_text("Fit")
        before = sent.count
        go.click()
        expect(go).to_have_text("Pause")
        wait_until(lambda: numbers(fit)["steps"] >= 60)
        go.click()
        expect(go).to_have_text("Continue")
        assert sent.count == before, "nothing is sent while it trains"
        seen = numbers(fit)
        is_the_cores(seen)
        assert seen["elbo"] > start["elbo"] + 0.5
        expect(fit.locator(".heard")).to_contain_text(f"step {seen['steps']} · ELBO −{abs(seen['elbo']):.3f}")


def test_switching_to_and_fro_while_it_trains(page: Page, server: Server) -> None:
    fit = open_fit(page, server, "fit_points=banana&fit_noise=fixed&fit_at=1")
    fit.locator(".go").click()
    wait_until(lambda: numbers(fit)["steps"] >= 100)
    for name in ("a straight line", "2", "a ring", "learned", "a banana", "12 hidden units", "fixed, at"):
        press(fit, name)
        seen = numbers(fit)
        assert seen["running"] and seen["steps"] <= 40, (name, seen["steps"])
    wait_until(lambda: numbers(fit)["steps"] >= 110)
    expect(fit.locator(".found")).to_contain_text("Collapse")
    fit.locator(".go").click()
    seen = numbers(fit)
    is_the_cores(seen)
    assert np.mean(seen["kl"]) < 0.01
    assert seen["elbo"] == pytest.approx(exact(preset("banana"), Fit(sigma=1.0), 0).log_likelihood, abs=0.01)
    fit.get_by_role("button", name="Reset").click()
    assert numbers(fit)["row"] == pytest.approx(first_weights(Fit(sigma=1.0)), abs=1e-15)
    expect(fit.locator(".go")).to_have_text("Fit")


def test_a_sigma_that_is_none_is_told_and_the_last_good_one_stays(page: Page, server: Server) -> None:
    fit = open_fit(page, server, "fit_noise=fixed&fit_at=0.5")
    box = fit.get_by_role("textbox", name="σ, fixed")
    before = numbers(fit)
    for text in ("0", "wide", "", "2", "-1"):
        box.fill(text)
        box.press("Enter")
        expect(fit.locator(".refused")).to_have_text(
            f"σ cannot be “{text}”: it is a number from 0.05 to 1.5. It stays 0.5."
        )
        expect(box).to_have_value("0.5")
        assert numbers(fit)["row"] == before["row"]
    box.fill("0,25")
    box.press("Enter")
    expect(fit.locator(".refused")).to_have_text("")
    assert numbers(fit)["sigma"] == pytest.approx(0.25)


def test_points_are_drawn_by_mouse_and_by_keys(page: Page, server: Server) -> None:
    fit = open_fit(page, server, "fit_width=0")  # the quickest: 200 points are drawn, one by one
    told, go = fit.locator(".refused"), fit.locator(".go")
    page.mouse.click(*place(fit, 1.0, 1.0))
    expect(told).to_contain_text("choose “drawn by hand” first")
    press(fit, "drawn by hand")
    assert numbers(fit)["count"] == 0
    go.click()
    expect(told).to_contain_text("There are no points; a fit needs at least 3. Nothing was started.")
    page.mouse.click(*place(fit, 1.0, 1.5))
    assert numbers(fit)["points"][0] == pytest.approx([1.0, 1.5], abs=0.03)
    x, y = place(fit, -3.0, 0.0)
    page.mouse.click(x - 8, y)
    expect(told).to_contain_text("within −3 to 3 on both axes; nothing was added")
    plane = fit.get_by_role("application")
    plane.focus()
    for key in ("Shift+ArrowLeft", "Enter", "Shift+ArrowDown", "ArrowRight", "Space", "Enter", "Delete"):
        plane.press(key)
    assert numbers(fit)["points"][1:] == [[-0.5, 0.0], [-0.45, -0.5]]
    expect(fit.locator(".heard")).to_have_text("The last point is gone.")
    go.click()
    wait_until(lambda: numbers(fit)["steps"] >= 100)
    go.click()
    is_the_cores(numbers(fit))
    press(fit, "a ring")
    press(fit, "drawn by hand")
    assert numbers(fit)["count"] == 3  # they were kept
    plane.evaluate("""one => {
      for (let n = 0; n < 200; n++) one.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter" }));
    }""")
    expect(told).to_contain_text("There are 200 points, the most there can be")
    assert numbers(fit)["count"] == 200
    fit.get_by_role("button", name="Clear the points").click()
    assert numbers(fit)["count"] == 0


def test_by_touch_and_with_little_motion(browser: Browser, server: Server) -> None:
    context = browser.new_context(
        viewport={"width": 360, "height": 740},
        has_touch=True,
        is_mobile=True,
        color_scheme="dark",
        reduced_motion="reduce",
    )
    context.set_default_timeout(1000 * SECONDS)
    page = context.new_page()
    fit = open_fit(page, server, "fit_points=drawn&fit_width=0")
    for x, y in ((-1.0, 0.5), (0.5, 1.0), (1.0, -1.2)):
        page.touchscreen.tap(*place(fit, x, y))
    assert numbers(fit)["count"] == 3
    start = numbers(fit)["frames"]
    fit.locator(".go").evaluate("one => one.click()")
    expect(fit.locator(".go")).to_have_text("Continue")
    seen = numbers(fit)
    assert seen["steps"] == seen["limit"] == 3000  # it stops by itself
    assert seen["frames"] - start < 3000 / 10 / 5  # 10 steps a frame at most: one of many was drawn
    assert seen["elbo"] == pytest.approx(seen["known"][1], abs=0.02)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    fit.locator(".go").evaluate("one => one.click()")
    wait_until(lambda: numbers(fit)["steps"] > 3000)
    assert numbers(fit)["limit"] == 6000
    context.close()


def test_out_of_view_it_rests_and_a_bad_step_keeps_the_last_good_fit(page: Page, server: Server) -> None:
    fit = open_fit(page, server)
    fit.locator(".go").click()
    wait_until(lambda: numbers(fit)["steps"] >= 20)
    page.locator("h1").scroll_into_view_if_needed()
    page.evaluate(FRAMES)
    rested = numbers(fit)["steps"]
    page.evaluate(FRAMES)
    assert numbers(fit)["steps"] == rested and numbers(fit)["running"]
    fit.locator(".plane").scroll_into_view_if_needed()
    wait_until(lambda: numbers(fit)["steps"] > rested)
    page.evaluate("() => { Number.isFinite = () => false; }")  # as where the next step led to numbers that are not
    expect(fit.locator(".refused")).to_contain_text("A step led to numbers that are not finite")
    seen = numbers(fit)
    assert not seen["running"] and np.isfinite(seen["row"]).all()
    is_the_cores(seen)
