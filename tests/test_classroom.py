"""What a class is asked to be, and the sentences for what cannot be; how it runs: tests/browser/test_class.py."""

from __future__ import annotations

import socket

import pytest

from vae_core import classroom


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
