"""From a question, through its answer, to the page that shows it; a second link is followed as well."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

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

    search = page.get_by_role("searchbox", name="Search questions and kinds of data")
    search.fill("floor")  # answers while typing
    expect(page.get_by_text(re.compile("^1 of "))).to_be_visible()
    open_question(page, "Learned variance is always safe")
    page.get_by_text("Just show me").click()
    page.get_by_role("link", name="Lower the floor and watch").click()
    expect(page.get_by_role("heading", name="Train decoders side by side")).to_be_visible()
    assert "variance_floor=1e-06" in page.url

    page.get_by_role("link", name="Questions").click()
    expect(search).to_have_value("floor")  # as it was left
    search.fill("tight")
    open_question(page, "KL = 0 means the bound is tight")
    page.get_by_text("Just show me").click()
    page.get_by_role("link", name="Train into collapse").click()
    expect(page.get_by_label("β", exact=True)).to_have_value("100")
    assert "variance_floor" not in page.url  # a link says all that differs from the defaults


def test_a_term_tells_its_meaning(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/questions")
    term = page.get_by_role("link", name="NLL")
    expect(term).to_have_attribute("title", "Negative log-likelihood, −ln p(x|z,w): minimised together with the KL.")
    term.click()
    expect(page.get_by_role("heading", name="Words")).to_be_in_viewport()
