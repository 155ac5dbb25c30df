"""What the pages say and do, without a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.shared import runtime
from pages.shared.naming import title
from pages.shared.train_link import FIELDS, layers, link_to
from pages.shared.words import explanation
from tests.pages.conftest import ROOT
from tests.waiting import wait_until
from vae_core.errors import StoreError
from vae_core.lessons.start import load_examples
from vae_core.likelihoods import LIKELIHOODS
from vae_core.runs.engine import Engine
from vae_core.shipped import SPECS
from vae_core.spec import RunSpec


def text(page: AppTest) -> str:
    return "\n".join(element.value for element in [*page.title, *page.markdown, *page.caption])


def finish(engine: Engine, run_id: str) -> None:
    wait_until(lambda: (run := engine.store.run(run_id)) and not run.active, how=lambda: str(engine.store.run(run_id)))


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click()
    page.run()
    assert not page.exception
    return page


# The engine's state --------------------------------------------------------------------------------------------------


def _two_of_three_workers(problem: str) -> None:
    from types import SimpleNamespace

    from pages.shared.runtime import show_engine_state
    from vae_core.runs.health import Health

    class Engine(Health):
        store = SimpleNamespace(notice="")

    engine = Engine(None)
    engine.workers, engine.workers_expected, engine._problems = 2, 3, {"workers": problem}
    show_engine_state(engine)  # type: ignore[arg-type]


def test_workers_that_are_missing_are_counted() -> None:
    page = AppTest.from_function(_two_of_three_workers, args=("",)).run()
    assert "2 of 3 ready" in page.caption[0].value
    page = AppTest.from_function(_two_of_three_workers, args=("Only 2 of 3 have come up.",)).run()
    assert page.warning[0].value == "Only 2 of 3 have come up."
    assert not page.caption


# The start page ------------------------------------------------------------------------------------------------------


def test_start_shows_the_three_numbers_of_the_chosen_digit(open_page) -> None:
    page = open_page("start")
    _, examples = load_examples()
    for digit in (3, 8):
        page.segmented_control(key="start.digit").set_value(digit).run()
        for key in SPECS:
            shown = f"{examples[key][digit].log_prob:,.1f}".replace("-", "−")
            assert f"ln p(x|z,w) = **{shown}** nats" in text(page)
            assert explanation(key)[0] in text(page)


def test_train_them_yourself_opens_the_same_runs(open_page) -> None:
    page = open_page("train", **link_to(list(SPECS.values())))
    assert not page.warning
    assert page.session_state["train.decoders"] == list(SPECS)
    for spec in SPECS.values():
        for name in FIELDS:
            wanted = getattr(spec, name)
            assert page.session_state[f"train.{name}"] == (layers(wanted) if name == "hidden" else wanted), name


def test_only_sigma_1_is_called_identity_covariance(open_page) -> None:
    assert LIKELIHOODS["gaussian_identity"].name == "Gaussian, fixed σ"  # where σ is chosen beside it
    assert not any("identity" in kind.name for kind in LIKELIHOODS.values())
    assert [title(replace(SPECS["gaussian_identity"], sigma=sigma)) for sigma in (1.0, 0.1)] == [
        "Gaussian, identity covariance",
        "Gaussian, fixed σ = 0.1",
    ]


def test_start_draws_another_sample(open_page) -> None:
    page = open_page("start")
    assert "Draw 1 of 4" in text(page)
    assert "Draw 2 of 4" in text(press(page, "Draw another sample"))


# The Train page ------------------------------------------------------------------------------------------------------


def test_train_then_continue(open_page, engine: Engine) -> None:
    page = open_page("train", dataset="digits", epochs="3", hidden="32", decoders=["bernoulli", "gaussian_learned"])
    assert [button.label for button in page.button] == ["Train"]
    press(page, "Train")
    runs = engine.store.unfinished()
    for run in runs:
        finish(engine, run.id)
    page.run()
    assert [button.label for button in page.button] == ["Continue"]
    assert all(engine.store.history(run.id)[-1]["step"] == 36 for run in runs)
    press(page, "Continue")
    assert page.number_input(key="train.epochs").value == 13
    for run in engine.store.unfinished():
        assert run.spec.epochs == 13
        assert run.resume_from is not None
        finish(engine, run.id)


def test_stop_leaves_a_run_to_continue(open_page, engine: Engine) -> None:
    page = open_page("train", dataset="digits", epochs="9000", decoders="gaussian_identity", seed="11")
    press(page, "Train")
    (run,) = engine.store.unfinished()
    assert [button.label for button in page.button] == ["Stop"]
    press(page, "Stop")
    finish(engine, run.id)
    page.run()
    assert [button.label for button in page.button] in (["Continue"], ["Train"])  # Train where it had not begun


def test_a_run_reopens_by_its_id(open_page, engine: Engine) -> None:
    page = open_page("train", dataset="digits", epochs="2", hidden="16,8", seed="21", decoders="bernoulli", beta="2.5")
    press(page, "Train")
    spec = RunSpec(dataset="digits", epochs=2, hidden=(16, 8), seed=21, likelihood="bernoulli", beta=2.5)
    finish(engine, spec.id)
    again = open_page("train", run=spec.id)
    assert again.text_input(key="train.hidden").value == "16, 8"
    assert again.number_input(key="train.beta").value == 2.5
    assert [button.label for button in again.button] == ["Continue"]
    assert not again.warning


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("beta", "nan", "beta is nan; allowed: a number from 0 to 1000."),
        ("beta", "1e999", "beta is inf; allowed: a number from 0 to 1000."),
        ("latent_dim", "2.5", "latent_dim is `'2.5'`; allowed: a whole number from 1 to 64."),
        ("latent_dim", "65", "latent_dim is 65; allowed: a whole number from 1 to 64."),
        ("seed", "-1", "seed is -1; allowed: a whole number from 0 to 2147483647."),
        ("dataset", "../etc", "dataset is `'../etc'`; allowed: mnist, fashion, digits, mnist_full, fashion_full."),
        ("hidden", "", "hidden is `''`; allowed: 1 to 4 layer sizes, each a whole number from 1 to 8192."),
        ("nonsense", "1", "`'nonsense'` is not a setting; allowed: dataset"),
        ("run", "<script>", "No run `'<script>'` is kept here"),
    ],
)
def test_each_bad_part_of_a_link_is_told_and_the_rest_holds(open_page, name: str, value: str, sentence: str) -> None:
    page = open_page("train", **{"epochs": "4", name: value})
    assert sentence in page.warning[0].value.replace("\\", "")  # Markdown is escaped
    assert page.number_input(key="train.epochs").value == 4


def test_no_markdown_of_a_link_is_drawn(open_page) -> None:
    page = open_page("train", dataset="![](http://evil/a.png)", run="[Sign in](http://evil)" * 99)
    assert "`'![](http://evil/a.png)'`" in page.warning[0].value
    assert len(page.warning[1].value) < 300
    assert len(open_page("train", **{f"key{n}": "1" for n in range(99)}).warning) == 6


def test_what_is_too_large_is_told_and_cannot_be_trained(open_page) -> None:
    for sizes, said in (("8192, 8192, 8192", "GiB"), ("a, b", "layer sizes")):
        page = open_page("train")
        page.text_input(key="train.hidden").set_value(sizes).run()
        assert said in page.error[0].value
        assert next(button for button in page.button if button.label == "Train").disabled


def test_no_decoder_chosen(open_page) -> None:
    page = open_page("train")
    page.pills(key="train.decoders").set_value([]).run()
    assert not page.exception
    assert "at least one decoder" in page.error[0].value
    assert next(button for button in page.button if button.label == "Train").disabled


def test_a_full_disk_is_told_where_the_button_is(open_page, engine: Engine, monkeypatch) -> None:
    page = open_page("train", dataset="digits", seed="31")

    def full(spec, learner):
        raise StoreError("Runs cannot be kept in /x (database or disk is full). Free some disk space there.")

    monkeypatch.setattr(engine.store, "queue", full)
    press(page, "Train")
    assert "disk is full" in page.error[0].value


@pytest.mark.parametrize("name", ["start", "train"])
def test_nowhere_to_keep_runs(open_page, monkeypatch, name: str) -> None:
    def unusable():
        raise StoreError("Runs cannot be kept in /x (read-only). Set VAE_HOME to another folder.")

    monkeypatch.setattr(runtime, "_engine", unusable)
    page = open_page(name)
    assert "VAE_HOME" in page.error[0].value


def test_a_damaged_store_is_told(open_page, engine: Engine, monkeypatch) -> None:
    monkeypatch.setattr(engine.store, "notice", "The store of runs was damaged. It was set aside.")
    assert "set aside" in open_page("train").warning[0].value


@pytest.mark.parametrize("name", ["compare", "latent", "train"])
def test_a_store_damaged_in_a_running_app_is_told_once(open_page, engine: Engine, tmp_path, monkeypatch, name) -> None:
    garbage = tmp_path / "runs.sqlite3"
    garbage.write_bytes(b"garbage " * 2000)
    monkeypatch.setattr(engine.store, "path", garbage)
    engine._dispatch.to_write.put(
        lambda: engine.store.begin(SPECS["bernoulli"].id, 0)
    )  # what workers send cannot be written either
    wait_until(lambda: "disk" in engine._problems)
    page = open_page(name)
    assert not page.warning
    assert [error.value.count("is damaged") for error in page.error] == [1]


# Words and pictures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", LIKELIHOODS)
def test_every_decoder_is_explained(key: str) -> None:
    plain, rest = explanation(key)
    assert plain
    for part in ("### The symbol", "### The code", "### What to watch", "Source:"):
        assert part in rest


def test_pages_never_import_torch(tmp_path: Path) -> None:
    """Seconds of waiting and 200 MB in the process that answers everybody."""
    code = (
        "import sys; from streamlit.testing.v1 import AppTest\n"
        "import streamlit; streamlit.page_link = lambda *_, **__: None\n"  # a page by itself knows no other
        "for name in ('start', 'train'):\n"
        "    page = AppTest.from_file(f'pages/{name}/page.py', default_timeout=200).run()\n"
        "    assert not page.exception\n"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules\n"
        "from pages.shared.runtime import _engine; _engine().close()\n"
    )
    environment = {**os.environ, "VAE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=250)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's")
def test_what_pages_free_goes_back_to_the_system() -> None:
    """Also what lies between pieces that stay: a hole is smaller than what glibc gives back by itself."""
    code = (
        "import numpy, psutil; from pages.shared import runtime; from tests.waiting import wait_until\n"
        "memory = lambda: psutil.Process().memory_info().rss >> 20\n"
        "runtime.BETWEEN_GIVING_BACK = 0.2; runtime._set_up()\n"
        "pieces = [numpy.ones(1 << 17) for _ in range(200)]\n"  # 1 MB each
        "full, pieces = memory(), pieces[::10]\n"
        "wait_until(lambda: memory() <= full - 150)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=250)


@pytest.mark.parametrize(("n", "rows"), [(1, [1]), (3, [3]), (4, [2, 2]), (5, [3, 2]), (7, [3, 3, 1]), (8, [3, 3, 2])])
def test_decoders_stand_in_rows(n: int, rows: list[int]) -> None:
    def script(n: int) -> None:
        from pages.shared.columns import columns

        for number, column in enumerate(columns(n)):
            column.markdown(str(number))

    page = AppTest.from_function(script, kwargs={"n": n}).run()
    assert not page.exception
    assert [one.value for one in page.markdown] == [str(number) for number in range(n)]
    assert len(page.columns) == len(rows) * rows[0]  # of one width, also where a row is not full
