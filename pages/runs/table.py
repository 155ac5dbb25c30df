"""The list: a row for each run, ticked by a press or by keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from pages.shared.naming import title
from vae_core.catalogue import DATASETS
from vae_core.runs.kept import Kept

COLUMNS = {
    "Name": st.column_config.TextColumn(width=120),
    "Asked for": st.column_config.DatetimeColumn(format="distance"),
}
STATUS = {"queued": "in line", "running": "trains"}


def show_table(found: Sequence[Kept], chosen: Sequence[str], choose: Callable[[list[str]], None]) -> None:
    """`chosen` are ids; `choose` gets those that are ticked, once they are others. Those chosen that are not in this
    part of the list stay chosen."""
    ids = [one.run.id for one in found]
    key = f"runs.table {hash((*ids, *(one for one in chosen if one not in ids)))}"  # a row's number means another run

    def ticked() -> None:
        rows = st.session_state[key]["selection"]["rows"]
        ticked = rows if isinstance(rows, list) else []  # a browser may say anything
        choose([*(one for one in chosen if one not in ids), *(ids[row] for row in range(len(ids)) if row in ticked)])

    st.dataframe(
        _rows(found),
        hide_index=True,
        height="auto",
        key=key,
        on_select=ticked,
        selection_mode="multi-row",
        selection_default={"selection": {"rows": [ids.index(one) for one in chosen if one in ids]}},
        column_config=COLUMNS,
        alt="The runs, a row for each",
    )
    st.caption("With keys: arrows to a row, then Shift and Space to tick it.")


def _rows(found: Sequence[Kept]) -> pd.DataFrame:
    names = [one.run.name for one in found]
    return pd.DataFrame(
        {
            "Decoder": [title(one.run.spec) for one in found],
            **({"Name": names} if any(names) else {}),
            "Data": [DATASETS[one.run.spec.dataset].title for one in found],
            "Epochs": [one.run.spec.epochs for one in found],
            "State": [", ".join(_state(one)) for one in found],
            "Asked for": pd.to_datetime([one.run.created for one in found], unit="s", utc=True),
        }
    )


def _state(one: Kept) -> list[str]:
    words = [STATUS.get(one.run.status, one.run.status)]
    return [*words, *["pinned"] * one.run.pinned, *["yours"] * one.own]
