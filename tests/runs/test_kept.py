"""The list of runs that were tried: found, named, pinned, removed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.runs.engines import is_sentence
from tests.runs.stores import SPEC, found, sql, trained
from vae_core import RunSpec
from vae_core.errors import KeptError
from vae_core.runs import kept
from vae_core.runs.store import Store

TABLES = ("runs", "snapshots", "pictures", "curve", "asked")


def ids(store: Store, words: str = "", learner: str = "", first: int = 0) -> list[str]:
    return [one.run.id for one in kept.search(store, words, learner, first)[0]]


def asked_by(store: Store, learner: str, seed: int) -> RunSpec:
    spec = replace(SPEC, seed=seed)
    store.queue(spec, learner)
    store.finish(spec.id, "stopped", "")
    return spec


def test_own_runs_come_first_then_the_newest(store: Store) -> None:
    old, theirs, new, nobodys = (asked_by(store, who, n) for n, who in enumerate(["me", "you", "me", ""]))
    assert ids(store, learner="me") == [new.id, old.id, nobodys.id, theirs.id]
    assert ids(store, learner="") == [nobodys.id, new.id, theirs.id, old.id]
    store.queue(new, "you")
    by_id = {one.run.id: one for one in kept.search(store, "", "me")[0]}
    wanted = [old.id, "0" * 16, theirs.id]
    assert [one.run.id for one in kept.those(store, wanted, "me")] == [old.id, theirs.id]
    assert kept.those(store, [], "me") == []
    assert {one.run.id for one in by_id.values() if one.may_change} == {old.id, new.id, nobodys.id}
    assert {one.run.id for one in by_id.values() if one.may_remove} == {old.id, nobodys.id}  # new: another's too


def test_runs_are_found_by_data_set_decoder_and_name(store: Store) -> None:
    gaussian, fashion = replace(SPEC, likelihood="gaussian_learned"), replace(SPEC, dataset="fashion")
    for spec in (SPEC, gaussian, fashion):
        trained(store, spec, end=0)
    kept.rename(store, fashion.id, " Coats at 50%_off ")
    assert found(store, fashion).name == "Coats at 50%_off"
    for words, expected in {
        "gaussian": [gaussian],
        "LEARNED digits": [gaussian],
        "small": [gaussian, SPEC],
        "fashion bernoulli": [fashion],
        "coats": [fashion],
        "50%_": [fashion],
        "%": [fashion],
        "b_rnoulli": [],
        "' OR 1 --": [],
        "digits coats": [],
        "x" * 100_000: [],
    }.items():
        assert ids(store, words) == [spec.id for spec in expected], words


def test_fifty_at_a_time(store: Store) -> None:
    specs = [asked_by(store, "", seed) for seed in range(kept.ON_A_PAGE + 3)]
    newest_first = [spec.id for spec in reversed(specs)]
    assert ids(store) == newest_first[: kept.ON_A_PAGE]
    assert ids(store, first=kept.ON_A_PAGE) == newest_first[kept.ON_A_PAGE :]
    assert kept.search(store, "bernoulli", "")[1] == len(specs)
    assert kept.search(store, "nothing", "") == ([], 0)


@pytest.mark.parametrize("name", ["x" * 61, "a\x00b", "a\u202eb"])
def test_a_name_that_cannot_be_is_told(store: Store, name: str) -> None:
    trained(store, SPEC, end=0)
    with pytest.raises(KeptError) as raised:
        kept.rename(store, SPEC.id, name)
    assert is_sentence(str(raised.value))
    assert found(store, SPEC).name == ""


def test_name_and_pin_outlive_another_try(store: Store) -> None:
    trained(store, SPEC, end=50, status="stopped")
    kept.rename(store, SPEC.id, "Mine")
    kept.pin(store, SPEC.id, True)
    run = store.queue(SPEC)
    assert (run.name, run.pinned, run.attempt) == ("Mine", True, 2)
    kept.rename(store, SPEC.id, "")
    kept.pin(store, SPEC.id, False)
    assert (found(store, SPEC).name, found(store, SPEC).pinned) == ("", False)


def test_not_everything_can_be_pinned(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_PINNED", 1)
    one, two = (asked_by(store, "", seed) for seed in range(2))
    kept.pin(store, one.id, True)
    kept.pin(store, one.id, True)
    with pytest.raises(KeptError, match="As many runs are pinned as may be, 1") as raised:
        kept.pin(store, two.id, True)
    assert is_sentence(str(raised.value))
    assert not found(store, two).pinned


def test_what_is_removed_is_gone_but_for_its_settings(store: Store) -> None:
    other = replace(SPEC, seed=5)
    trained(store, other)
    left = {table: sql(store, f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES}
    trained(store, SPEC)
    assert kept.removed(store, SPEC.id) is None
    assert kept.remove(store, SPEC.id)
    assert {table: sql(store, f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES} == left
    assert not store.has_weights(SPEC.id)
    assert kept.removed(store, SPEC.id) == SPEC
    assert not kept.remove(store, SPEC.id)
    trained(store, SPEC)  # and again
    assert kept.remove(store, SPEC.id)


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_run_that_is_not_over_is_not_removed(store: Store, status: str) -> None:
    store.queue(SPEC)
    if status == "running":
        store.begin(SPEC.id, -1)
    with pytest.raises(KeptError, match="stop it first") as raised:
        kept.remove(store, SPEC.id)
    assert is_sentence(str(raised.value))
    assert found(store, SPEC).status == status


def test_another_process_hears_of_a_removal_and_of_what_comes_after(store: Store) -> None:
    """The newest change may be that of the run that goes: the next must be counted on from it."""
    asked_by(store, "", 1)
    trained(store, SPEC)
    other = Store(store.folder)
    before = other.news.version
    kept.remove(store, SPEC.id)
    assert other.hear()
    assert other.news.version == store.news.version == before + 1
    again = asked_by(store, "", 2)
    assert other.hear()
    assert other.news.last(again.id) == store.news.last(again.id) > before + 1
    for seed in (1, 2):
        kept.remove(store, replace(SPEC, seed=seed).id)  # none is left
    assert other.hear()
    last = asked_by(store, "", 3)
    assert other.hear()
    assert other.news.last(last.id) > 0


def test_so_many_settings_are_remembered(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_REMOVED", 2)
    specs = [asked_by(store, "", seed) for seed in range(4)]
    for spec in specs:
        kept.remove(store, spec.id)
    assert [kept.removed(store, spec.id) for spec in specs] == [None, None, *specs[2:]]
