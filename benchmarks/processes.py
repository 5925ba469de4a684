"""Measuring whole processes: seconds and peak memory. What the benchmarks share."""

from __future__ import annotations

import os
import platform
import shlex
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GGUFPRESS = [sys.executable, "-m", "ggufpress"]
KIB = 1024 / 1e6
"""The unit in which Linux tells memory, in MB."""


@dataclass(frozen=True)
class Cost:
    """One measured process: seconds, and peaks of memory in MB (anonymous, and with mapped files)."""

    seconds: float
    anonymous: float
    resident: float

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.seconds + other.seconds, max(self.anonymous, other.anonymous), max(self.resident, other.resident)
        )


def measure(command: list[str], hub: Mapping[str, str] | None = None) -> Cost:
    """Run a command; raises where it fails. It reaches no Hub but the one of the environment `hub`."""
    env = {**os.environ, **(hub or {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"})}
    # compiled modules are kept, as they are where a program is installed
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env)
    peak = resident = 0.0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak, resident
        while not done.wait(0.02):
            try:
                status = Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                return
            found = dict(line.split(":", 1) for line in status.splitlines())
            if "RssAnon" in found:
                peak = max(peak, int(found["RssAnon"].split()[0]) * KIB)
                # not what wait4 says: that begins with the memory of this process, from before the child's exec
                resident = max(resident, int(found["VmHWM"].split()[0]) * KIB)

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert process.stderr
    errors = process.stderr.read()
    status = process.wait()
    seconds = time.perf_counter() - started
    done.set()
    watcher.join()
    if status:
        sys.exit(f"{shlex.join(command)}\n{errors.decode()[-2000:]}")
    return Cost(seconds, peak, resident)


def median(costs: list[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(*(statistics.median(getattr(c, name) for c in costs) for name in ("seconds", "anonymous", "resident")))


def machine() -> str:
    """One line: processor, cores and the commit that is measured."""
    return f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, {cpu()}, commit {commit()}"


def cpu() -> str:
    """The processor's name."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown processor")


def commit() -> str:
    """The commit that is measured."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"
