"""One pixel's questions: what they set and what it does share a screen, and what has changed is said."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.browser.test_one_pixel import numbers, open_page, panel

# Whether an element can be seen as a whole: inside the window, and nothing stands over its corners.
IN_VIEW = """(element) => {
  const { left, right, top, bottom } = element.getBoundingClientRect();
  if (top < 0 || bottom > innerHeight || left < 0) return false;
  const y = (top + bottom) / 2;
  return [[left + 8, y], [Math.min(right - 8, innerWidth - 20), y], [left + 30, top + 4]].every(([x, y]) => {
    const found = element.getRootNode().elementFromPoint(x, y);
    return found === element || element.contains(found) || found?.contains(element);
  });
}"""
# The element that has the focus, inside a widget too.
FOCUSED = """() => {
  let one = document.activeElement;
  while (one.shadowRoot?.activeElement) one = one.shadowRoot.activeElement;
  return one.getAttribute("aria-label") ?? (one.labels?.[0] ?? one).innerText;
}"""


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (360, 740)])
def test_a_preset_and_its_pictures_share_a_screen(page: Page, server: Server, width: int, height: int) -> None:
    page.set_viewport_size({"width": width, "height": height})
    open_page(page, server, "question=grey&decoder=continuous_bernoulli&a=1&x=0.5")
    said = page.locator(".said")
    assert said.get_attribute("role") == "status"  # read out politely
    half, normaliser = (page.get_by_role("button", name=name) for name in ("The area at λ = ½", "With the normaliser"))
    for name in ("network", "link", "pixel", "loss", "normaliser"):
        panel(page, name).evaluate("svg => svg.scrollIntoView({ block: 'center' })")
        for one in (half, panel(page, name)):
            assert one.evaluate(IN_VIEW), (name, one)
        top = panel(page, name).evaluate("svg => svg.getBoundingClientRect().top")
        half.click()
        expect(said).to_have_text("Now Bernoulli (was Continuous Bernoulli), a = 0.000 (was 1.000). BCE: 0.693 nats.")
        assert (numbers(page)["decoder"], numbers(page)["a"]) == ("bernoulli", 0)
        half.click()
        expect(said).to_contain_text("Nothing changes: this is what is shown already.")
        normaliser.evaluate("button => button.click()")  # a phone has it to the right
        expect(said).to_contain_text("Now Continuous Bernoulli (was Bernoulli), a = 4.595 (was 0.000). ln p =")
        assert panel(page, name).evaluate("svg => svg.getBoundingClientRect().top") == top
        page.get_by_role("spinbutton", name="a, the raw output").fill("1")
        page.keyboard.press("Enter")
    page.goto(f"{server.url}/one_pixel?question=softmax")
    expect(page.locator(".four-pixels[data-numbers]")).to_be_visible()
    page.get_by_role("slider").nth(1).evaluate("input => input.scrollIntoView({ block: 'end' })")
    for one in (page.get_by_role("slider").first, panel(page, "sigmoid"), panel(page, "softmax")):
        assert one.evaluate(IN_VIEW), one


def test_the_level_that_is_used_is_shown(page: Page, server: Server) -> None:
    open_page(page, server, "decoder=categorical&x=0.3&a=1")
    box = page.get_by_role("spinbutton", name="x, the observed pixel")
    expect(box).to_have_value("0.30")
    expect(page.locator(".used")).to_have_text("→ level 1, x = 0.250")
    across = "svg => [svg.parts.diamond, svg.parts.inside.parts['bar 1']].map((one) => one.getBBox())"
    diamond, bar = panel(page, "pixel").evaluate(f"(svg) => ({across})(svg).map((box) => box.x + box.width / 2)")
    assert diamond == pytest.approx(bar, abs=0.5), "the pixel stands where p is read off"
    box.fill("0.9")
    expect(page.locator(".used")).to_have_text("→ level 4, x = 1.000")
    page.get_by_role("radio", name="Laplace").click()
    expect(page.locator(".used")).to_be_hidden()
    expect(box).to_have_value("0.90")


def test_the_keyboard_goes_in_and_out_and_types(page: Page, server: Server) -> None:
    open_page(page, server, "question=where&decoder=gaussian_learned")
    page.get_by_role("button", name="Next question", exact=True).focus()
    seen: list[str] = []
    while len(seen) < 30 and (not seen or "Draw 200" not in seen[-1]):
        page.keyboard.press("Tab")
        seen.append(page.evaluate(FOCUSED))
        if seen[-1] == "a, the raw output" and seen.count(seen[-1]) == 1:  # the box, and not the picture
            page.keyboard.press("Control+A")
            page.keyboard.type("-1.2")
            assert numbers(page)["a"] == -1.2  # as it is typed
            page.keyboard.press("ArrowUp")
            assert numbers(page)["a"] == -1.15
    slider = "a, the raw output, on the loss"
    pictures = [*("z, the input of the network", "a, the raw output", "x, the observed pixel"), slider]
    assert [one for one in seen if one in pictures][-4:] == pictures, seen
    expect(page.locator(".said")).to_contain_text("Now a = −1.150 (was 0.500). ln p =")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.shadowRoot === null"), "out of the picture"
    while "Draw 200" not in page.evaluate(FOCUSED):
        page.keyboard.press("Shift+Tab")
    page.get_by_role("radio", name="Gaussian, learned variance").focus()
    page.keyboard.press("ArrowRight")
    assert numbers(page)["decoder"] == "laplace"


def test_a_symbol_lights_what_it_stands_for(page: Page, server: Server) -> None:
    open_page(page, server, "decoder=gaussian_identity")
    lit = lambda: page.locator(".one-pixel .lit").evaluate_all("all => all.map((one) => one.tagName).sort()")
    page.locator(".worked i.a").first.hover()
    assert lit().count("circle") >= 2 and "LABEL" in lit()
    page.locator(".box[data-name=x]").hover()
    assert "path" in lit() and "circle" not in lit()
    page.locator(".box[data-name=sigma] input").focus()
    assert "I" in lit()


def test_no_line_strikes_a_word(page: Page, server: Server) -> None:
    """Words stand above all curves, with a halo of the ground's colour."""
    open_page(page, server, "decoder=gaussian_learned&log_var=-6&x=0.8")
    for svg in page.locator(".one-pixel svg").all():
        order = svg.evaluate("""svg => {
          const last = [...svg.querySelectorAll("path.curve")].at(-1);
          const under = (word) => last && word.compareDocumentPosition(last) & Node.DOCUMENT_POSITION_FOLLOWING;
          return [...svg.querySelectorAll("text:not(.axis text)")].filter(under).map((word) => word.textContent);
        }""")
        assert order == []
    halo = page.locator(".one-pixel svg text").first.evaluate("text => getComputedStyle(text).paintOrder")
    assert halo.startswith("stroke")
