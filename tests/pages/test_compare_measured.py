"""Compare, what the workers measure for it: asked, watched, stopped, refused."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from pages.compare import asking
from tests.pages.test_compare import BERNOULLI, OWN, ids, labels, own, press, text
from tests.waiting import wait_until
from vae_core.runs.engine import Engine
from vae_core.runs.measure import Measurement, Measurements

__all__ = ["own"]  # a fixture


def answered(engine: Engine, page: AppTest) -> AppTest:
    """The page once all that it asked for is measured."""
    keys = page.session_state[asking.ASKED].values()
    states = lambda: [engine.measurements.get(key) for key in keys]
    wait_until(lambda: not any(one.active for one in states()), how=lambda: f"{states()} {engine.problem}")
    page.run()
    assert not page.exception
    return page


def test_all_is_measured_of_own_runs(open_page, engine: Engine, own) -> None:
    page = open_page("compare", run=ids(own), guess="skip", k="60", images="30")
    assert "Score on 17 levels" in labels(page)  # kept without what they measured
    page = answered(engine, press(page, "Score on 17 levels"))
    assert "most probability" in text(page)
    page = answered(engine, press(page, "Climb"))
    table = page.table[0].value
    assert list(table.index) == ["Gaussian, one learned variance", "Discretised logistic"]
    assert list(table["k"]) == ["60", "60"]
    page = answered(engine, press(page, "Measure the noise"))
    assert len(page.table) == 2
    assert "leaves the most correlation between neighbours" in text(page)
    assert "Stop" not in labels(page)
    assert {"Climb", "Measure the noise"}.isdisjoint(labels(page))  # the same would only give the same
    page.number_input(key="compare.k").set_value(30).run()
    assert "Climb" in labels(page)


def test_fewer_levels_are_another_question(open_page, engine: Engine, own) -> None:
    page = open_page("compare", run=ids(own), guess="skip", levels="4")
    page = answered(engine, press(page, "Score on 4 levels"))
    assert "Dotted: every level alike, 2.000" in text(page)
    assert "knows nothing" not in text(page)  # of 17 levels on 4 its density is another


def test_stop_stops_all_that_is_asked(open_page, engine: Engine) -> None:
    page = open_page("compare", guess="skip", k="5000", images="1000")
    press(page, "Climb")
    assert "Stop" in labels(page)
    press(page, "Stop")
    states = [engine.measurements.get(key) for key in page.session_state[asking.ASKED].values()]
    assert {one.status for one in states} == {"stopped"}
    assert "Stopped: Bernoulli; " in text(page)
    assert "Climb" in labels(page)


def test_stop_is_for_who_pressed_it(open_page, engine: Engine, monkeypatch) -> None:
    monkeypatch.setattr(engine, "measurements", Measurements())  # with nobody connected: they wait
    monkeypatch.setattr(Engine, "problem", "No worker is connected to the Dask scheduler.")
    ann, bob = (press(open_page("compare", run=[BERNOULLI.id], guess="skip"), "Climb") for _ in range(2))
    (key,) = ann.session_state[asking.ASKED].values()
    press(ann, "Stop")
    assert "Others want this measurement too, so it goes on without you." in [one.value for one in ann.toast]
    assert "Climb" in labels(ann) and "Stop" not in labels(ann)  # he may join again
    assert engine.measurements.get(key).active and "Stop" in labels(bob.run())
    press(bob, "Stop")
    assert engine.measurements.get(key).status == "stopped"
    assert not bob.toast


def test_without_a_worker_it_waits_and_says_why(open_page, engine: Engine, monkeypatch) -> None:
    monkeypatch.setattr(engine, "measurements", Measurements())  # with nobody connected
    monkeypatch.setattr(Engine, "problem", "No worker is connected to the Dask scheduler.")
    page = press(open_page("compare", run=[BERNOULLI.id], guess="skip"), "Climb")
    assert [element.proto.text for element in page.get("progress")] == ["Bernoulli: in line"]
    assert "No worker is connected" in page.warning[0].value
    assert "Climb" in labels(press(page, "Stop"))


def test_damaged_weights_are_told(open_page, engine: Engine, own) -> None:
    path = engine.store.weights_path(OWN.id)
    path.write_bytes(path.read_bytes()[:-40])
    page = answered(engine, press(open_page("compare", run=ids(own), guess="skip"), "Score on 17 levels"))
    assert "Gaussian, one learned variance: The saved weights cannot be read" in page.error[0].value
    assert "**Discretised logistic** gives these images a probability" in text(page)
    path.unlink()
    assert "The weights of this run are missing" in open_page("compare", run=ids(own)).warning[0].value


def test_how_far_in_words() -> None:
    asked = asking.Question("a", "b", lambda weights: iter(()), {}, lambda found: f"found {found}")
    words = lambda one: asking._how_far(one, asked)
    assert words(Measurement()) == "in line"
    assert words(Measurement("running", 0.25, 9.4, 3)) == "25% · 9 s left · found 3"
    assert words(Measurement("running", 0.0, None, None)) == "0% · found None"
    assert words(Measurement("done", 1.0)) == "done"
