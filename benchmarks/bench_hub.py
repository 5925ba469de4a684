"""From the Hub: weights that are streamed and quantized, against a plain download of the same file, in one run on loopback.

    python benchmarks/bench_hub.py

Makes a checkpoint of TinyLlama-1.1B's shape with random BF16 weights (2.2 GB) under --folder, once, and serves it by the Hub of
the tests, a process of its own on the same cores. "plain" gets the file by ranges over as many connections as ggufpress has and
throws the bytes away; "fetch" is ggufpress's reader alone, in the order of the plan and hashed; the others are whole
conversions. Each is the best of --runs, which take turns. --rate bounds each connection, in MB/s, as a network does.
Disk is the most that the client's folders took beyond the outputs, sampled every 50 ms.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.bench_convert import CONFIG, random_values
from benchmarks.checkpoints import write_checkpoint
from benchmarks.processes import GGUFPRESS, Cost, machine, measure

MODEL = "bench/tinyllama-shaped"
CONNECTIONS = 8
RANGE = 8 << 20


def serve(folder: Path, rate: float) -> None:
    """Serve the checkpoint until standard input ends. Prints where."""
    from tests.hubserver.faults import Slow
    from tests.hubserver.server import HubServer
    from tests.hubserver.store import add_folder

    with HubServer() as hub:
        add_folder(hub.store, MODEL, folder)
        if rate:
            hub.faults.add("cdn GET", Slow(int(rate * 1e6)), count=1 << 30)
        print(hub.endpoint, flush=True)
        sys.stdin.read()


def plain() -> None:
    """Get the file by ranges, and throw it away."""
    import httpx2
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    found = get_hf_file_metadata(hf_hub_url(MODEL, "model.safetensors"))
    assert found.size
    client = httpx2.Client()

    def get(start: int) -> int:
        with client.stream("GET", found.location, headers={"range": f"bytes={start}-{start + RANGE - 1}"}) as response:
            return sum(map(len, response.iter_raw()))

    with ThreadPoolExecutor(CONNECTIONS) as executor:
        assert sum(executor.map(get, range(0, found.size, RANGE))) == found.size


def fetch() -> None:
    """Read what a conversion would read, in its order, and do nothing with it."""
    from ggufpress.execute.pipeline import in_reading_order
    from ggufpress.execute.slabs import slabs
    from ggufpress.hub.address import HubAddress
    from ggufpress.hub.session import Session
    from ggufpress.hub.source import open_on_hub
    from ggufpress.planning.model import read_model
    from ggufpress.source.reading import TensorReader

    model = read_model(open_on_hub(Session(), HubAddress(MODEL)))
    tensors = in_reading_order(model.tensors)
    pieces = [piece for tensor in tensors for slab in slabs(tensor, 1 << 20) for piece in slab.pieces]
    found = [(piece.ref, piece.start, piece.nbytes) for piece in pieces if piece.ref]
    buffer = memoryview(bytearray(max(nbytes for _, _, nbytes in found)))
    with TensorReader() as reader:
        ahead = iter(found)
        waiting = 0
        for ref, start, nbytes in found:
            while waiting <= reader.ahead and (following := next(ahead, None)):
                reader.advise(*following)
                waiting += following[2]
            reader.read_into(ref, start, buffer[:nbytes])
            waiting -= nbytes
        assert all(file.checked for file in reader.finish())


class Disk:
    """The most bytes that folders took while the block ran."""

    def __init__(self, *folders: Path) -> None:
        self._folders = folders
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.peak = 0

    def __enter__(self) -> Disk:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.05):
            self.peak = max(self.peak, taken(*self._folders))


def taken(*folders: Path) -> int:
    """Bytes that the files in the folders take on the disk."""
    total = 0
    for path in (path for folder in folders for path in folder.rglob("*")):
        try:
            if path.is_file() and not path.is_symlink():
                total += path.stat().st_blocks * 512
        except OSError:
            continue
    return total


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "ggufpress-bench")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--rate", type=float, nargs="*", default=[0, 25], help="MB/s of a connection, 0: no bound")
    parser.add_argument("--types", nargs="*", default=["Q8_0", "Q4_K_M"])
    parser.add_argument("--part", choices=("serve", "plain", "fetch"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    source = options.folder / "tinyllama-shaped"
    if options.part == "serve":
        serve(source, options.rate[0])
    elif options.part:
        {"plain": plain, "fetch": fetch}[options.part]()
    else:
        if not (source / "model.safetensors").exists():
            write_checkpoint(source, CONFIG, partial(random_values, np.random.default_rng(0)))
        print(f"{machine()}, best of {options.runs} runs")
        for rate in options.rate:
            table(options.folder, rate, options.runs, options.types)


def table(folder: Path, rate: float, runs: int, types: list[str]) -> None:
    """Measure with one server."""
    this = [sys.executable, str(Path(__file__).resolve())]
    size = (folder / "tinyllama-shaped" / "model.safetensors").stat().st_size
    bound = f"{rate:g} MB/s for each of {CONNECTIONS} connections" if rate else "no bound but the machine"
    print(
        f"\n{bound}:\n\n| what | seconds | MB/s | of plain | anonymous | RSS | disk beyond outputs |\n|---|"
        + "---:|" * 6
    )
    command = [*this, "--part", "serve", "--folder", str(folder), "--rate", str(rate)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        endpoint = server.stdout.readline().strip()
        best: dict[str, tuple[Cost, int]] = {}
        for _ in range(runs):
            for what in ("plain", "fetch", *types):
                with tempfile.TemporaryDirectory(dir=folder) as temporary:
                    home, out = Path(temporary) / "home", Path(temporary) / "out"
                    for made in (home, out):
                        made.mkdir()
                    env = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"}
                    ours = [*GGUFPRESS, "quantize", MODEL, "-q", what, "-o", str(out), "--quiet"]
                    with Disk(home, out) as disk:
                        cost = measure(ours if what in types else [*this, "--part", what], env)
                    extra = disk.peak - sum(path.stat().st_size for path in out.glob("*.gguf"))
                if what not in best or cost.seconds < best[what][0].seconds:
                    best[what] = (cost, extra)
        server.communicate("")
    shutil.rmtree(folder / "out", ignore_errors=True)
    for what, (cost, extra) in best.items():
        ratio = best["plain"][0].seconds / cost.seconds
        print(
            f"| {what} | {cost.seconds:.1f} | {size / 1e6 / cost.seconds:.0f} | {ratio:.0%} | {cost.anonymous:.0f} MB"
            f" | {cost.resident:.0f} MB | {max(0, extra) / 1e6:.1f} MB |",
            flush=True,
        )


if __name__ == "__main__":
    start = time.perf_counter()
    main()
    print(f"\n{time.perf_counter() - start:.0f} s in all", file=sys.stderr)
