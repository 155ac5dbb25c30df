"""Three experiments in a real browser: predicted by keyboard, revealed in place, trained again and stopped."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Server

NAMES = {"floor": "The floor", "grey": "Grey pixels under BCE", "sigma": "Which σ?"}
RIGHT = {"floor": "They rise", "grey": "Three", "sigma": "Smaller"}


def open_page(page: Page, server: Server, query: str = "") -> None:
    page.goto(f"{server.url}/experiments?{query}")
    expect(page.get_by_role("heading", name="Three experiments")).to_be_visible()
    expect(page.get_by_text("The glossary")).to_be_attached()


@pytest.mark.parametrize("name", NAMES)
def test_predict_by_keyboard(page: Page, server: Server, name: str) -> None:
    open_page(page, server)
    page.get_by_role("radio", name=NAMES[name], exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("radio", name=RIGHT[name], exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("As you said:")).to_be_visible()
    expect(page.get_by_role("button", name="Train these again")).to_be_visible()
    expect(page).to_have_url(re.compile(f"{name}="))


def bits(page: Page, says: str) -> Locator:
    return page.locator(f"[role=graphics-document][aria-label='bits per pixel, held out, {says}']")


def test_control_and_picture_share_a_screen(page: Page, server: Server) -> None:
    """And the answers stay where they are when the runs appear."""
    open_page(page, server)
    question = page.get_by_text("Predict first")
    expect(bits(page, "at the floor e⁻³, the others hidden: 0.230")).to_be_in_viewport()
    expect(question).to_be_in_viewport()
    top = question.bounding_box()
    page.get_by_role("radio", name="Just show me").click()
    expect(bits(page, "from the floor e⁻³ to e⁻¹¹: 0.230 to 0.425")).to_be_in_viewport()
    expect(question).to_be_in_viewport()
    assert question.bounding_box() == top


def test_train_again_and_stop(page: Page, server: Server) -> None:
    open_page(page, server, "experiment=sigma&sigma=skip")
    page.get_by_role("button", name="Train these again").click()
    expect(page.locator(".lane .state", has_text=re.compile("^(starting|waiting for a worker|step )"))).to_have_count(4)
    stop = page.get_by_role("button", name="Stop", exact=True)
    stop.click()
    expect(stop).to_have_count(0)
    expect(page.get_by_role("button", name=re.compile("^(Continue|Train these again)$"))).to_be_enabled()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_sticks_out_when_all_is_shown(page: Page, server: Server, name: str) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    page.emulate_media(color_scheme="dark")
    open_page(page, server, f"experiment={name}&{name}=skip")
    expect(page.get_by_role("button", name=re.compile("^(Continue|Train these again)$"))).to_be_attached()
    wide = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, f"the page is {wide} px wider than the window"
