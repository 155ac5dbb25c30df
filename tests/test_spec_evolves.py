"""A field that RunSpec gets later leaves the ids of earlier runs, and so their links and weights, as they are."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from vae_core.errors import SpecError
from vae_core.spec import RunSpec, _setting
from vae_core.values import Real

FACTS = Path(__file__).parent / "runs" / "earlier" / "facts.json"
RUNS: dict[str, Any] = json.loads(FACTS.read_text(encoding="utf-8"))["runs"]


@dataclass(frozen=True)
class Later(RunSpec):
    dropout: float = _setting(0.0, Real(0.0, 0.9), "Dropout", "Share of units left out.", added_later=True)


@pytest.mark.parametrize("run_id", RUNS)
def test_earlier_runs_keep_their_ids(run_id: str) -> None:
    canonical = RUNS[run_id][0]
    for kind in (RunSpec, Later):
        spec = kind.from_dict(json.loads(canonical))
        assert (spec.id, spec.canonical_json) == (run_id, canonical)
    spelled_out = Later.from_dict({**json.loads(canonical), "dropout": 0.0})
    assert (spelled_out.id, spelled_out.canonical_json) == (run_id, canonical)


def test_another_value_is_another_run() -> None:
    spec = Later(dataset="digits")
    other = replace(spec, dropout=0.5)
    assert other.id not in (spec.id, RunSpec(dataset="digits").id)
    assert other.to_dict() == {**spec.to_dict(), "dropout": 0.5}
    for one in (spec, other):
        assert Later.from_dict(json.loads(one.canonical_json)) == one


def test_a_value_out_of_bounds_is_refused() -> None:
    with pytest.raises(SpecError, match="dropout"):
        Later(dropout=1.0)
    with pytest.raises(SpecError, match="dropout"):
        RunSpec.from_dict({"dropout": 0.5})
