"""The same job without a browser: `python -m vae_core train --dataset mnist --likelihood bernoulli --json`."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from vae_core.errors import DataError, SpecError
from vae_core.likelihoods import LIKELIHOODS
from vae_core.spec import SETTINGS, RunSpec
from vae_core.values import read


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m vae_core", description="What exactly is ln p(x|z,w)?")
    commands = top.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train one run", argument_default=argparse.SUPPRESS)
    for name, setting in SETTINGS.items():
        default = getattr(RunSpec, name)
        usual = ",".join(map(str, default)) if isinstance(default, tuple) else default
        text = f"{setting.help.replace('*', '')} Allowed: {setting.rule.allowed}. Default: {usual}."
        train.add_argument(f"--{name.replace('_', '-')}", help=text.replace("%", "%%"))
    train.add_argument("--device", default=None, help="cpu, cuda or mps; default: the best this machine has")
    train.add_argument("--json", action="store_true", default=False, help="end with one line of JSON")
    commands.add_parser("ship", help="train again the runs that ship with the app")
    return top


def run_train(spec: RunSpec, device: str | None, as_json: bool) -> int:
    import torch
    from tqdm import tqdm

    from vae_core.data import load_dataset
    from vae_core.training import train

    torch.set_num_threads(1)  # as in the app's workers, so that the same spec gives the same numbers here and there
    data = load_dataset(
        spec.dataset, lambda sentence, share: print(f"\r{sentence} {share:.0%}", end="", file=sys.stderr)
    )
    with tqdm(total=spec.total_steps, unit="step", file=sys.stderr) as bar:
        for snapshot in train(spec, data, device=device):
            means = snapshot.held_out.means
            bar.set_postfix_str(f"reconstruction {means.reconstruction:.1f} kl {means.kl:.1f} elbo {means.elbo:.1f}")
            bar.update(snapshot.step - bar.n)
    assert snapshot.result is not None
    if snapshot.status == "diverged":
        print(snapshot.message, file=sys.stderr)
    result, kind = asdict(snapshot.result), LIKELIHOODS[spec.likelihood].kind
    if as_json:
        facts = {"spec": spec.to_dict(), "id": spec.id, "kind": kind, "seconds": snapshot.seconds}
        print(json.dumps({**facts, "status": snapshot.status, **result}))
    else:
        for part in ("train", "held_out"):
            told = {name: value for name, value in result[part].items() if value is not None}
            print(part, "  ".join(f"{name} {value:.4f}" for name, value in told.items()))
        print(f"{kind}, {result['active_latents']} active latents, {snapshot.seconds:.1f} s")
    return 0 if snapshot.status == "done" else 1


def main(arguments: list[str] | None = None) -> int:
    options = vars(parser().parse_args(arguments))
    if options.pop("command") == "ship":
        from vae_core.lessons.start import make_examples
        from vae_core.shipped import make_shipped

        make_shipped()
        make_examples()
        return 0
    device, as_json = options.pop("device"), options.pop("json")
    try:
        spec = RunSpec.from_dict({name: read(SETTINGS[name].rule, name, text) for name, text in options.items()})
        return run_train(spec, device, as_json)
    except (SpecError, DataError) as error:
        print(error, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
