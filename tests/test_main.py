"""The command line: the library's numbers as one line of JSON, and sentences instead of tracebacks."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

import vae_core.lessons.start
import vae_core.shipped
from vae_core import LIKELIHOODS, RunSpec, Snapshot, load_dataset, train
from vae_core.__main__ import main, parser
from vae_core.spec import SETTINGS
from vae_core.values import Real, Whole

ROOT = Path(__file__).resolve().parents[1]
SMALL = ["train", "--dataset", "digits", "--hidden", "16", "--latent-dim", "2", "--epochs", "3", "--device", "cpu"]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """As a person types it."""
    return subprocess.run(
        [sys.executable, "-m", "vae_core", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=200
    )


def last_of(spec: RunSpec) -> Snapshot:
    *_, last = train(spec, load_dataset(spec.dataset), device="cpu")
    return last


def check(facts: dict[str, Any], spec: RunSpec) -> None:
    """That these are the numbers of the library, to the last bit."""
    last = last_of(spec)
    assert last.result is not None
    assert RunSpec.from_dict(facts["spec"]) == RunSpec.from_dict(spec.to_dict())
    assert facts["id"] == spec.id
    assert facts["status"] == last.status
    assert facts["kind"] == LIKELIHOODS[spec.likelihood].kind
    for part in ("train", "held_out"):
        assert facts[part] == asdict(getattr(last.result, part))
        assert facts[part].keys() >= {"reconstruction", "kl", "elbo", "mse"}
        assert facts[part]["elbo"] == facts[part]["reconstruction"] - facts[part]["kl"]
    assert facts["active_latents"] == last.result.active_latents
    assert facts["seconds"] > 0
    assert facts["images_per_second"] > 0


def test_one_line_of_json_on_stdout_and_progress_on_stderr() -> None:
    done = command(*SMALL, "--likelihood", "gaussian_learned", "--seed", "5", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    assert done.stdout.endswith("\n")
    spec = RunSpec("digits", "gaussian_learned", latent_dim=2, hidden=(16,), epochs=3, seed=5)
    check(json.loads(done.stdout), spec)
    assert "36/36" in done.stderr  # the bar's last word: all steps of three epochs
    assert "elbo" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"likelihood": "gaussian_identity", "sigma": 0.5},
        {"likelihood": "gaussian_learned", "variance_floor": 0.01},
        {"likelihood": "bernoulli", "binarize": "stochastic", "mc_samples": 3, "beta": 0.5},
        {"hidden": (12, 8), "batch_size": 500, "learning_rate": 0.01, "held_out": 0.3, "seed": 7, "epochs": 2},
    ],
    ids=str,
)
def test_every_setting_is_an_option(options: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    words = []
    for name, value in options.items():
        text = ",".join(map(str, value)) if name == "hidden" else str(value)
        words += [f"--{name.replace('_', '-')}", text]
    assert main([*SMALL, *words, "--json"]) == 0
    spec = RunSpec(**{"dataset": "digits", "hidden": (16,), "latent_dim": 2, "epochs": 3, **options})
    check(json.loads(capsys.readouterr().out), spec)


def test_what_is_not_said_is_the_librarys_default() -> None:
    options = vars(parser().parse_args(["train"]))
    assert options == {"command": "train", "device": None, "json": False}
    every = [word for f in fields(RunSpec) for word in (f"--{f.name.replace('_', '-')}", "1")]
    assert vars(parser().parse_args(["train", *every])).keys() >= {f.name for f in fields(RunSpec)}


@pytest.mark.parametrize("likelihood", ["gaussian_identity", "bernoulli"])  # the second scores no grey level
def test_without_json_it_is_for_reading(likelihood: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--likelihood", likelihood]) == 0
    lines = capsys.readouterr().out.splitlines()
    last = last_of(RunSpec("digits", likelihood, latent_dim=2, hidden=(16,), epochs=3))
    assert last.result is not None
    assert [line.split()[0] for line in lines[:2]] == ["train", "held_out"]
    for line, means in zip(lines, (last.result.train, last.result.held_out)):
        told = {name: value for name, value in vars(means).items() if value is not None}
        assert line.partition(" ")[2] == "  ".join(f"{name} {value:.4f}" for name, value in told.items())
    kind = "mass" if likelihood == "bernoulli" else "density"
    assert f"{kind}, {last.result.active_latents} active latents" in lines[2]
    assert len(lines) == 3


def test_a_run_that_diverges_still_ends_with_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--hidden", "64,64,64,64", "--learning-rate", "1", "--epochs", "10", "--json"]) == 1
    output = capsys.readouterr()
    facts = json.loads(output.out)
    assert facts["status"] == "diverged"
    assert math.isfinite(facts["held_out"]["elbo"])
    assert "smaller learning rate" in output.err.splitlines()[-1]


# ---- what cannot be


WRONG = [
    ("--dataset", "cifar", "dataset is `'cifar'`; allowed: mnist"),
    ("--likelihood", "Bernoulli", "likelihood is `'Bernoulli'`; allowed: bernoulli"),
    ("--binarize", "", "binarize is `''`"),
    ("--epochs", "0", "epochs is 0; allowed: a whole number from 1 to"),
    ("--epochs", "-3", "epochs is -3"),
    ("--epochs", "2.5", "epochs is `'2.5'`"),
    ("--epochs", "1e3", "epochs is `'1e3'`"),
    ("--epochs", "many", "epochs is `'many'`"),
    ("--epochs", "", "epochs is `''`"),
    ("--epochs", "9" * 5000, "epochs is"),
    ("--latent-dim", "65", "latent_dim is 65; allowed: a whole number from 1 to 64"),
    ("--seed", "-1", "seed is -1"),
    ("--hidden", "", "hidden is `''`; allowed: 1 to 4 layer sizes"),
    ("--hidden", "400,", "hidden is `'400,'`"),
    ("--hidden", "0", "hidden is `[0]`"),
    ("--hidden", "8,8,8,8,8", "hidden is `[8, 8, 8, 8, 8]`"),
    ("--hidden", "8192,8192,8192,8192", "GiB"),
    ("--learning-rate", "nan", "learning_rate is nan"),
    ("--learning-rate", "inf", "learning_rate is inf"),
    ("--learning-rate", "0", "learning_rate is 0"),
    ("--beta", "-0.5", "beta is -0.5"),
    ("--beta", "1,5", "beta is `'1,5'`"),
    ("--held-out", "1", "held_out is 1"),
    ("--device", "tpu", "device is 'tpu'; allowed on this machine:"),
    ("--device", "", "device is ''"),
]


@pytest.mark.parametrize(("option", "value", "sentence"), WRONG, ids=lambda text: text[:20])
def test_a_wrong_value_is_one_sentence(
    option: str, value: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SMALL, option, value, "--json"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    last = output.err.strip().splitlines()[-1]
    assert sentence in last
    assert last.endswith(".")
    assert len(last) < 400
    assert "Traceback" not in output.err


def test_the_limits_in_the_sentences_are_those_of_the_spec(capsys: pytest.CaptureFixture[str]) -> None:
    ranges = {name: setting.rule for name, setting in SETTINGS.items() if isinstance(setting.rule, Whole | Real)}
    limits = {name: f"from {rule.low:.10g} to {rule.high:.10g}." for name, rule in ranges.items()}
    for name, sentence in limits.items():
        assert main([*SMALL, f"--{name.replace('_', '-')}", "1e99"]) == 2
        assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(("option", "value", "sentence"), [WRONG[0], WRONG[3]], ids=["dataset", "epochs"])
def test_as_a_command_too(option: str, value: str, sentence: str) -> None:
    done = command(*SMALL, option, value)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [[], ["fly"], ["train", "--layers", "3"], ["train", "--epochs"], ["train", "digits"]], ids=str
)
def test_what_is_no_command_shows_how_to_use_it(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("usage: python -m vae_core")


def test_help_names_every_setting_with_its_limits(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["train", "--help"])
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for field in fields(RunSpec):
        assert f"--{field.name.replace('_', '-')} " in text
    for setting in SETTINGS.values():
        assert " ".join(f"{setting.help.replace('*', '')} Allowed: {setting.rule.allowed}.".split()) in text
    for name in LIKELIHOODS:
        assert name in text


def test_a_device_that_is_not_here() -> None:
    import torch

    missing = "cuda" if not torch.cuda.is_available() else "mps"
    done = command(*SMALL, "--device", missing, "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith(f"device is '{missing}'; allowed on this machine:")
    assert "Traceback" not in done.stderr


def test_data_that_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VAE_HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mnist_60k.npz").write_bytes(b"half a download")
    assert main(["train", "--dataset", "mnist_full", "--hidden", "8", "--epochs", "1", "--json"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "delete it and try again." in output.err
    assert len(output.err.splitlines()) == 1


def test_ship_makes_what_ships(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    monkeypatch.setattr(vae_core.shipped, "make_shipped", lambda: made.append("runs"))
    monkeypatch.setattr(vae_core.lessons.start, "make_examples", lambda: made.append("examples"))
    assert main(["ship"]) == 0
    assert made == ["runs", "examples"]
