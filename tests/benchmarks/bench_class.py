"""A class at once, part of `make bench`: learners who think, change controls and pages, half of them training, and what
that costs the page process. Each learner speaks Streamlit's protocol with all that a browser does by itself
(tests/protocol.py), from this process: the server is another.

    python -m tests.benchmarks.bench_class --learners 60 --seconds 120       # a server of its own
    python -m tests.benchmarks.bench_class --url http://127.0.0.1:8501       # one that runs, or a class
    python -m tests.benchmarks.bench_class --processes 2                     # a class of its own, behind HAProxy
    python -m tests.benchmarks.bench_class --processes 2 --seconds 1800      # a lesson: what grows is told too
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from tests.benchmarks.bench_page import report
from tests.benchmarks.growth import Growth, memory
from tests.browser.classroom import Class
from tests.browser.conftest import Server
from tests.elements import Node
from tests.protocol import Lost, Visitor
from tests.waiting import wait_until

# Where a class is, by page: most train, or look at one pixel, one image and the latent space.
CROWD = {
    "": 1,
    "one_pixel": 3,
    "one_image": 3,
    "two_pixels": 1,
    "mse": 2,
    "assumed": 2,
    "linear": 1,
    "compare": 2,
    "train": 4,
    "experiments": 1,
    "latent": 3,
    "questions": 2,
}
THOUGHT = (1.0, 4.0)  # seconds
TURNS_TO_LEAVE = 4  # a page is left after about so many controls
OWN_SEED = 5  # one of so many who train wants a seed of its own
LEFT_ALONE = (  # they train, delete, download, lead to other pages, or make a run that nobody would wait for
    "train.dataset",
    "train.epochs",
    "train.batch_size",
    "train.hidden",
    "train.mc_samples",
    "train.held_out",
    "assumed.dataset",
    "linear.dataset",
    "meanings",
)


@dataclass
class Tally:
    controls: list[float] = field(default_factory=list)  # ms
    pages: list[float] = field(default_factory=list)  # ms
    first_pages: list[float] = field(default_factory=list)  # ms
    by_page: dict[str, list[float]] = field(default_factory=dict)  # ms of controls
    lost: list[str] = field(default_factory=list)
    exceptions: Counter[str] = field(default_factory=Counter)
    runs: int = 0  # presses on Train
    scripts: int = 0
    answers: int = 0
    received: int = 0


# A learner -----------------------------------------------------------------------------------------------------------


def controls(visitor: Visitor) -> list[Node]:
    """What a learner would change on this page."""
    kinds = ("selectbox", "radio", "button_group", "number_input", "checkbox", "slider", "text_input", "expandable")
    shown = [one for one in visitor.widgets(*kinds) if not getattr(one.proto, "disabled", False)]
    shown = [one for one in shown if one.key not in LEFT_ALONE and not one.key.endswith(".run")]
    return [one for one in shown if one.kind != "button_group" or len(one.options) > 1]


def another(visitor: Visitor, widget: Node, dice: random.Random) -> object:
    """Another value than it has, near it, as a hand would choose it."""
    now, proto = visitor.value(widget), widget.proto
    if widget.kind in ("selectbox", "radio"):
        return dice.choice([one for one in widget.options if one != now] or [now])
    if widget.kind == "button_group":
        if proto.click_mode == proto.MULTI_SELECT:
            flipped = dice.choice(widget.options)
            return [one for one in widget.options if (one in now) != (one == flipped)]
        return [dice.choice([one for one in widget.options if [one] != now])]
    if widget.kind == "number_input":
        step = dice.choice([-1, 1]) * proto.step
        low, high = (proto.min if proto.has_min else -1e9), (proto.max if proto.has_max else 1e9)
        start = low if now is None else now
        return start + step if low <= start + step <= high else start - step
    if widget.kind == "text_input":
        return dice.choice([word for word in ("sigmoid", "mean", "loss", "variance", "") if word != now])
    if widget.kind == "slider":
        return [dice.uniform(proto.min, proto.max)]
    return not now  # checkbox, expandable


async def learner(number: int, url: str, until: float, tally: Tally) -> None:
    dice = random.Random(number)
    visitor = Visitor(url)
    trains = number % 2 == 1
    own_seed = trains and number // 2 % OWN_SEED == OWN_SEED - 1
    try:
        await asyncio.sleep(dice.uniform(0, THOUGHT[1]))  # they do not all come at once
        page = "train" if trains else choose_page(dice)
        seed = f"seed={number}" if own_seed else ""
        tally.first_pages.append(1000 * await visitor.open(page, seed))
        turns = 0
        while time.perf_counter() < until:
            await asyncio.sleep(dice.uniform(*THOUGHT))
            turns += 1
            if trains and turns == 1 and (button := train_button(visitor)):
                tally.runs += 1
                tally.controls.append(1000 * await visitor.change(button, True))
                continue
            await act(visitor, dice, tally)
    except Lost as error:
        tally.lost.append(str(error))
    finally:
        tally.exceptions.update(visitor.exceptions)
        tally.scripts += visitor.reruns
        tally.answers += visitor.answers
        tally.received += visitor.received
        await visitor.close()


async def act(visitor: Visitor, dice: random.Random, tally: Tally) -> None:
    """Change a control, or now and then the page."""
    changeable = controls(visitor)
    watching = visitor.page == "train" and {"running", "queued"} & set(visitor.statuses)
    leave = dice.random() < (0.5 if watching else 1) / TURNS_TO_LEAVE
    if leave or not changeable:
        page = choose_page(dice, visitor.page)
        tally.pages.append(1000 * await visitor.go(page))
        return
    page, widget = visitor.page, dice.choice(changeable)
    took = 1000 * await visitor.change(widget, another(visitor, widget, dice))
    tally.controls.append(took)
    tally.by_page.setdefault(page or "start", []).append(took)


def choose_page(dice: random.Random, but: str | None = None) -> str:
    pages = {page: weight for page, weight in CROWD.items() if page != but}
    return dice.choices(list(pages), list(pages.values()))[0]


def train_button(visitor: Visitor) -> Node | None:
    return next((one for one in visitor.widgets("button") if one.label == "Train" and not one.proto.disabled), None)


# The class -----------------------------------------------------------------------------------------------------------


async def class_at_once(url: str, learners: int, seconds: float, growth: Growth) -> Tally:
    tally = Tally()
    until = time.perf_counter() + seconds
    watching = asyncio.create_task(growth.watch())
    await asyncio.gather(*(learner(number, url, until, tally) for number in range(learners)))
    watching.cancel()
    return tally


def answering(url: str) -> list[psutil.Process]:
    """The page processes behind this address of this machine."""
    port = urlsplit(url).port
    for one in psutil.net_connections("tcp"):
        if one.status == psutil.CONN_LISTEN and one.laddr.port == port and one.pid:
            found = psutil.Process(one.pid)
            if found.name() != "haproxy":
                return [found]
            return [each for each in found.parent().children() if each != found]
    raise SystemExit(f"Nobody on this machine listens at {url}.")


def cpu(process: psutil.Process) -> float:
    """Seconds that a process has computed, to the nanosecond where the system tells (Linux), else to the hundredth."""
    try:
        return time.clock_gettime((~process.pid << 3) | 2)  # clock_getcpuclockid(3): its threads', those gone included
    except OSError:
        times = process.cpu_times()
        return times.user + times.system


def at_rest(pages: list[psutil.Process]) -> bool:
    """Whether they have computed ahead what a class would wait for, which begins when the workers are warm: less than
    a twentieth of a core in five seconds."""
    before = sum(map(cpu, pages))
    time.sleep(5.0)
    return sum(map(cpu, pages)) - before < 0.25


def p(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def crowd(url: str, learners: int, seconds: float, folder: Path | None) -> None:
    pages = answering(url)
    growth = Growth(pages, folder)
    for _ in range(3 * len(pages) - 2):  # the proxy chooses by a visitor's name
        asyncio.run(warm(url))
    wait_until(lambda: at_rest(pages))
    before, computed, start = memory(pages), sum(map(cpu, pages)), time.perf_counter()
    own = cpu(psutil.Process())
    tally = asyncio.run(class_at_once(url, learners, seconds, growth))
    wall, computed, own = time.perf_counter() - start, sum(map(cpu, pages)) - computed, cpu(psutil.Process()) - own
    acts = len(tally.controls) + len(tally.pages) + len(tally.first_pages)
    targets = ("150", "400") if learners > 30 else ("80", "400")
    began = f"{learners // 2} of them on Train, {tally.runs} of whom found a run to begin"
    print(f"\n{learners} learners, {seconds:g} s, {began} ({acts} acts, {acts / wall:.1f} a second):")
    for what, values, target in (("a control", tally.controls, targets[0]), ("a page change", tally.pages, targets[1])):
        report(f"{what}, p50 of {len(values)}", p(values, 0.5), "ms", "")
        report(f"{what}, p95", p(values, 0.95), "ms", target)
    report(f"the first page, p95 of {len(tally.first_pages)}", p(tally.first_pages, 0.95), "ms", "")
    for page, values in sorted(tally.by_page.items(), key=lambda one: -statistics.median(one[1])):
        print(f"    {page}: p50 {p(values, 0.5):.0f}, p95 {p(values, 0.95):.0f} ms of {len(values)} controls")
    report(f"CPU of {len(pages)} page process(es) for each act", 1000 * computed / max(acts, 1), "ms", "")
    report("CPU for each script, pages opened and clocks included", 1000 * computed / max(tally.scripts, 1), "ms", "")
    report("share of one core that they had", computed / wall, "", "")
    report("share of one core that the learners had", own / wall, "", "")
    print(f"{tally.scripts} scripts, {tally.answers} answers to stages, {tally.received / 1e6:.0f} MB sent to learners")
    report("exceptions", sum(tally.exceptions.values()) + len(tally.lost), "", "1")
    for sentence, times in [*tally.exceptions.most_common(5), *Counter(tally.lost).most_common(5)]:
        print(f"    {times} x {sentence}")
    after = memory(pages)
    for name, size in after.items():
        first = f"{before[name]:.0f} MB before" if name in before else "not there before"
        print(f"memory of {name}: {size:.0f} MB, {first}")
    growth.tell()


async def warm(url: str) -> None:
    """Once over all pages, as the first visitor of the day, and until the workers are warm, which a clock looks at."""
    visitor = Visitor(url)
    await visitor.open("train")
    for page in CROWD:
        await visitor.go(page)
    until = time.perf_counter() + 120
    while visitor.clocks and time.perf_counter() < until:
        await asyncio.sleep(0.5)
    await visitor.close()


def a_server(home: Path, processes: int) -> Server:
    return Server(home) if processes == 1 else Class(home, {"CLASS_PROCESSES": str(processes)})


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--learners", type=int, default=30)
    asked.add_argument("--seconds", type=float, default=40)
    asked.add_argument("--url", help="of a server that runs on this machine")
    asked.add_argument("--processes", type=int, default=1, help="that serve pages, behind HAProxy if more than one")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = None if given.url else a_server(Path(folder) / "home", given.processes).start()
        url = given.url or server.url  # type: ignore[union-attr]
        try:
            crowd(url, given.learners, given.seconds, server.home if server else None)
        finally:
            if server:
                server.stop()


if __name__ == "__main__":
    main()
