"""What a class is asked to be, and the sentences for what cannot be; how it runs: tests/browser/test_class.py."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

from tests.waiting import wait_until
from vae_core import classroom

OK = b"HTTP/1.0 200 OK\r\n\r\n"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("CLASS_PROCESSES", "many", "allowed: a whole number from 1 to 64."),
        ("CLASS_ADDRESS", "somewhere", "allowed: an IP address of this machine, or 0.0.0.0."),
        ("CLASS_PORT", "0", "allowed: a whole number from 1 to 65535."),
    ],
)
def test_a_wrong_wish_is_one_sentence(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(classroom, "find_haproxy", lambda: "haproxy")
    monkeypatch.setenv(name, value)
    assert classroom.main() == 2
    assert f"{name} is {value!r}; {told}" in capsys.readouterr().err


def test_a_port_that_is_taken_and_no_haproxy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("CLASS_PORT", str(taken.getsockname()[1]))
        with pytest.raises(ValueError, match="Nobody can listen at"):
            classroom.address()
    monkeypatch.setattr(classroom, "PATH", "/nowhere")
    assert classroom.main() == 1
    assert "sudo apt-get install haproxy" in capsys.readouterr().err


def test_every_page_process_is_in_both_halves_of_the_configuration() -> None:
    text = classroom.configuration("127.0.0.1:8501", [9001, 9002])
    for number, port in ((1, 9001), (2, 9002)):
        assert text.count(f"    server page-{number} 127.0.0.1:{port} cookie page-{number}\n") == 2
    assert "$" not in text


@pytest.mark.parametrize(
    ("word", "told"), [("", "set VAE_WORD so that only who knows"), ("secret", "VAE_WORD is set, so only who knows")]
)
def test_a_class_that_others_reach_tells_of_the_word(word: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VAE_WORD", word)
    said = classroom.open_to_others("0.0.0.0:8501")
    assert told in said and "0.0.0.0:8501" in said and "not encrypted" in said
    assert "secret" not in said


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def questions(kept: classroom.Kept, server: socket.socket, answers: list[bytes]) -> None:
    """It is asked as often, and answers so; an empty one is silence until nobody waits for it."""

    def question() -> socket.socket | None:
        kept.check()
        return kept.question

    for answer in answers:
        wait_until(question)
        one, _ = server.accept()
        with one:
            one.recv(1000)
            one.sendall(answer)
            wait_until(lambda: question() is None)


def test_who_is_slow_now_and_then_is_left_alone_and_who_hangs_is_not(
    server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, seconds in {"LOOK_SECONDS": 0.01, "ANSWER_SECONDS": 0.1, "HANG_SECONDS": 0.0}.items():
        monkeypatch.setattr(classroom, name, seconds)
    kept = classroom.Kept([sys.executable, "-c", "import time; time.sleep(900)"], server.getsockname()[1])
    kept.check()
    first = kept.process
    assert first is not None
    try:
        questions(kept, server, [b"", b"", b"", b"", OK])  # it takes long to begin
        questions(kept, server, [b"", b"", OK, b"HTTP/1.0 503 Service Unavailable\r\n\r\n", b"", OK])
        assert (kept.process, kept.unanswered) == (first, 0)
        questions(kept, server, [b"", b"", b""])
        wait_until(lambda: first.poll() is not None)
        kept.check()
        assert kept.process is not first
    finally:
        for process in (first, kept.process):
            if process is not None:
                process.kill()
                process.wait()
