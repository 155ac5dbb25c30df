"""A run that is deleted while its stage is open: told where it is shown, and trained again there."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Server
from tests.browser.stages import button, lane, open_train, picture
from vae_core.runs import kept
from vae_core.runs.store import Store


def test_a_run_that_is_deleted_while_it_is_open_is_told_and_trained_again(page: Page, server: Server) -> None:
    open_train(page, server, "dataset=digits&epochs=2&seed=3&decoders=bernoulli&decoders=gaussian_learned")
    button(page, "Train").click()
    for key in ("bernoulli", "gaussian_learned"):
        expect(lane(page, key)).to_contain_text("done: 24 steps")
    expect(button(page, "Continue")).to_be_visible()
    seen = picture(page, "bernoulli", "mean")
    store = Store(server.home)
    (run,) = [run for run in store.trained() if run.spec.likelihood == "bernoulli" and run.spec.seed == 3]
    kept.remove(store, run.id)
    told = page.get_by_text("This run was deleted: Bernoulli. Training it again gives the same.")
    expect(told).to_be_visible()
    expect(lane(page, "bernoulli")).to_contain_text("deleted: train it again for the same numbers")
    expect(lane(page, "gaussian_learned")).to_contain_text("done: 24 steps")
    assert picture(page, "bernoulli", "mean") == seen  # it is here still, to be looked at
    button(page, "Train").click()
    expect(lane(page, "bernoulli")).to_contain_text("done: 24 steps")
    expect(told).to_have_count(0)
    expect(button(page, "Continue")).to_be_visible()
    assert picture(page, "bernoulli", "mean") == seen
