"""What runs will take, said before they are begun: to who asks for them, and to others who share the workers."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from vae_core.runs.line import of_others
from vae_core.runs.run import spec_of
from vae_core.runs.store import Store
from vae_core.runs.turns import SLICE_SECONDS
from vae_core.spec import NOMINAL_FLOPS, NOMINAL_STEP_SECONDS, RunSpec, cost

LONG_SECONDS = 90.0  # of one core; beyond that others notice, and it is told what it is to them
MEASURED = 8  # runs; the newest say how fast it goes here
LEAST_MEASURED = 1.0  # second expected of a run's steps: the first ones of all are slow


def forecast(store: Store, specs: Sequence[RunSpec], learner: str) -> tuple[str, str]:
    """How many steps these runs have and how long they take, and what they are to others: "" but for a long wish.
    Raises StoreError."""
    needs, pace = [cost(spec) for spec in specs], measured_pace(store)
    seconds = sum(need.seconds for need in needs) * (pace or 1.0)
    kind = "at the speed measured here" if pace else "a guess, for none has been measured here yet"
    one = len(specs) == 1
    needed = (
        f"{specs[0].total_steps:,} steps{'' if one else ' each'}, about {_duration(seconds)} of one core"
        f"{'' if one else f' for all {len(specs)}'} ({kind}). {'The' if one else 'The largest'} VAE has "
        f"{max(need.parameters for need in needs) / 1e6:.2g} million weights and takes "
        f"{max(need.memory_bytes for need in needs) / 1e6:.0f} MB."
    )
    if seconds < LONG_SECONDS:
        return needed, ""
    it_is, goes = ("it is", "goes") if one else ("they are", "go")
    many = of_others(store, learner)
    who = f"Others have {many} run{'s' * (many != 1)}" if many else "Nobody else has a run"
    return needed, (
        f"This takes long, about {_duration(seconds)} of one core: while others wait, {it_is} set aside every "
        f"{SLICE_SECONDS:.0f} s or sooner and {goes} on later. {who} in line or in training now."
    )


def measured_pace(store: Store) -> float | None:
    """Seconds that a step took here for each that `cost` expects, evaluation aside: the median of the newest runs. None
    where no run has ended here. Raises StoreError."""
    rows = store.read(
        "SELECT spec, json_extract(result, '$.images_per_second') AS speed FROM runs "
        "WHERE status = 'done' AND json_valid(result) ORDER BY created DESC LIMIT ?",
        (MEASURED,),
    )
    paces = []
    for row in rows:
        spec = spec_of(row["spec"])
        if spec is not None and isinstance(row["speed"], float) and row["speed"] > 0:
            expected = cost(spec).step_flops / NOMINAL_FLOPS + NOMINAL_STEP_SECONDS
            if expected * spec.total_steps < LEAST_MEASURED:
                continue
            images = min(spec.batch_size, spec.n_training)
            paces.append(images / row["speed"] / expected)
    return median(paces) if paces else None


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{max(1, round(seconds))} s"
