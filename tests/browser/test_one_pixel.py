"""One pixel as a person drags it: the picture's numbers against the core, and what goes to the server, and when."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
import torch
from playwright.sync_api import Browser, Locator, Page, WebSocket, expect
from scipy import integrate
from streamlit.proto.BackMsg_pb2 import BackMsg

from tests.browser.conftest import Server
from tests.waiting import wait_until
from vae_core.lessons.one_pixel import BIAS, IN, OUT, one_pixel

PANELS = ("network", "link", "pixel", "loss")


def tiny_network(z: float, activation: str) -> float:
    """a - w0 of the picture's network, by torch."""
    h = getattr(torch.nn.functional, activation)
    wide, bias, out = (torch.tensor(values, dtype=torch.float64) for values in (IN, BIAS, OUT))  # (3,)
    return float(out @ h(wide * z + bias))


def open_page(page: Page, server: Server, query: str = "", picture: str = ".one-pixel[data-numbers]") -> None:
    page.goto(f"{server.url}/one_pixel?{query}")
    expect(page.locator(picture)).to_be_visible()
    expect(page.get_by_role("heading", name="Words")).to_be_visible()  # the last thing on the page


BOX_AND_NUMBER = """async (root) => {
  const box = root.querySelector("input[aria-label^='a,']").value; // at once, and no frame later
  await new Promise(requestAnimationFrame);
  return [box, JSON.parse(root.dataset.numbers).a];
}"""


def numbers(page: Page) -> dict[str, Any]:
    """What the picture holds, after its next frame."""
    next_frame = "async (root) => { await new Promise(requestAnimationFrame); return root.dataset.numbers }"
    return json.loads(page.locator(".one-pixel").evaluate(next_frame))


def panel(page: Page, name: str) -> Locator:
    return page.locator(f"[data-panel={name}]")


def point(page: Page, name: str, across: float) -> tuple[float, float]:
    """A place in a panel, from 0 at the left of its frame to 1 at the right, in pixels of the window."""
    panel(page, name).evaluate("svg => svg.scrollIntoView({ block: 'center' })")  # not below the bar
    box = panel(page, name).bounding_box()
    assert box
    return box["x"] + box["width"] * (40 + across * 312) / 360, box["y"] + box["height"] * 0.4


def check(seen: dict[str, Any]) -> None:
    """What the picture shows is what the core says of the same state."""
    second = seen[seen["second"]] if seen["second"] else 0.0
    core = one_pixel(seen["decoder"], seen["a"], seen["x"], second, **seen["settings"])
    for name in ("mean", "stddev", "log_prob", "outside", "on_floor"):
        assert seen[name] == pytest.approx(getattr(core, name), abs=1e-6), (name, seen)
    assert seen["slopes"] == pytest.approx(core.slopes, abs=1e-6)
    assert seen["bias"] == pytest.approx(seen["a"] - tiny_network(seen["z"], seen["activation"]), abs=1e-6)
    if seen["normaliser"]:
        log_odds = torch.nn.functional.softplus(torch.tensor([seen["a"], -seen["a"]], dtype=torch.float64)).tolist()
        area = integrate.quad(lambda x: math.exp(-x * log_odds[1] - (1 - x) * log_odds[0]), 0, 1)[0]
        assert seen["normaliser"] == pytest.approx({"area": area, "c": 1 / area, "with": 1}, abs=1e-6)
    assert abs(seen["share"] - core.outside) < 4 * (0.25 / 200) ** 0.5  # 200 draws, four standard errors


@pytest.mark.parametrize(
    ("decoder", "state"),
    [
        ("bernoulli", {"activation": "gelu"}),
        ("gaussian_identity", {"a": 0.25, "sigma": 0.4}),
        ("gaussian_learned", {"log_var": -6, "activation": "sigmoid"}),
        ("laplace", {"a": 0.25, "scale": 0.4}),
        ("gaussian_shared", {"log_var": -3}),
        ("continuous_bernoulli", {"a": 4, "x": 0.5}),
        ("discretized_logistic", {"a": 0.25, "log_scale": -2.5, "levels": 17}),
        ("categorical", {"v": 1.5, "x": 0.75}),
    ],
)
def test_the_numbers_are_the_cores(page: Page, server: Server, decoder: str, state: dict[str, Any]) -> None:
    open_page(page, server, "&".join(f"{name}={value}" for name, value in {"decoder": decoder, **state}.items()))
    seen = [numbers(page)]
    assert seen[0].items() >= state.items()
    for name in [*PANELS] + ["second"] * bool(seen[0]["second"]):
        (left, y), (right, _) = point(page, name, 0.02), point(page, name, 0.98)
        page.mouse.move(left, y)
        page.mouse.down()
        for step in range(8):
            page.mouse.move(left + (right - left) * ((3 * step + 1) % 8) / 7, y)
            seen.append(numbers(page))
        page.mouse.up()
    assert len({json.dumps(one) for one in seen}) > 20  # x has few places on few levels
    for one in seen:
        check(one)


class Sent:
    """The messages to the server that a person caused: not those of a fragment that looks again by itself."""

    def __init__(self, page: Page):
        self.count = 0
        page.on("websocket", lambda socket: self.watch(socket))

    def watch(self, socket: WebSocket) -> None:
        socket.on("framesent", self.frame)

    def frame(self, payload: str | bytes) -> None:
        message = BackMsg()
        message.ParseFromString(payload if isinstance(payload, bytes) else payload.encode())
        self.count += not message.rerun_script.is_auto_rerun


def test_a_drag_is_told_to_the_server_once_and_only_at_its_end(page: Page, server: Server) -> None:
    sent = Sent(page)
    open_page(page, server, "decoder=gaussian_identity")
    before, drawn = sent.count, numbers(page)["drawn"]
    page.mouse.move(*point(page, "loss", 0.3))
    page.mouse.down()
    page.evaluate(
        "() => { window.frames_seen = 0; const go = () => { window.frames_seen++; requestAnimationFrame(go) }; go() }"
    )
    for step in range(60):
        page.mouse.move(*point(page, "loss", 0.3 + step / 200))
        if step % 10 == 0:  # the box follows while the pointer is down, at every move
            box, a = page.locator(".one-pixel").evaluate(BOX_AND_NUMBER)
            assert box == f"{a:.3f}"
    held = numbers(page)
    assert held["a"] == pytest.approx(-3 + 7 * (0.3 + 59 / 200), abs=0.02)
    assert sent.count == before, "nothing is sent while the pointer is down"
    frames = page.evaluate("window.frames_seen")
    assert 1 <= held["drawn"] - drawn <= frames + 2, "at most one drawing a frame"
    page.mouse.up()
    expect(page.get_by_role("spinbutton", name="a, the raw output")).to_have_value(f"{held['a']:.3f}")
    expect(page).to_have_url(re.compile(rf"a={held['a']:g}(&|$)"))
    assert sent.count == before + 1
    expect(page.locator(".said")).to_contain_text(f"Now a = {held['a']:.3f} (was 0.500). ln p = ")
    assert numbers(page)["a"] == held["a"]
    box = page.get_by_role("spinbutton", name="a, the raw output")
    box.fill("2.5")  # a number typed after a drag leads again
    box.press("Enter")
    wait_until(lambda: numbers(page)["a"] == 2.5)


def test_a_finger_drags_across_and_scrolls_up_and_down(browser: Browser, server: Server) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 800}, has_touch=True)
    page = context.new_page()
    open_page(page, server)
    finger = context.new_cdp_session(page)
    x, y = point(page, "link", 0.5)
    height = lambda: panel(page, "link").evaluate("svg => svg.getBoundingClientRect().top")

    def swipe(across: float, down: float) -> None:
        for step in range(12):
            at = {"x": x + across * step, "y": y + down * step}
            finger.send(
                "Input.dispatchTouchEvent", {"type": "touchMove" if step else "touchStart", "touchPoints": [at]}
            )
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    before = numbers(page)["a"]
    swipe(9, 0)
    wait_until(lambda: numbers(page)["a"] > before + 2)
    after, top = numbers(page)["a"], height()
    expect(page.get_by_role("spinbutton", name="a, the raw output")).to_have_value(f"{after:.3f}")
    swipe(0, -9)
    wait_until(lambda: height() < top - 20)
    assert numbers(page)["a"] == after, "scrolling has moved a"
    context.close()


def test_arrow_keys_move_and_shift_moves_further(page: Page, server: Server) -> None:
    open_page(page, server, "decoder=gaussian_learned")
    for name, setting, key, change in [
        ("link", "a", "ArrowRight", 0.05),
        ("loss", "a", "Shift+ArrowLeft", -0.5),
        ("network", "z", "ArrowUp", 0.05),
        ("pixel", "x", "ArrowDown", -0.05),
        ("second", "log_var", "ArrowLeft", -0.1),
    ]:
        before = numbers(page)
        panel(page, name).focus()
        panel(page, name).press(key)
        after = numbers(page)
        assert after[setting] - before[setting] == pytest.approx(change, abs=0.011), name
        assert float(panel(page, name).get_attribute("aria-valuenow") or "nan") == after[setting]
        check(after)
    expect(page.get_by_role("spinbutton", name="ln σ², 2nd output")).to_have_value("-2.10")


def test_typed_numbers_and_switches_move_the_picture(page: Page, server: Server) -> None:
    open_page(page, server)
    box = page.get_by_role("spinbutton", name="a, the raw output")
    box.fill("-1.25")
    box.press("Enter")
    wait_until(lambda: numbers(page)["a"] == -1.25)
    kept = numbers(page)
    page.get_by_role("combobox", name="Hidden activation").select_option("sigmoid")
    assert numbers(page)["activation"] == "sigmoid"
    expect(page.locator(".said")).to_contain_text("h = sigmoid (was ReLU)")
    expect(page).to_have_url(re.compile("activation=sigmoid"))
    seen = numbers(page)
    same = ("a", "z", "mean", "log_prob", "slopes")
    assert [seen[name] for name in same] == [kept[name] for name in same], "the hidden activation decides nothing"
    assert seen["bias"] != kept["bias"]
    check(seen)


def test_what_is_typed_out_of_range_is_refused_with_what_is_allowed(page: Page, server: Server) -> None:
    open_page(page, server)
    box = page.get_by_role("spinbutton", name="a, the raw output")
    box.fill("60")
    box.press("Enter")
    assert "6" in box.evaluate("box => box.validationMessage")
    assert numbers(page)["a"] == 0.5


def test_drawing_again_leaves_the_network_alone(page: Page, server: Server) -> None:
    open_page(page, server, "decoder=gaussian_identity&a=0.5")
    first = numbers(page)
    dots = page.locator("[data-panel=pixel] .dots")
    places = dots.first.get_attribute("d")
    red = (dots.nth(1).get_attribute("d") or "").count("M")
    assert red / 200 == first["share"]
    page.get_by_role("button", name="Draw 200 again").click()
    second = numbers(page)
    assert dots.first.get_attribute("d") != places
    assert (second["a"], second["log_prob"], second["outside"]) == (first["a"], first["log_prob"], first["outside"])
    assert second["outside"] == pytest.approx(0.617, abs=5e-4)


@pytest.mark.parametrize(
    ("query", "badge", "note"),
    [
        ("decoder=bernoulli&x=0.5", "a loss here, not ln p", "is neither 0 nor 1"),
        ("decoder=gaussian_learned&log_var=-8&x=0.5", "ln of a probability density, nats", "at its floor of 0.001"),
        ("decoder=categorical&x=0.3", "ln of a probability mass, nats", "the nearest one, 0.250, is meant"),
    ],
)
def test_what_is_abnormal_is_said(page: Page, server: Server, query: str, badge: str, note: str) -> None:
    open_page(page, server, query)
    check(numbers(page))
    expect(page.locator(".one-pixel .badge")).to_have_text(badge)
    expect(page.locator(".one-pixel .note")).to_contain_text(note)


def test_without_the_normaliser_the_area_is_not_one(page: Page, server: Server) -> None:
    section = page.locator("section.normaliser")
    open_page(page, server, "decoder=bernoulli&a=0&x=1")
    expect(section).to_be_hidden()  # a coin's own value needs none
    for query, area in [("decoder=bernoulli&a=0&x=0.5", "0.500"), ("decoder=continuous_bernoulli&a=4.59512", "0.213")]:
        open_page(page, server, query)
        expect(section).to_contain_text(f"area {area} without C, 1.000 with")
        check(numbers(page))


def test_keys_go_from_level_to_level(page: Page, server: Server) -> None:
    open_page(page, server, "decoder=categorical&x=0&levels=4")
    for x in (0.33, 0.67, 1, 1):
        panel(page, "pixel").press("ArrowRight")
        assert numbers(page)["x"] == x
        check(numbers(page))
