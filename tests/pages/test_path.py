"""The path through the app, as a teacher edits it, and what the pages make of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pages.shared import path
from pages.shared.address import AT
from pages.shared.links import target
from pages.shared.path import Chapter, Step, chapters, steps
from pages.shared.trained import SHIPPED_LABEL, leads_on
from tests.pages.conftest import ROOT
from tests.pages.test_questions import LINKS, holds
from tests.pages.test_trained import OWN, keep
from vae_core.runs.engine import Engine
from vae_core.shipped import SHIPPED, SPECS

PAGES = {file.parent.name for file in (ROOT / "pages").glob("*/page.py")}
TOOLS = {"runs", "classroom"}  # pages that nobody is led to
IN_MENU = re.findall(r'^    "(\w+)": "', (ROOT / "app.py").read_text("utf-8"), flags=re.MULTILINE)


def headings(page) -> set[str]:
    """The anchors of a page's headings: as they are given, or as Streamlit makes them from plain words."""
    return {one.anchor or re.sub(r"\W+", "-", one.value.lower()).strip("-") for one in page.header}


def test_every_page_is_a_chapter_in_the_order_of_the_menu() -> None:
    assert [chapter.page for chapter in chapters()] == [page for page in IN_MENU if page not in TOOLS]
    assert set(IN_MENU) == PAGES
    for chapter in chapters():
        for sentence in (chapter.adds, chapter.why):
            assert len(re.findall(r"[.?](?=\**(\s|$))", sentence)) == 1, sentence  # one
            assert sentence.rstrip("*").endswith((".", "?"))


@pytest.mark.parametrize("chapter", [one for one in chapters() if one.page != "train"], ids=lambda one: one.page)
def test_a_page_begins_with_what_it_adds_and_ends_with_what_is_next(open_page, page_links, chapter: Chapter) -> None:
    page = open_page(chapter.page)
    after = {one.page: two for one, two in zip(chapters(), [*chapters()[1:], chapters()[0]])}[chapter.page]
    said = [element.value for element in page.markdown]
    assert said[0].startswith(chapter.adds)
    assert after.why in said
    (link,) = [link for link in page_links if link["label"].startswith("Next: ")]
    assert (link["page"], link["label"]) == (f"pages/{after.page}/page.py", f"Next: {after.name}")


def test_the_tour_takes_about_twenty_minutes() -> None:
    assert 18 <= sum(step.minutes for step in steps()) <= 22
    assert all(step.minutes for step in steps())
    pages = [step.to.page for step in steps()]
    assert pages[0] == "start"
    order = ["start", "one_pixel", "experiments", "assumed", "train", "compare", "latent"]
    assert [page for page in dict.fromkeys(pages) if page in order] == order


@pytest.mark.parametrize("step", steps(), ids=lambda step: step.name)
def test_each_step_opens_with_its_settings(open_page, step: Step) -> None:
    page = open_page(step.to.page, tour="1", **step.to.settings)
    assert not [warning.value for warning in page.warning if warning.value.startswith("From the link")]
    # The page keeps the place, and writes no address of its own: each is one more press of Back.
    assert {name: [*texts] if isinstance(texts, list) else [texts] for name, texts in page.query_params.items()} == (
        step.to.settings | {"tour": ["1"]}
    )
    for name, texts in step.to.settings.items():
        assert holds(page.session_state[f"{step.to.page}.{name}"], texts), name
    assert not step.to.anchor or step.to.anchor in headings(page)
    assert 1 <= len(re.findall(r"[.?!](?=\s|$)", step.words)) <= 3
    assert not step.words.startswith("*“")


def test_each_step_names_buttons_that_are_there(open_page) -> None:
    there = {
        "start": "Draw another sample",
        "one_pixel": "Draw 200 again",  # of its picture
        "train": "Train",
        "compare": "Just show me",
        "latent": "Draw another sample",  # of its pad
    }
    for step in steps():
        for named in re.findall(r"\*([^*]+)\*", step.words):
            assert there[step.to.page] == named
            page = open_page(step.to.page, **step.to.settings)
            words = [button.label for button in page.button]
            words += [option for group in page.get("button_group") for option in getattr(group, "options", [])]
            files = (ROOT / "pages" / step.to.page).glob("*.[hj]*")
            assert named in words or any(f">{named}<" in file.read_text("utf-8") for file in files), named


def test_a_teachers_file_may_lack_parts(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(path, "PATH", tmp_path / "path.md")
    assert not chapters()
    assert not steps()
    path.PATH.write_text("# The tour\n\n## One\nOpen: mse?sigma=0.1#sigma\nMinutes: two\n", encoding="utf-8")
    (step,) = steps()
    assert step.to == target("mse?sigma=0.1#sigma")
    assert step.minutes == 0
    assert step.words == "*“Do:” is still to be written, in assets/path.md.*"


# Links that land at a heading ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", [link for link in LINKS if link.to.anchor], ids=lambda link: str(link.to))
def test_a_link_lands_at_a_heading_that_is_there(open_page, link) -> None:
    page = open_page(link.to.page, **link.to.query)
    assert link.to.anchor in headings(page)
    assert page.session_state[AT] == link.to.anchor  # where app.py brings the reader
    assert AT not in page.query_params


@pytest.mark.parametrize("anchor", ["</script><script>alert(1)</script>", '"', "", "a b"])
def test_what_is_no_anchor_is_left_out(open_page, anchor: str) -> None:
    page = open_page("mse", **{AT: anchor})
    assert AT not in page.session_state
    assert AT not in page.query_params
    assert not page.warning


# On to one's own runs ------------------------------------------------------------------------------------------------


def test_runs_lead_on_to_pages_that_open_on_them(open_page, page_links, engine: Engine) -> None:
    keep(engine.store, OWN)
    leads_on([OWN])
    latent, compare = page_links
    assert latent["label"] == "Walk through its latent space"
    page = open_page("latent", **latent["query_params"])
    assert page.session_state["latent.run"] == OWN.id
    assert page.session_state["latent.decoder"] == OWN.likelihood
    page = open_page("compare", **compare["query_params"])
    assert page.session_state["compare.run"] == [OWN.id]
    assert not page.warning


def test_shipped_runs_trained_here_lead_on_too(open_page, page_links) -> None:
    leads_on(list(SPECS.values()))
    latent, compare = page_links
    assert latent["label"] == "Walk through their latent spaces"
    assert open_page("compare", **compare["query_params"]).session_state["compare.run"] == [
        spec.id for spec in SPECS.values()
    ]


@pytest.mark.parametrize("name", ["latent", "one_image", "compare"])
def test_from_the_menu_ones_own_run_is_one_press_away(open_page, engine: Engine, name: str) -> None:
    keep(engine.store, OWN)
    page = open_page(name)
    assert not [button for button in page.button if button.key == "own runs"]  # somebody else's
    page.session_state["asked for"] = [OWN.id, "f" * 16]  # as the press on Train leaves it; one is not ready
    page.run()
    (button,) = [button for button in page.button if button.key == "own runs"]
    assert button.label.startswith("Your run of Gaussian, learned variance is ready")
    button.click().run()
    assert not page.exception
    assert page.session_state[f"{name}.run"] == ([OWN.id] if name == "compare" else OWN.id)
    assert not [button for button in page.button if button.key == "own runs"]


def test_what_is_shown_without_a_press_are_the_shipped_runs(open_page) -> None:
    page = open_page("compare")
    assert page.session_state["compare.run"] == [spec.id for spec in SHIPPED.values()]
    assert open_page("latent").selectbox[0].options[0] == SHIPPED_LABEL
