"""Whose turn it is, without workers: learners are served in turn, and the line has an end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.runs.stores import SPEC, found, trained
from vae_core.errors import LineError
from vae_core.runs import asked, line
from vae_core.runs.line import InLine, in_line
from vae_core.runs.store import Store
from vae_core.runs.turns import LEAST_SECONDS, SLICE_SECONDS, TURN_SECONDS, Turns, give_way


def run(name: str, *learners: str, created: float = 0.0, pictured: bool = True) -> InLine:
    return InLine(name, created, "digits", learners, pictured)


def order(turns: Turns, *waiting: InLine, now: float = 100.0) -> list[str]:
    return [one.id for one in turns.in_order(waiting, now)]


# ---- turns


def test_who_asks_for_much_waits_for_it_himself() -> None:
    """Served one at a time, one who came late with one run is second, after ten runs of somebody else."""
    turns, now = Turns(), 0.0
    waiting = [run(f"a{n}", "ann", created=n, pictured=False) for n in range(10)]
    waiting.append(run("b", "bob", created=99, pictured=False))
    served = []
    while waiting:
        first = turns.in_order(waiting, now)[0]
        turns.begin(first, now)
        served.append(first.id)
        waiting.remove(first)
        now += 1.5 * TURN_SECONDS
    assert served[:2] == ["a0", "b"]
    assert served[2:] == [f"a{n}" for n in range(1, 10)]


def test_what_nobody_has_seen_comes_first_and_what_nobody_wants_before_it() -> None:
    turns = Turns({"ann": 1.0, "bob": 50.0})
    seen, unseen, unwanted = run("seen", "ann"), run("unseen", "bob", pictured=False), run("unwanted")
    assert order(turns, seen, unseen, unwanted) == ["unwanted", "unseen", "seen"]


def test_the_lanes_of_a_press_have_one_turn() -> None:
    turns = Turns({"bob": 50.0})
    lanes = [run(f"a{n}", "ann", created=n) for n in range(3)]
    other = run("b", "bob", created=-1)
    turns.begin(lanes[0], 100.0)
    assert order(turns, other, *lanes[1:], now=100.5) == ["a1", "a2", "b"]
    assert order(turns, other, *lanes[1:], now=101 + TURN_SECONDS) == ["b", "a1", "a2"]


def test_a_run_of_several_has_the_best_of_their_places() -> None:
    turns = Turns({"ann": 90.0, "bob": 10.0, "eve": 50.0})
    assert order(turns, run("hers", "eve"), run("theirs", "ann", "bob")) == ["theirs", "hers"]


def test_who_has_trained_longest_gives_way() -> None:
    long, short = SLICE_SECONDS + 1, SLICE_SECONDS - 1
    training = {"long": long, "longer": long + 1, "short": short, "begins": float("-inf")}
    seen, unseen = run("seen", "ann"), run("unseen", "bob", pictured=False)
    assert give_way(training, [], 0) == []
    assert give_way(training, [seen], 0) == ["longer"]
    assert give_way(training, [seen], 1) == []  # one is giving way already
    assert give_way(training, [seen] * 4, 0) == ["longer", "long"]
    assert give_way({"short": short}, [seen], 0) == []
    assert give_way({"short": short}, [unseen], 0) == ["short"]
    assert give_way({"short": LEAST_SECONDS / 2}, [unseen], 0) == []
    assert give_way({"a": short, "b": short}, [unseen, seen], 0) == ["a"]


# ---- the line


def test_a_run_is_wanted_by_all_who_asked_until_they_stop(store: Store) -> None:
    for learner in ("ann", "bob"):
        store.queue(SPEC, learner)
    (one,) = in_line(store)
    assert (one.id, one.learners, one.pictured) == (SPEC.id, ("ann", "bob"), False)
    assert line.wanted_by(store, "ann", [SPEC.id, "other"]) == {SPEC.id}
    line.unwant(store, SPEC.id, "ann")
    assert line.wanted_by(store, "ann", [SPEC.id]) == set()
    assert line.is_wanted(store, SPEC.id)
    line.unwant(store, SPEC.id)
    assert not line.is_wanted(store, SPEC.id)
    assert in_line(store)[0].learners == ()
    store.finish(SPEC.id, "stopped", "Stopped.")
    store.queue(SPEC, "eve")  # what others wanted earlier is not wanted for them again
    assert in_line(store)[0].learners == ("eve",)
    assert line.counts(store) == (1, 0)


def test_a_line_has_an_end_for_one_and_for_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "MOST", asked.MOST_OF_ONE + 1)
    specs = [replace(SPEC, seed=seed) for seed in range(asked.MOST_OF_ONE + 2)]
    for spec in specs[:-2]:
        store.queue(spec, "ann")
    with pytest.raises(LineError, match=f"You have {asked.MOST_OF_ONE} runs"):
        store.queue(specs[-2], "ann")
    assert store.run(specs[-2].id) is None
    store.queue(specs[0], "ann")  # one that is there needs no room
    store.queue(specs[-2], "bob")
    with pytest.raises(LineError, match="Try again when some have ended"):
        store.queue(specs[-1], "eve")
    line.unwant(store, specs[0].id, "ann")
    store.finish(specs[0].id, "stopped", "Stopped.")
    store.queue(specs[-1], "ann")


def test_one_process_hears_what_another_writes(store: Store) -> None:
    other = Store(store.folder)
    assert not store.hear()
    version = store.news.version
    trained(other, SPEC)
    assert store.hear()
    assert store.news.version == store.news.last(SPEC.id) == other.news.last(SPEC.id) > version
    assert not store.hear()
    store.set_message(SPEC.id, "Own.")
    assert not store.hear()  # its own were told as they came
    assert other.hear()
    assert found(other, SPEC).message == "Own."
