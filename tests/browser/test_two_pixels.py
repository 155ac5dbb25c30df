"""Two pixels as a person drags it, by mouse, keys and finger: every number adds up, and what is sent, and when."""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Server
from tests.browser.test_one_pixel import Sent
from tests.browser.test_two_pixels_js import check, core
from tests.waiting import wait_until
from vae_core.lessons.two_pixels import CORNERS, PLANE, Bernoulli, best_q, corners, gap
from vae_core.lessons.two_pixels_draws import reach


def open_page(page: Page, server: Server, query: str = "") -> None:
    page.goto(f"{server.url}/two_pixels?{query}")
    expect(page.locator(".two-pixels[data-numbers]")).to_be_visible()
    expect(page.get_by_role("heading", name="Words")).to_be_visible()  # the last thing on the page


def numbers(page: Page) -> dict[str, Any]:
    """What the picture holds, after its next frame."""
    next_frame = "async (root) => { await new Promise(requestAnimationFrame); return root.dataset.numbers }"
    return json.loads(page.locator(".two-pixels").evaluate(next_frame))


def middle(page: Page, panel: str, name: str) -> tuple[float, float]:
    box = page.locator(f"[data-panel={panel}] .handle.{name} .mark").bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drag(page: Page, panel: str, name: str, across: float, down: float, moves: int = 6) -> list[dict[str, Any]]:
    """What is seen at each move, the pointer still down."""
    x, y = middle(page, panel, name)
    page.mouse.move(x, y)
    page.mouse.down()
    seen = []
    for move in range(1, moves + 1):
        page.mouse.move(x + across * move / moves, y + down * move / moves)
        seen.append(numbers(page))
    return seen


DRAGS = [
    ("plane", "x", 90, -70),
    ("plane", "z", 120, -60),
    ("plane", "sigma", 40, -40),
    ("latent", "z", -150, 0),
    ("latent", "m", 120, 0),
    ("latent", "s", 60, 0),
]


@pytest.mark.parametrize(
    "query", ["", "curve=loop&noise=changes&b=-0.7&x1=0.3&sigma=0.2&follows=yes", "likelihood=bernoulli&curve=line"]
)
def test_every_drag_adds_up(page: Page, server: Server, query: str) -> None:
    open_page(page, server, query)
    seen = [numbers(page)]
    coins = seen[0]["likelihood"] == "bernoulli"
    for panel, name, across, down in DRAGS:
        if coins and name in ("x", "sigma"):
            continue
        before = seen[-1]
        moved = drag(page, panel, name, across, down)
        page.mouse.up()
        names = ("x1", "x2") if name == "x" else (name,)
        assert all(moved[-1][one] != before[one] for one in names), name
        seen += moved
    if coins:
        for corner in ("00", "10", "01"):
            box = page.locator(f"[data-panel=plane] [data-corner='{corner}']").bounding_box()
            assert box
            page.mouse.click(box["x"] + box["width"] / 2 + 3, box["y"] + box["height"] / 2)
            expect(page.get_by_role("combobox", name="x, the image")).to_have_value(corner)
            seen.append(numbers(page))
    for one in seen:
        check(one, one | fresh(one))
        if one["follows"] == "yes":
            assert one["gap"] == pytest.approx(one["best"]["gap"], abs=1e-9)
    assert len({json.dumps(one) for one in seen}) > 15


def fresh(one: dict[str, Any]) -> dict[str, Any]:
    """The draws are worked out while something is dragged only where they are seen: they may be those of before."""
    decoder, x, q = core(one)
    share, missed = reach(decoder, x, q)
    return {"share": share, "missed": missed}


def test_a_drag_is_told_to_the_server_once_and_only_at_its_end(page: Page, server: Server) -> None:
    sent = Sent(page)
    open_page(page, server, "follows=yes")
    before, drawn = sent.count, numbers(page)["drawn"]
    page.evaluate("() => { window.seen = 0; const go = () => { window.seen++; requestAnimationFrame(go) }; go() }")
    held = drag(page, "plane", "x", -150, 60, moves=40)[-1]
    assert sent.count == before, "nothing is sent while the pointer is down"
    assert 10 < held["drawn"] - drawn <= page.evaluate("window.seen") + 2, "at most one drawing a frame"
    page.mouse.up()
    expect(page).to_have_url(re.compile(rf"x1={held['x1']:g}(&|$)"))
    assert sent.count == before + 1
    kept = numbers(page)
    assert (kept["x1"], kept["m"]) == (held["x1"], held["m"])
    page.reload()
    expect(page.locator(".two-pixels[data-numbers]")).to_be_visible()
    again = numbers(page)
    for name in ("x1", "x2", "m", "s", "log_evidence", "elbo", "gap", "bound"):
        assert again[name] == pytest.approx(kept[name], abs=1e-6), name


def test_the_picture_and_its_bar_stand_on_the_first_screen(page: Page, server: Server) -> None:
    page.set_viewport_size({"width": 1280, "height": 800})
    for query in ("", "curve=hairpin&x1=-1&x2=0.1&sigma=0.3", "likelihood=bernoulli"):
        open_page(page, server, query)
        for part in ("[data-panel=plane]", "[data-panel=latent]", "[data-panel=bar]", ".verdict", "[data-text=given]"):
            box = page.locator(part).bounding_box()
            assert box and box["y"] > 0 and box["y"] + box["height"] <= 800, (query, part)
    page.set_viewport_size({"width": 360, "height": 740})
    box = page.locator("[data-panel=plane]").bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= 360


LENGTHS = """(root) => Object.fromEntries([...root.querySelectorAll(".length")].map((lane) =>
  [lane.classList[1], [lane.x.baseVal.value, lane.x.baseVal.value + lane.width.baseVal.value]]))"""


@pytest.mark.parametrize("query", ["", "curve=line&sigma=0.1&x1=0.2&x2=0.1&m=0.2&s=0.15"])  # below 0, and about it
def test_the_lengths_on_the_bar_add_up(page: Page, server: Server, query: str) -> None:
    open_page(page, server, query)
    seen, lanes = numbers(page), page.locator(".two-pixels").evaluate(LENGTHS)
    assert seen["elbo"] < 0 and (seen["log_evidence"] > 0) == bool(query)
    zero = lanes["elbo"][1]
    signed = lambda lane, of: (lane[0] - zero if of < 0 else lane[1] - zero) / of  # pixels a nat
    unit = signed(lanes["elbo"], seen["elbo"])
    assert signed(lanes["evidence"], seen["log_evidence"]) == pytest.approx(unit, rel=1e-3)
    assert (lanes["gap"][1] - lanes["gap"][0]) / seen["gap"] == pytest.approx(unit, rel=1e-3)
    assert lanes["gap"][0] == pytest.approx(lanes["elbo"][0], abs=0.01)  # the gap begins where the ELBO ends
    assert lanes["kl"][0] == pytest.approx(lanes["elbo"][0], abs=0.01)
    assert (lanes["kl"][1] - lanes["kl"][0]) / seen["kl"] == pytest.approx(unit, rel=1e-3)
    words = page.locator("[data-text=sum]").inner_text().replace("−", "-")
    written = [float(one) for one in re.findall(r"-?[0-9]+[.][0-9]{4}", words)]
    assert written == pytest.approx([seen["log_evidence"], seen["elbo"], seen["gap"]], abs=5.1e-5)


def test_keys_move_each_handle(page: Page, server: Server) -> None:
    open_page(page, server, "noise=changes")
    for panel, handle, key, name, by in [
        ("plane", "x", "ArrowRight", "x1", 0.05),
        ("plane", "x", "Shift+ArrowDown", "x2", -0.5),
        ("plane", "z", "ArrowUp", "z", 0.05),
        ("plane", "sigma", "ArrowLeft", "sigma", -0.01),
        ("latent", "z", "Shift+ArrowLeft", "z", -0.5),
        ("latent", "m", "ArrowRight", "m", 0.02),
        ("latent", "s", "ArrowDown", "s", -0.01),
    ]:
        before = numbers(page)
        page.locator(f"[data-panel={panel}] .handle.{handle}").press(key)
        after = numbers(page)
        assert after[name] - before[name] == pytest.approx(by, abs=1e-6), (panel, handle)
        check(after, after)
    expect(page).to_have_url(re.compile(r"s=0\.59(&|$)"))
    expect(page.locator(".two-pixels > .heard")).to_contain_text("ln p(x|w)")


def test_a_finger_drags_a_handle_and_scrolls_on_the_ground(browser: Browser, server: Server) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    page = context.new_page()
    open_page(page, server)
    finger = context.new_cdp_session(page)

    def swipe(x: float, y: float, across: float, down: float) -> None:
        for step in range(12):
            at = {"x": x + across * step, "y": y + down * step}
            kind = "touchMove" if step else "touchStart"
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [at]})
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    before = numbers(page)
    swipe(*middle(page, "plane", "x"), -5, 5)
    wait_until(lambda: numbers(page)["x1"] < before["x1"] - 0.5 and numbers(page)["x2"] < before["x2"] - 0.5)
    kept = numbers(page)
    check(kept, kept)
    box = page.locator("[data-panel=plane]").bounding_box()
    assert box
    swipe(box["x"] + 60, box["y"] + 200, 0, -9)
    wait_until(lambda: (page.locator("[data-panel=plane]").bounding_box() or box)["y"] < box["y"] - 20)
    after = numbers(page)
    assert (after["x1"], after["x2"]) == (kept["x1"], kept["x2"]), "scrolling has moved x"
    context.close()


def typed(page: Page, label: str, text: str) -> None:
    box = page.get_by_role("spinbutton", name=label)
    box.fill(text)
    box.press("Enter")


def test_numbers_are_typed_and_refused_with_what_is_allowed(page: Page, server: Server) -> None:
    open_page(page, server)
    for label, name, value in [("x₁,", "x1", -2.75), ("σ,", "sigma", 0.123), ("m,", "m", 1.5), ("z,", "z", -3)]:
        typed(page, label, str(value))
        assert numbers(page)[name] == value
    told = page.locator(".two-pixels .told")
    expect(told).to_be_empty()
    for label, name, text, words in [
        ("σ,", "sigma", "0", "σ is 0; allowed: 0.05 to 1.5. It stays 0.123."),
        ("x₂,", "x2", "8", "x₂ is 8; allowed: −3 to 3. It stays 0.6."),
        ("s,", "s", "-1", "s is −1; allowed: 0.003 to 3. It stays 0.6."),
        ("m,", "m", "", "m is no number; allowed: −4 to 4. It stays 1.5."),
    ]:
        before = numbers(page)[name]
        typed(page, label, text)
        expect(told).to_have_text(words)
        assert numbers(page)[name] == before
    page.locator("[data-panel=plane] .handle.x").press("ArrowUp")
    expect(told).to_be_empty()
    seen = drag(page, "plane", "x", -2000, 0, moves=2)
    page.mouse.up()
    assert seen[-1]["x1"] == PLANE[0]
    expect(told).to_have_text("x₁ is kept within −3 to 3.")


def test_what_the_gap_is_made_of_is_said(page: Page, server: Server) -> None:
    verdict = page.locator(".two-pixels .verdict")
    open_page(page, server, "curve=line")
    expect(verdict).to_contain_text("The posterior is a Gaussian here: the best q closes the gap.")
    page.get_by_role("button", name="Best q").click()
    expect(verdict).to_have_text("q is the posterior, which is a Gaussian here: the gap is 0.")
    seen = numbers(page)
    assert seen["gap"] == pytest.approx(0, abs=1e-6)
    page.get_by_role("radio", name="hairpin").check(force=True)
    page.get_by_role("checkbox", name="q follows").check()
    typed(page, "x₁,", "-1")
    typed(page, "x₂,", "0.1")
    typed(page, "σ,", "0.3")
    expect(verdict).to_contain_text("The posterior has 2 humps, at z = −1.71 and 1.65, and no Gaussian has two.")
    seen = numbers(page)
    expect(verdict).to_contain_text(f"Even the best q leaves a gap of {seen['gap']:.4f} nats, and this is it.")
    decoder, x, _ = core(seen)
    assert seen["gap"] == pytest.approx(gap(decoder, x, best_q(decoder, x)), abs=1e-6)
    drag(page, "latent", "m", 30, 0)
    page.mouse.up()
    assert numbers(page)["follows"] == "no", "q is in the hand"


def test_draws_weights_and_bounds(page: Page, server: Server) -> None:
    open_page(page, server, "curve=arc&m=1.4&s=0.45")
    first = numbers(page)
    means = [one["mean"] for one in first["bounds"]]
    assert all(a < b + 0.02 for a, b in itertools.pairwise(means))
    error = first["bounds"][0]["spread"] / math.sqrt(200)
    assert means[0] == pytest.approx(first["elbo"], abs=4 * error)
    assert means[-1] == pytest.approx(first["log_evidence"], abs=0.05)
    page.get_by_role("combobox", name="K, draws").select_option("32")
    page.get_by_role("button", name="Draw again").click()
    second = numbers(page)
    assert (second["k"], second["draw"], second["elbo"]) == (32, 2, first["elbo"])
    assert second["bound"] != first["bound"]
    expect(page).to_have_url(re.compile("draw=2"))
    words = page.locator("[data-text=sticks]")
    expect(words).not_to_contain_text("Beware")
    typed(page, "s,", "0.1")
    expect(words).to_contain_text("Beware")
    expect(words).to_contain_text(
        "A q wide enough to reach all of the posterior helps"
        if numbers(page)["missed"] < 0.02
        else "of the posterior lies"
    )


def test_two_coins_are_independent_given_z_only(page: Page, server: Server) -> None:
    open_page(page, server, "likelihood=bernoulli&curve=line&z=0.5")
    seen = numbers(page)
    check(seen, seen)
    one, two = Bernoulli("line").probabilities(np.array(0.5))
    given = page.locator("[data-text=given]")
    expect(given).to_contain_text(f"P(1,1|z) = λ₁λ₂ = {one:.3f} × {two:.3f} = {one * two:.3f}: independent")
    found = corners("line")
    expect(given).to_contain_text(f"mutual information {found.mutual_information:.4f} nats: dependent")
    page.get_by_role("combobox", name="x, the image").select_option("01")
    expect(page).to_have_url(re.compile("corner=01"))
    check(numbers(page), numbers(page))
    page.locator("[data-panel=plane] .handle.x").press("ArrowRight")
    assert numbers(page)["corner"] == "11"
    assert len(CORNERS) == page.locator("[data-panel=plane] .mass").count()
