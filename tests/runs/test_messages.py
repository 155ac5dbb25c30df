"""Messages between worker and app: what goes in comes out, as Dask carries it, and nothing else is taken for one."""

from __future__ import annotations

from typing import Any

import pytest
from distributed.protocol import dumps, loads

from tests.runs.conftest import small
from vae_core.runs import worker
from vae_core.runs.messages import Begun, Message, Progress, Said, from_wire, to_wire

ABOUT = {"run": "abc", "token": "abc-1-x"}
SAID, BEGUN = Said(**ABOUT, sentence="Downloading: 40%"), Begun(**ABOUT, step=-1)
PROGRESS = Progress(
    **ABOUT, numbers={"step": 3}, pictures={"mean": b"png"}, curve=[[1, 0.5, 0.5]], images_per_second=1.0
)


def carried(event: dict[str, Any]) -> Any:
    """As Dask sends it: msgpack, whose lists come back as tuples; and its scheduler adds the worker's address."""
    return {**loads(dumps(event)), "worker": "tls://1"}


@pytest.mark.parametrize("message", [SAID, BEGUN, PROGRESS])
def test_a_message_arrives_whole(message: Message) -> None:
    assert from_wire(to_wire(message)) == message
    arrived = from_wire(carried(to_wire(message)))
    assert type(arrived) is type(message)
    assert arrived.worker == "tls://1"
    values = {**vars(message), "worker": "tls://1"}
    assert vars(arrived) == values | ({"curve": ((1, 0.5, 0.5),)} if message is PROGRESS else {})


def test_what_a_worker_sends_is_plain_data() -> None:
    spec = small(likelihood="gaussian_learned")
    sent: list[Message] = []
    worker.run_spec(spec.to_dict(), None, "token", sent.append)
    assert {type(message) for message in sent} == {Begun, Progress}
    for message in sent:
        arrived = from_wire(carried(to_wire(message)))
        assert type(arrived) is type(message)
        if isinstance(arrived, Progress) and isinstance(message, Progress):
            assert arrived.pictures == message.pictures
            assert [list(point) for point in arrived.curve] == message.curve


@pytest.mark.parametrize(
    "event",
    [
        None,
        "Said",
        [],
        {},
        {"action": "worker-added"},
        {**to_wire(SAID), "kind": "Message"},
        {**to_wire(SAID), "kind": ["Said"]},
        {**to_wire(SAID), "kind": "Begun"},
        {**to_wire(SAID), "more": 1},
        {**to_wire(SAID), "run": None},
        {name: value for name, value in to_wire(SAID).items() if name != "token"},
        {**to_wire(BEGUN), "step": "3"},
        {**to_wire(BEGUN), "step": [3]},
        {**to_wire(PROGRESS), "numbers": [1]},
        {**to_wire(PROGRESS), "images_per_second": None},
    ],
)
def test_what_is_no_message_is_refused(event: Any) -> None:
    with pytest.raises(ValueError, match="no message"):
        from_wire(event)
