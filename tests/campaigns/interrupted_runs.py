"""End runs early, in every way and at random moments, and look what they leave behind. It must be nothing.

`python -m tests.campaigns.interrupted_runs --world processes --runs 10`: each run is ended by SIGINT, SIGTERM, SIGHUP
or SIGKILL after a random time. After a SIGKILL one more run, which is let go, must have reaped what had no living
owner. At the end no process, container, network, volume or temporary file of the campaign is there, and the host's
firewall is as it was.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP)
END_S = 60
REFUSED = (64, 70)
"""Exit codes of a run that never began, and so proves nothing."""


def main() -> int:
    """Run the campaign; 0 when nothing was left behind."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--world", default="processes")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    before = traces()
    with tempfile.TemporaryDirectory(prefix="campaign-") as directory:
        for number in range(arguments.runs):
            number_sent = SIGNALS[number % len(SIGNALS)]
            after_s = rng.uniform(0.5, 14)
            code = interrupted(Path(directory), arguments.world, number, number_sent, after_s)
            print(f"run {number + 1}: {number_sent.name} after {after_s:4.1f} s, exit {code}", flush=True)
            if code in REFUSED:
                print("the run did not begin: nothing was tried")
                return 1
        if arguments.world == "containers":
            calm = ["run", "calm", "--world", "containers", "--time-limit", "2"]
            subprocess.run(
                command(calm), cwd=directory, env=environment(Path(directory)), stdout=subprocess.DEVNULL, check=False
            )
        left = [f"process {line}" for line in processes_in(Path(directory))]
        left += [f"temporary file {path.name}" for path in temporary(Path(directory)).iterdir()]
    changed = [
        f"{name}: {old!r} became {new!r}"
        for (name, old), new in zip(before.items(), traces().values(), strict=True)
        if old != new
    ]
    print("\n".join([*(f"left behind: {line}" for line in left), *changed]) or "nothing was left behind")
    return 1 if left or changed else 0


def interrupted(directory: Path, world: str, seed: int, number: signal.Signals, after_s: float) -> int:
    """Start a run, send it the signal, and wait for its end."""
    arguments = ["run", "crash-partition", "--world", world, "--seed", str(seed), "--time-limit", "30"]
    run = subprocess.Popen(
        command(arguments),
        cwd=directory,
        env=environment(directory),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with suppress(subprocess.TimeoutExpired):
        run.wait(after_s)
    run.send_signal(number)
    return run.wait(END_S)


def command(arguments: list[str]) -> list[str]:
    """The keelhaul command."""
    return [sys.executable, "-m", "harness", *arguments]


def environment(directory: Path) -> dict[str, str]:
    """The environment, with this checkout in it, and a place for temporary files that is the campaign's alone."""
    temporary(directory).mkdir(exist_ok=True)
    return {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary(directory))}


def temporary(directory: Path) -> Path:
    """Where the campaign's runs put temporary files."""
    return directory / "tmp"


def traces() -> dict[str, str]:
    """What a run could leave on this machine, outside of its own directory."""
    found: dict[str, str] = {}
    if shutil.which("docker"):
        for kind, options in (("container", ["ls", "--all"]), ("network", ["ls"]), ("volume", ["ls"])):
            found[f"{kind}s"] = said("docker", kind, *options, "--quiet", "--filter", "label=keelhaul=run")
    if shutil.which("iptables-save"):
        found["firewall"] = "\n".join(line for line in said("iptables-save").splitlines() if not line.startswith("#"))
    return found


def said(*words: str) -> str:
    """What a command prints, or nothing when it fails."""
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def processes_in(directory: Path) -> list[str]:
    """The processes that still work in the campaign's directory, after a moment to end."""
    deadline = time.monotonic() + 5
    while (found := _working_in(directory)) and time.monotonic() < deadline:
        os.sched_yield()
    return found


def _working_in(directory: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").resolve() == directory.resolve():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


if __name__ == "__main__":
    sys.exit(main())
