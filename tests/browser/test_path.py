"""The guided tour by real keys, and links that land at their figure."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from pages.shared.path import chapters, steps
from tests.browser.conftest import Server

BAR = ".st-key-tour"


def follow(page: Page, name: str) -> None:
    """A link of the tour's bar, by the keyboard alone."""
    page.locator(BAR).get_by_role("link", name=name).focus()
    page.keyboard.press("Enter")


def press(page: Page, name: str | re.Pattern[str]) -> None:
    """A button, by the keyboard alone."""
    button = page.get_by_role("button", name=name, exact=isinstance(name, str))
    button.focus()
    page.keyboard.press("Enter")


def at_step(page: Page, place: int) -> None:
    step = steps()[place - 1]
    expect(page.locator(BAR)).to_contain_text(f"Tour, step {place} of {len(steps())} (about {step.minutes} min)")
    path = "" if step.to.page == "start" else step.to.page
    expect(page).to_have_url(re.compile(rf"/{path}\?(.*&)?tour={place}(&|$)"))
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_visible()
    expect(page.get_by_text("From the link")).to_have_count(0)


def test_the_tour_by_keys(page: Page, server: Server) -> None:
    page.goto(server.url)
    press(page, re.compile("Take the tour"))
    entries = 0
    for place in range(1, len(steps()) + 1):
        at_step(page, place)
        if place == 2:
            entries = page.evaluate("history.length")
        if place == 3:  # its picture, on the page of the step before: its own settings
            expect(page.get_by_label("a, the raw output", exact=True).first).to_have_value("0.000")
            assert page.evaluate("history.length") == entries + 1
            page.reload()
            at_step(page, place)
            follow(page, "Back")
            at_step(page, place - 1)
            expect(page.get_by_label("a, the raw output", exact=True).first).to_have_value("0.500")
            follow(page, "Next")
            at_step(page, place)
        if place == 4:  # one press of the browser's Back is one step back, on this page and onto another
            page.go_back()
            at_step(page, 3)
            page.go_back()
            at_step(page, 2)
            for forward in (3, place):
                page.go_forward()
                at_step(page, forward)
            link = page.get_by_role("link", name="Next: ")  # opened in a tab of its own, the tour goes on there
            tab = page.context.new_page()
            tab.goto(link.evaluate("(link) => link.href"))
            expect(tab.locator(BAR)).to_contain_text(f"The tour waits at step {place} of {len(steps())}")
            tab.close()
        if place == 5:  # away through the menu: it waits
            page.get_by_role("link", name="Questions").first.click()
            expect(page.locator(BAR)).to_contain_text(f"The tour waits at step {place} of {len(steps())}")
            expect(page).to_have_url(re.compile(r"/questions\?tour=5$"))
            follow(page, "Go on with it")
            at_step(page, place)
        if place < len(steps()):
            follow(page, "Next")
    follow(page, "Finish")  # on the questions, and over
    expect(page.locator(BAR)).to_contain_text("You have seen")
    expect(page).to_have_url(re.compile(r"/questions\?tour=end$"))
    page.get_by_role("link", name="Start", exact=True).first.click()
    expect(page.get_by_role("button", name=re.compile("Take the tour"))).to_be_visible()
    expect(page.locator(BAR)).to_have_count(0)
    page.go_back()
    expect(page.locator(BAR)).to_contain_text("You have seen")
    page.go_back()
    at_step(page, len(steps()))
    follow(page, "Back")
    at_step(page, len(steps()) - 1)
    press(page, "Leave")
    expect(page.locator(BAR)).to_have_count(0)
    expect(page).not_to_have_url(re.compile("tour="))
    page.get_by_role("link", name="Start", exact=True).first.click()
    press(page, f"Go on with the tour, step {len(steps()) - 1}")  # where it was left
    at_step(page, len(steps()) - 1)
    page.goto(f"{server.url}/questions?tour=99")
    expect(page.get_by_text(f"tour is 99; allowed: a whole number from 1 to {len(steps())}")).to_be_visible()
    expect(page.locator(BAR)).to_have_count(0)
    expect(page).not_to_have_url(re.compile("tour="))


def test_ways_in_and_on(page: Page, server: Server) -> None:
    page.goto(server.url)
    press(page, "Start from your loss")
    expect(page.get_by_role("heading", name="Which σ² did your loss assume?")).to_be_visible()
    after = [chapter.page for chapter in chapters()].index("assumed") + 1
    page.get_by_role("link", name=f"Next: {chapters()[after].name}").click()
    expect(page).to_have_url(re.compile(rf"/{chapters()[after].page}$"))


@pytest.mark.parametrize("width", [360, 1280])
def test_a_link_lands_at_its_figure(page: Page, server: Server, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 740})
    page.goto(f"{server.url}/questions?search=blur bottleneck")
    page.evaluate("() => { window.same = true; }")
    page.locator("summary", has_text=re.compile("blur", re.IGNORECASE)).first.click()
    page.get_by_text("Just show me").first.click()
    page.get_by_role("link", name="The same VAE, σ varied").click()
    expect(page).to_have_url(re.compile(r"/mse\?sigma=0.1&guess=skip$"))
    expect(page.locator("#training")).to_be_in_viewport()
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_visible()
    top = (
        "() => { const y = document.getElementById('training').getBoundingClientRect().top; return 0 <= y && y < 300; }"
    )
    page.wait_for_function(top)
    assert page.evaluate("() => window.same"), "the app was loaded anew"
