"""A soak of the driver on the emulated board: interrupts, event loops, other overlays in between.

::

    python tests/soak_board.py --interrupts 10000 --loops 20 --swaps 200

Half of everything goes over registers in mapped memory, by compiled code, and half through
``pynq.MMIO``. Exit status 1 at any wrong answer, lock that stays locked, or wait beyond its limit.
"""

import argparse
import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import pynq
import pynqmetadata
from board_tools import MODEL, X
from tqdm import tqdm

from pynq_circnn import emulated
from pynq_circnn.emulated import open_board
from pynq_circnn.emulated.memory import BusError
from pynq_circnn.errors import SaturationWarning

with warnings.catch_warnings():
    warnings.simplefilter("ignore", SaturationWarning)  # X is noise
    EXPECTED = MODEL.predict(X, backend="native", verbose=0)
LIMIT_SECONDS = 5.0  # of a call: some milliseconds alone, more on a machine that is busy
REFUSAL_SECONDS = 0.5  # of a call that must be refused without waiting
TURN_SECONDS = 2.0  # a call that finds a lock still locked waits so long, which is a fault
MOST_FAULTS = 10
CHUNK_BYTES = 1 << 10  # several chunks to a call, so that both buffers are in use
_HARDWARE = os.path.dirname(emulated.__file__)

SENDER = """
import os, sys, time
for line in sys.stdin:
    time.sleep(float(line))
    os.kill(os.getppid(), 2)
"""


class Interrupts:
    """Sends this process SIGINT from another one, after a given time.

    It is raised inside `call` only; one that arrives later is counted. The emulated board runs in
    the same process, but hardware has no signals: one that arrives while the board works is
    raised as soon as the processor is back in the driver.
    """

    def __init__(self, call):
        self._code = call.__code__
        self.raised = self.too_late = 0

    def __enter__(self):
        self._before = [signal.signal(n, self._raise) for n in (signal.SIGINT, signal.SIGALRM)]
        self._sender = subprocess.Popen(
            [sys.executable, "-c", SENDER],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        return self

    def __exit__(self, kind, error, trace):
        self._sender.stdin.close()
        self._sender.wait()
        for number, handler in zip((signal.SIGINT, signal.SIGALRM), self._before):
            signal.signal(number, handler)

    def send(self, seconds):
        os.write(self._sender.stdin.fileno(), f"{seconds:.6f}\n".encode())

    def _raise(self, number, frame):
        inside = False
        while frame is not None:
            inside = inside or frame.f_code is self._code
            if frame.f_code.co_filename.startswith(_HARDWARE):
                signal.setitimer(signal.ITIMER_REAL, 20e-6)  # again, soon
                return
            frame = frame.f_back
        if not inside:
            self.too_late += 1
            return
        self.raised += 1
        raise KeyboardInterrupt


class Hopeless(Exception):
    """Whether there are so many faults that more would show nothing new."""


class Soak:
    """The three parts on one emulated board, their figures and their faults."""

    def __init__(self, mapped, seed=0):
        self.mapped, self.random = mapped, random.Random(seed + mapped)
        self.faults = []
        self.interrupts = self.too_late = self.predicts = self.swaps = self.refused = 0
        self.longest = self.longest_refusal = 0.0
        self.overlay = open_board(mapped=mapped)
        self.device = self.overlay.device
        self.prepare()

    def prepare(self):
        """Set up the present overlay."""
        self.overlay.driver.timeout = LIMIT_SECONDS
        self.overlay.driver.turns.seconds = TURN_SECONDS
        self.overlay.driver.chunk_bytes = CHUNK_BYTES

    def fault(self, text):
        self.faults.append(f"{self.label}: {text}")
        if len(self.faults) >= MOST_FAULTS:
            raise Hopeless

    def rows(self):
        first = self.random.randrange(len(X))
        return slice(first, first + 1 + self.random.randrange(len(X) - first))

    def check(self, rows, result, seconds, what):
        self.predicts += 1
        self.longest = max(self.longest, seconds)
        if not np.array_equal(result, EXPECTED[rows]):
            self.fault(f"wrong answer: {what}")
        if seconds > LIMIT_SECONDS:
            self.fault(f"{what} took {seconds:.1f} s")

    def predict(self, what):
        """Predict once, undisturbed; any exception is a fault."""
        rows, begin = self.rows(), time.monotonic()
        try:
            result = MODEL.predict(X[rows], backend="emulated", verbose=0)
        except Exception as error:
            return self.fault(f"{what}: {error!r}")
        self.check(rows, result, time.monotonic() - begin, what)
        if self.overlay.driver.turns.held:
            self.fault(f"a lock is left: {what}")

    def typical_seconds(self, prepare):
        """Return how long a predict takes after something was done."""
        times = []
        for _ in range(20):
            prepare()
            begin = time.monotonic()
            self.predict("before the interrupts")
            times.append(time.monotonic() - begin)
        return sorted(times)[10]

    def interrupt(self, count):
        """Interrupt predicts at random moments, and sometimes the one that recovers."""
        steady = self.typical_seconds(lambda: None)
        recovery = self.typical_seconds(lambda: self.overlay.driver.reset())
        most = steady
        bar = tqdm(total=count, desc=f"interrupts, {self.label}", disable=None)
        with bar, Interrupts(self._attempt) as interrupts:
            while interrupts.raised < count:
                raised, sent = interrupts.raised, interrupts.raised + interrupts.too_late
                what = f"interrupt {raised}"
                rows, begin, result = self.rows(), time.monotonic(), None
                try:
                    result = self._attempt(interrupts, self.random.uniform(0, most), rows)
                except KeyboardInterrupt:
                    pass
                except Exception as error:
                    self.fault(f"{what}: {error!r}")
                seconds = time.monotonic() - begin
                while interrupts.raised + interrupts.too_late == sent:
                    time.sleep(0.0002)
                bar.update(interrupts.raised - raised)
                if result is not None:
                    self.check(rows, result, seconds, f"beside {what}")
                elif seconds > LIMIT_SECONDS:
                    self.fault(f"{what} ended a call after {seconds:.1f} s")
                most = recovery
                if self.random.random() < 0.7:
                    self.predict(f"after {what}")
                    most = steady
        self.interrupts, self.too_late = interrupts.raised, interrupts.too_late
        self.predict("after the interrupts")

    @staticmethod
    def _attempt(interrupts, seconds, rows):
        interrupts.send(seconds)
        return MODEL.predict(X[rows], backend="emulated", verbose=0)

    def loop(self, loops, predicts):
        """Await predicts in new event loops, some of them at once."""

        async def one():
            rows, begin = self.rows(), time.monotonic()
            result = await MODEL.predict_async(X[rows], backend="emulated")
            self.check(rows, result, time.monotonic() - begin, "predict_async")

        async def main():
            for first in range(0, predicts, 5):
                await asyncio.gather(*(one() for _ in range(min(5, predicts - first))))

        for number in tqdm(range(loops), f"event loops, {self.label}", disable=None):
            try:
                asyncio.run(main())
            except Hopeless:
                raise
            except Exception as error:
                self.fault(f"event loop {number}: {error!r}")
            if self.overlay.driver.turns.held:
                self.fault(f"a lock is left: event loop {number}")
        self.predict("after the event loops")

    def swap(self, count):
        """Load another overlay, be refused, load ours again."""
        with tempfile.TemporaryDirectory() as folder:
            other = os.path.join(folder, "resizer.bit")
            samples = os.path.join(os.path.dirname(pynqmetadata.__file__), "tests", "hwhs")
            shutil.copy(os.path.join(samples, "resizer.hwh"), folder)
            with open(other, "wb") as file:
                file.write(b"another placeholder")
            for number in tqdm(range(count), f"swaps, {self.label}", disable=None):
                pynq.Overlay(other, device=self.device)
                self._refusal(number)
                if number % 2:
                    self.overlay.download()
                else:  # closes the one before
                    self.overlay = type(self.overlay)(self.device.bitfile, device=self.device)
                    self.prepare()
                self.swaps += 1
                self.predict(f"after swap {number}")

    def _refusal(self, number):
        accesses, begin = self.device.reads + self.device.writes, time.monotonic()
        try:
            MODEL.predict(X[:1], backend="emulated", verbose=0)
            refusal = "nothing"
        except Exception as error:
            refusal = getattr(error, "cause", repr(error))
        if refusal == "not_loaded":
            self.refused += 1
        else:
            self.fault(f"swap {number}: not refused, but {refusal}")
        seconds = time.monotonic() - begin
        self.longest_refusal = max(self.longest_refusal, seconds)
        if seconds > REFUSAL_SECONDS:
            self.fault(f"swap {number}: refused after {seconds:.1f} s")
        if self.device.reads + self.device.writes != accesses:
            self.fault(f"swap {number}: registers were touched")

    def close(self):
        """Close the board; anything that would have hung a real one is a fault."""
        self.overlay.close()
        if self.device.usage["buffers"]:
            self.fault(f"{self.device.usage['buffers']} buffers are left")
        try:
            self.device.close()
        except BusError as error:
            self.fault(f"at the end: {error}")

    @property
    def label(self):
        return "mapped" if self.mapped else "MMIO"


def main(arguments=None):
    """Soak, print the figures and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--interrupts", type=int, default=10000, help="inside of calls")
    parser.add_argument("--loops", type=int, default=20)
    parser.add_argument("--predicts", type=int, default=100, help="of each event loop")
    parser.add_argument("--swaps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    faults = []
    for mapped in (False, True):
        half = [(n + mapped) // 2 for n in (options.interrupts, options.loops, options.swaps)]
        begin, soak = time.monotonic(), Soak(mapped, options.seed)
        try:
            soak.interrupt(half[0])
            soak.loop(half[1], options.predicts)
            soak.swap(half[2])
            soak.close()
        except Hopeless:
            pass
        faults += soak.faults
        print(
            f"{soak.label}: {soak.interrupts} interrupts ({soak.too_late} more came after the "
            f"call), {half[1]} event loops of {options.predicts}, "
            f"{soak.swaps} swaps ({soak.refused} calls between refused, the slowest after "
            f"{1e3 * soak.longest_refusal:.1f} ms); {soak.predicts} right answers wanted, the "
            f"slowest call took {1e3 * soak.longest:.0f} ms of {1e3 * LIMIT_SECONDS:.0f}; "
            f"{time.monotonic() - begin:.0f} s; faults: {len(soak.faults)}",
            flush=True,
        )
    for fault in faults[:20]:
        print(f"FAULT {fault}")
    print(f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
