"""A class: two page processes behind HAProxy, two visitors, and what they see when the process that leads is killed."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.classroom import PAGES, Class, needs_haproxy
from tests.browser.stages import button, lane, open_train, passed, picture, step
from tests.runs.conftest import assert_ended_as_here
from tests.waiting import alive, wait_until
from vae_core.classroom import COOKIE
from vae_core.runs.store import Store

pytestmark = needs_haproxy


@pytest.fixture
def other(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context()
    yield context
    context.close()


def place(page: Page) -> str:
    """The page process that this visitor's browser is kept on."""
    return next(one["value"] for one in page.context.cookies() if one.get("name") == COOKIE)


def leads(process: psutil.Process) -> bool:
    return any("vae_core.runs.cluster" in child.cmdline() for child in process.children())


def test_a_class_goes_on_when_the_process_that_leads_is_killed(
    classroom: Class, context: BrowserContext, other: BrowserContext
) -> None:
    one, two = context.new_page(), other.new_page()
    query = "dataset=digits&epochs=100&hidden=64&decoders=bernoulli"
    first = wait_until(lambda: next((name for name, each in classroom.pages().items() if leads(each)), None))
    (second,) = {*PAGES} - {first}
    for visitor, where in ((context, first), (other, second)):
        visitor.add_cookies([{"name": COOKIE, "value": where, "url": classroom.url}])
    open_train(one, classroom, query)

    # What is pressed at one process is seen live at the other.
    button(one, "Train").click()
    wait_until(lambda: picture(one, "bernoulli", "mean"))
    open_train(two, classroom, query)
    wait_until(lambda: picture(two, "bernoulli", "mean"))
    seen = step(two, "bernoulli")
    wait_until(lambda: passed(two, "bernoulli", seen))
    assert (place(one), place(two)) == (first, second)
    store = Store(classroom.home)
    (run,) = store.unfinished()

    # The visitors of a process that dies go to another, and the run ends as if nothing had been.
    before = classroom.pages()
    assert (leads(before[first]), leads(before[second])) == (True, False)
    before[first].kill()
    wait_until(lambda: leads(before[second]), how=classroom.log)
    for page in (one, two):
        expect(lane(page, "bernoulli")).to_contain_text("done: 1,200 steps")
    assert_ended_as_here(store, run.spec)
    button(one, "Settings").click()  # whose script answers again
    expect(one.locator("input[aria-label=Seed]")).to_be_visible()

    # The process that died has a successor, and so has the proxy.
    after = wait_until(lambda: found if len(found := classroom.pages()) == 2 else None)
    assert after[first] != before[first]
    (proxy,) = [process for process in classroom.family() if process.name() == "haproxy"]
    proxy.kill()
    wait_until(lambda: not alive([proxy]))
    wait_until(classroom.answers)

    # And nothing outlives the one process that keeps them.
    family = classroom.family()
    assert len(family) >= 7  # it, two page processes, the proxy, the cluster and its workers
    assert classroom.process is not None
    for page in (one, two):
        page.goto("about:blank")
    classroom.process.send_signal(signal.SIGKILL)
    classroom.process.wait()
    wait_until(lambda: not alive(family), how=lambda: str(alive(family)))
