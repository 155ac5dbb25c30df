"""From a question, through its answer, to the page that shows it; a second link is followed as well."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Server, at_rest


def open_question(page: Page, belief: str) -> None:
    page.get_by_text(belief).click()
    expect(page.get_by_role("radiogroup").filter(visible=True)).not_to_have_count(0)
    at_rest(page)


def test_predict_reveal_and_follow(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/questions")
    open_question(page, "The KL's weight is a correction")
    expect(page.get_by_text("Both terms are per image.")).to_be_visible()
    page.get_by_text("β, and with it the model").click()
    expect(page.get_by_text("so no such factor is due")).to_be_visible()
    expect(page.get_by_text("the answer, and your guess")).to_be_visible()
    expect(page.get_by_text("People say").first).to_be_visible()

    search = page.get_by_role("searchbox", name="Search questions and kinds of data")
    search.fill("floor")  # answers while typing
    expect(page.get_by_text(re.compile("^1 of "))).to_be_visible()
    open_question(page, "Learned variance is always safe")
    page.get_by_text("Just show me").click()
    expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible()  # the answer's figure, in place
    page.get_by_role("link", name="Lower the floor and watch").click()
    expect(page.get_by_role("heading", name="Train decoders side by side")).to_be_visible()
    assert "variance_floor=1e-06" in page.url

    page.get_by_role("link", name="Questions").click()
    expect(search).to_have_value("floor")  # as it was left
    expect(page.get_by_text("It goes to 0, and the density grows without bound")).to_be_visible()
    search.fill("tight")
    open_question(page, "KL = 0 means the bound is tight")
    page.get_by_text("Just show me").click()
    page.get_by_role("link", name="Train into collapse").click()
    page.wait_for_url("**beta=100**")
    assert "variance_floor" not in page.url  # a link says all that differs from the defaults


SCROLLED = "() => document.querySelector('[data-testid=stMain]').scrollTop"


def test_a_term_opens_where_it_stands(page: Page, server: Server) -> None:
    """By hover, focus and click; and nothing moves."""
    page.goto(f"{server.url}/questions")
    term, meaning = page.get_by_role("link", name="NLL"), page.get_by_role("tooltip")
    expect(page.locator(".meaning")).to_have_count(1)
    term.scroll_into_view_if_needed()
    at_rest(page)
    scrolled, place = page.evaluate(SCROLLED), term.bounding_box()

    term.hover()
    expect(meaning).to_have_text("Negative log-likelihood, −ln p(x|z,w): minimised together with the KL.")
    expect(meaning).to_be_in_viewport(ratio=1)
    meaning.hover()
    expect(meaning).to_be_visible()  # a pointer may go there
    page.mouse.move(5, 300)
    expect(meaning).to_be_hidden()

    term.click()
    page.mouse.move(5, 300)
    expect(meaning).to_be_visible()  # kept
    page.keyboard.press("Escape")
    expect(meaning).to_be_hidden()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="KL", exact=True)).to_be_focused()
    expect(meaning).to_contain_text("from the encoder's q(z|x) to the prior")
    page.keyboard.press("Shift+Tab")
    expect(meaning).to_contain_text("Negative log-likelihood")
    page.keyboard.press("Escape")
    page.keyboard.press("Enter")
    expect(meaning).to_contain_text("Negative log-likelihood")
    expect(term).to_have_accessible_description(re.compile("^Negative log-likelihood"))
    page.keyboard.press("Shift+Tab")
    expect(meaning).to_be_visible()  # kept by Enter
    assert (page.evaluate(SCROLLED), term.bounding_box()) == (scrolled, place)
    assert "#words" not in page.url


def test_a_term_opens_by_a_tap(browser: Browser, server: Server) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    page = context.new_page()
    page.goto(f"{server.url}/questions")
    term, meaning = page.get_by_role("link", name="NLL"), page.get_by_role("tooltip")
    expect(page.locator(".meaning")).to_have_count(1)
    term.scroll_into_view_if_needed()
    at_rest(page)
    scrolled = page.evaluate(SCROLLED)
    term.tap()
    expect(meaning).to_be_visible()
    box = meaning.bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= 360 and 0 <= box["y"] <= 740 - box["height"]
    term.tap()
    expect(meaning).to_be_hidden()
    assert page.evaluate(SCROLLED) == scrolled and "#words" not in page.url
    context.close()
