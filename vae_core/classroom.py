"""The app for a class: `python -m vae_core.classroom` (make class) keeps several page processes behind one address.

HAProxy stands before them and keeps a visitor on one process; they share the folder of runs, and one of them leads
(`runs/engine.py`). Whatever ends is started again, as is a page process that hangs; and all of it ends with this
process, however that ends.
"""

from __future__ import annotations

import ctypes
import ipaddress
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from string import Template
from types import FrameType

from vae_core.folders import ASSETS, home, private

CHECK_SECONDS = 0.1
LONGEST_PAUSE = 5.0  # between tries to start what ends again and again
STEADY_SECONDS = 10.0  # what ran for so long was no failed start
LOOK_SECONDS, ANSWER_SECONDS = 1.0, 4.0  # between two questions whether it hangs; for the answer, on a busy machine
HANGS, HANG_SECONDS = 3, 10.0  # so many questions in a row unanswered, and so long
BEGIN_SECONDS = 60.0  # to answer for the first time
END_SECONDS = 2.0  # to end politely; runs lose nothing either way
PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))  # Debian's, not in a user's PATH
COOKIE = "vae_pages"
AHEAD = "VAE_AHEAD"  # tells page processes to compute ahead what the first of a class would wait for
NO_HAPROXY = (
    "A class needs HAProxy, which is not installed here. On Debian and Ubuntu: sudo apt-get install haproxy. Or start "
    "one page process with make run."
)
OPEN = (
    "Whoever can reach {where} can open the app. {who_trains} What they send is not encrypted: on a "
    "network that you do not trust put a web server with TLS in front, and leave CLASS_ADDRESS at 127.0.0.1. README, "
    "For a class, says how."
)


ANYBODY_TRAINS = "Anybody can train on this machine: set VAE_WORD so that only who knows that word can."
WORD_IS_SET = "VAE_WORD is set, so only who knows that word can train on this machine."


@dataclass
class Kept:
    """A process that is to be there, and is started again when it has ended."""

    command: list[str]
    port: int = 0  # of this machine, where it is to answer; 0: nobody asks
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    failures: int = 0  # starts in a row that did not last
    question: socket.socket | None = None  # that is not answered yet
    asked: float = 0.0
    unanswered: int = 0  # questions in a row
    silent_after: float = 0.0  # from when on it hangs, if it does not answer

    def check(self) -> None:
        """Start it if it is time to, end it if it hangs."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is None:
            if self.port and self._hangs(now):
                print(f"{self.command[0]} does not answer at port {self.port}, and is ended.", file=sys.stderr)
                self.process.kill()
            return
        if self.process is not None:
            print(f"{self.command[0]} ended with code {self.process.returncode}.", file=sys.stderr)
            self.failures = self.failures + 1 if now - self.began < STEADY_SECONDS else 0
            self.process, self.began = None, now + self.pause
        if now >= self.began:
            self.began = now
            self._heard(now + BEGIN_SECONDS)
            self.process = subprocess.Popen(
                self.command,
                cwd=ASSETS.parent,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,  # Streamlit's own address, which is not for visitors
                start_new_session=True,  # Ctrl-C is for this process, which ends them
                preexec_fn=_tie,
            )

    def _hangs(self, now: float) -> bool:
        """Asks, or looks for the answer; waits for neither."""
        if self.question is None:
            if now - self.asked >= LOOK_SECONDS:
                self.asked = now
                try:
                    self.question = socket.create_connection(("127.0.0.1", self.port), CHECK_SECONDS)
                    self.question.sendall(b"GET /_stcore/health HTTP/1.0\r\n\r\n")
                    self.question.setblocking(False)
                except OSError:
                    self._unheard()
        else:
            try:
                if b" 200 " in self.question.recv(64):
                    self._heard(now + HANG_SECONDS)
                else:
                    self._unheard()
            except BlockingIOError:
                if now - self.asked > ANSWER_SECONDS:
                    self._unheard()
            except OSError:
                self._unheard()
        return self.unanswered >= HANGS and now > self.silent_after

    def _heard(self, silent_after: float) -> None:
        self._unheard()
        self.unanswered, self.silent_after = 0, silent_after

    def _unheard(self) -> None:
        if self.question is not None:
            self.question.close()
        self.question = None
        self.unanswered += 1

    @property
    def pause(self) -> float:
        return min(LONGEST_PAUSE, 0.1 * 2**self.failures) if self.failures else 0.0


def _tie() -> None:
    """In the child: the system kills it when this process has gone (prctl(2), PR_SET_PDEATHSIG; Linux only)."""
    if sys.platform == "linux":
        LIBRARY.prctl(1, signal.SIGKILL)
        if os.getppid() != SUPERVISOR:  # it went before that was said
            os._exit(1)


LIBRARY = ctypes.CDLL(None)
SUPERVISOR = os.getpid()


def open_to_others(where: str) -> str:
    """What it means that others can reach this address."""
    return OPEN.format(where=where, who_trains=WORD_IS_SET if os.environ.get("VAE_WORD") else ANYBODY_TRAINS)


def find_haproxy() -> str | None:
    return shutil.which("haproxy", path=PATH)


def process_count() -> int:
    """$CLASS_PROCESSES, or one for each core, but at least two: one is there when another dies. Raises ValueError."""
    asked = os.environ.get("CLASS_PROCESSES", "")
    if asked and not (asked.isdecimal() and 1 <= int(asked) <= 64):
        raise ValueError(f"CLASS_PROCESSES is {asked!r}; allowed: a whole number from 1 to 64.")
    return int(asked) if asked else max(2, min(os.cpu_count() or 1, 8))


def address() -> tuple[str, int]:
    """$CLASS_ADDRESS and $CLASS_PORT, or 127.0.0.1 and 8501. Raises ValueError where nobody can listen there."""
    host, port = os.environ.get("CLASS_ADDRESS") or "127.0.0.1", os.environ.get("CLASS_PORT") or "8501"
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ValueError(f"CLASS_ADDRESS is {host!r}; allowed: an IP address of this machine, or 0.0.0.0.") from None
    if not (port.isdecimal() and 1 <= int(port) <= 65535):
        raise ValueError(f"CLASS_PORT is {port!r}; allowed: a whole number from 1 to 65535.")
    try:
        with socket.create_server((host, int(port)), family=_family(host)):
            pass
    except OSError as error:
        why = os.strerror(error.errno or 0)
        told = f"Nobody can listen at {_joined(host, int(port))} ({why}); choose another port or address."
        raise ValueError(told) from None
    return host, int(port)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def configuration(where: str, ports: list[int]) -> str:
    """HAProxy's, for page processes at these ports of the loopback address."""
    text = (ASSETS / "haproxy.cfg").read_text("utf-8")
    server = "    server page-{0} 127.0.0.1:{1} cookie page-{0}"
    servers = "\n".join(server.format(number, port) for number, port in enumerate(ports, 1))
    return Template(text).substitute(address=where, cookie=COOKIE, servers=servers)


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def page_process(port: int) -> Kept:
    return Kept([sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)], port)


def proxy(program: str, where: str, ports: list[int]) -> Kept:
    """Writes its settings into the folder of runs. Raises OSError."""
    file = private(home()) / f"haproxy-{where.rpartition(':')[2]}.cfg"
    file.write_text(configuration(where, ports), "utf-8")
    return Kept([program, "-db", "-f", str(file.absolute())])  # -db: it stays our child


DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever http_proxy says


def _answers(url: str) -> bool:
    try:
        with DIRECT.open(f"{url}/_stcore/health", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def keep(processes: list[Kept], when_up: Callable[[], bool]) -> None:
    """Until a signal says that it is enough, and then end them. `when_up` is called until it says yes."""
    up = False
    try:
        while True:
            for each in processes:
                each.check()
            up = up or when_up()
            time.sleep(CHECK_SECONDS)
    finally:
        running = [each.process for each in processes if each.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + END_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()


def _more_files() -> None:
    """A visitor takes several open files here; the usual limit of 1,024 is soft."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        most = 16384 if hard == resource.RLIM_INFINITY else min(hard, 16384)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def main() -> int:
    program = find_haproxy()
    if program is None:
        print(NO_HAPROXY, file=sys.stderr)
        return 1
    try:
        count, (host, port) = process_count(), address()
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    where = _joined(host, port)
    url = f"http://{where}".replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]")
    os.environ.setdefault("STREAMLIT_SERVER_COOKIE_SECRET", secrets.token_hex(32))  # one for all page processes
    os.environ[AHEAD] = "1"
    _more_files()
    ports = free_ports(count)

    def when_up() -> bool:
        if _answers(url):
            print(f"The app answers at {url}, with {count} page processes. Ctrl-C ends it.", flush=True)
            if not ipaddress.ip_address(host).is_loopback:
                print(open_to_others(where), flush=True)
            return True
        return False

    def enough(number: int, frame: FrameType | None) -> None:
        sys.exit(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, enough)
    keep([*map(page_process, ports), proxy(program, where, ports)], when_up)
    return 0


if __name__ == "__main__":
    sys.exit(main())
