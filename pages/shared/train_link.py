"""The Train page's settings as its address holds them, read with the rules of RunSpec; and links that set them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pages.shared.address import Address, PageSettings, Setting, choice
from pages.shared.links import page_link
from vae_core.errors import SpecError
from vae_core.shipped import DECODERS
from vae_core.spec import SETTINGS, RunSpec
from vae_core.values import read, shown

TRAIN = "pages/train/page.py"
FIELDS = [name for name in SETTINGS if name != "likelihood"]


def _read(name: str, texts: list[str]) -> Any:
    value = read(SETTINGS[name].rule, name, texts[-1])
    RunSpec.from_dict({name: value})  # which may cost too much
    return layers(value) if name == "hidden" else value


def _read_decoders(name: str, texts: list[str]) -> list[str]:
    return list(dict.fromkeys(RunSpec(likelihood=text).likelihood for text in texts))


def layers(sizes: Sequence[int]) -> str:
    """As the form has them."""
    return ", ".join(map(str, sizes))


def _no_run(name: str, texts: list[str]) -> Any:
    why = "its name alone does not tell its settings; those below can be trained instead"
    raise SpecError(name, f"No run {shown(texts[-1])} is kept here, and {why}.")


UNITS = {"own": "KL and MSE", "bits": "Reconstruction and ELBO, in bits per pixel"}
# Black and white: a Bernoulli's number is then ln p. A link that says nothing of pixels is from when grey came first.
FIRST_PIXELS = Setting("threshold", _read, rule=SETTINGS["binarize"].rule, unsaid=RunSpec.binarize)
TRAIN_SETTINGS = PageSettings(
    "train",
    {
        **{name: Setting(getattr(RunSpec, name), _read, rule=SETTINGS[name].rule) for name in FIELDS},
        "binarize": FIRST_PIXELS,
        "hidden": Setting(layers(RunSpec.hidden), _read, lambda sizes: [sizes.replace(" ", "")]),
        "decoders": Setting(list(DECODERS), _read_decoders, list),
        "units": choice(UNITS, "own"),
        "run": Setting("", _no_run),
    },
)


def link_to(specs: Sequence[RunSpec]) -> Address:
    """The Train page's address with the settings of these specs, which differ in their likelihood alone."""
    values = {name: getattr(specs[0], name) for name in FIELDS}
    values |= {"hidden": layers(specs[0].hidden), "decoders": [spec.likelihood for spec in specs]}
    return TRAIN_SETTINGS.link(**values)


def open_on_train(spec: RunSpec, label: str = "Open it on the Train page") -> None:
    page_link(TRAIN, label, ":material/model_training:", link_to([spec]))
