"""From a question, through its answer, to the page that shows it; a second link is followed as well."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Server


def test_predict_reveal_and_follow(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/questions")
    page.get_by_text("The KL's weight is a correction").click()
    expect(page.get_by_text("Both terms are per image.")).to_be_visible()
    page.get_by_text("β, and with it the model").click()
    expect(page.get_by_text("so no such factor is due")).to_be_visible()

    search = page.get_by_role("searchbox", name="Search the questions")
    search.fill("floor")  # answers while typing
    expect(page.get_by_text("1 of ")).to_be_visible()
    page.get_by_text("Learned variance is always safe").click()
    page.get_by_role("button", name="Skip to the answer").click()
    page.get_by_role("link", name="Lower the floor and watch").click()
    expect(page.get_by_role("heading", name="Train decoders side by side")).to_be_visible()
    assert "variance_floor=1e-06" in page.url

    page.get_by_role("link", name="Questions").click()
    expect(search).to_have_value("floor")  # as it was left
    search.fill("tight")
    page.get_by_text("KL = 0 means the bound is tight").click()
    page.get_by_role("button", name="Skip to the answer").click()
    page.get_by_role("link", name="Train into collapse").click()
    expect(page.get_by_label("β", exact=True)).to_have_value("100.00")
    assert "variance_floor" not in page.url  # a link says all that differs from the defaults


def test_a_term_tells_its_meaning(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/questions")
    term = page.get_by_role("link", name="NLL")
    expect(term).to_have_attribute("title", "Negative log-likelihood, −ln p(x|z,w): minimised together with the KL.")
    term.click()
    expect(page.get_by_role("heading", name="Words")).to_be_in_viewport()
