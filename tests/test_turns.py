"""Turns: one caller at a time, in order, and an interrupted owner does not keep its turn."""

import asyncio
import contextlib
import os
import signal
import sys
import threading
import time

import pytest

from pynq_circnn.turns import SLICE_SECONDS, STALLED_SECONDS, Turns

SLACK = 4.0  # seconds that a busy machine may add


def abandon(turns):
    """Leave a turn like an interrupt just before or after the block of ``with``."""
    turns.next().__enter__()


def take(turns):
    """Wait for the turn and give it back."""
    with turns.next():
        pass


@contextlib.contextmanager
def held_by_another_thread(turns):
    """A block during which another thread has the turn."""
    release = threading.Event()

    def work():
        with turns.next():
            release.wait()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        while not turns.held:
            time.sleep(0.001)
        yield
    finally:
        release.set()
        thread.join()


def test_one_at_a_time_and_everybody():
    turns, inside, most, done = Turns(30), [], [], []

    def work():
        for _ in range(50):
            with turns.next():
                inside.append(1)
                most.append(len(inside))
                time.sleep(0.0002)
                inside.pop()
        done.append(1)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 5 and max(most) == 1 and len(most) == 250
    assert not turns.line


def test_whoever_waits_longest_is_next():
    turns, order = Turns(30), []

    def work(name):
        with turns.next():
            order.append(name)

    with turns.next():
        threads = []
        for name in range(4):
            threads.append(threading.Thread(target=work, args=(name,)))
            threads[-1].start()
            while len(turns.line) < name + 2:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3]


def test_a_turn_that_was_abandoned_is_free_for_its_own_thread():
    turns = Turns(1)
    abandon(turns)
    assert turns.line and not turns.held
    with turns.next():
        assert turns.held and len(turns.line) == 1
    assert not turns.line


def test_a_turn_that_was_abandoned_is_free_for_others_while_its_thread_goes_on():
    turns, seen = Turns(10), []
    abandon(turns)

    def work():
        begin = time.monotonic()
        with turns.next():
            seen.append(time.monotonic() - begin)

    thread = threading.Thread(target=work)
    thread.start()
    (sum(1 for _ in iter(thread.is_alive, False)),)  # this enters and leaves generators
    assert seen[0] < 1 + SLACK and not turns.line


def test_a_turn_is_never_taken_from_one_who_runs_whatever_runs_inside():
    """Generators start and end while the other thread looks at the stack."""
    turns, stolen, stop = Turns(10), [], threading.Event()

    def numbers(depth):
        for i in range(3):
            yield i if depth == 0 else sum(numbers(depth - 1))

    def owner():
        while not stop.is_set():
            with turns.next() as turn:
                for _ in range(20):
                    sum(numbers(3))
                    if turns.line[0] is not turn:
                        stolen.append(1)

    def looker():
        while not stop.is_set():
            first = turns.line[:1]
            if first and not first[0].runs() and first[0] in turns.line:
                stolen.append(2)

    threads = [threading.Thread(target=f) for f in (owner, owner, looker, looker)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # switch threads in the middle of a look at the stack
    try:
        for thread in threads:
            thread.start()
        time.sleep(1.5)
        stop.set()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert not stolen


def test_a_turn_goes_with_its_thread():
    turns = Turns(1)

    def work():
        turns.line.append(turns.next())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    take(turns)
    assert not turns.line


def test_a_wait_has_an_end():
    turns = Turns(0.3, busy=KeyError)
    with held_by_another_thread(turns):
        begin = time.monotonic()
        with pytest.raises(KeyError, match="another thread"):
            take(turns)
        assert 0.3 <= time.monotonic() - begin < 0.3 + SLICE_SECONDS + SLACK
    take(turns)


def test_inside_another_of_the_same_thread_is_refused_at_once():
    turns = Turns(60)
    with turns.next():
        with pytest.raises(RuntimeError, match="inside another"):
            take(turns)
        assert len(turns.line) == 1
    assert not turns.line


def test_tasks():
    turns, order = Turns(60), []

    async def holder():
        turn = turns.next()
        await turn.take()
        with turn:
            order.append("taken")
            await asyncio.sleep(0.05)
            order.append("left")

    def synchronous():
        with turns.next():
            order.append("synchronous")

    async def main():
        task = asyncio.ensure_future(holder())
        await asyncio.sleep(0.01)
        with pytest.raises(RuntimeError, match="asynchronous"):
            synchronous()
        # in another thread it waits
        await asyncio.get_running_loop().run_in_executor(None, synchronous)
        await task

    asyncio.run(main())
    assert order == ["taken", "left", "synchronous"] and not turns.line


def test_a_task_that_is_over_holds_nothing():
    turns = Turns(1)

    async def leave():
        await turns.next().take()

    async def never():
        await turns.next().take()
        await asyncio.sleep(1000)

    asyncio.run(leave())
    assert turns.line and not turns.held
    loop = asyncio.new_event_loop()
    task = loop.create_task(never())
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    assert not turns.held
    del task

    async def twice():
        await leave()
        await turns.next().take()  # by the same task, which has left the first call

    asyncio.run(twice())
    take(turns)
    assert not turns.line


def test_a_task_is_not_starved_by_threads():
    turns, stop = Turns(SLACK), threading.Event()

    def work():
        while not stop.is_set():
            with turns.next():
                time.sleep(0.001)

    async def main():
        for _ in range(20):
            turn = turns.next()
            await turn.take()
            with turn:
                await asyncio.sleep(0)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        asyncio.run(main())
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not turns.line


def test_nobody_waits_for_a_task_that_waits_where_its_loop_is_blocked():
    turns, order = Turns(10), []

    async def holder():
        turn = turns.next()
        await turn.take()
        with turn:
            await asyncio.sleep(0.02)
        order.append("holder")
        thread = threading.Thread(target=synchronous)
        thread.start()
        thread.join()  # nothing else runs in this loop meanwhile
        synchronous()

    async def waiter():
        turn = turns.next()
        await turn.take()
        with turn:
            order.append("waiter")

    def synchronous():
        with turns.next():
            order.append("synchronous")

    async def main():
        await asyncio.gather(holder(), waiter())

    begin = time.monotonic()
    asyncio.run(main())
    assert order == ["holder", "synchronous", "synchronous", "waiter"] and not turns.line
    assert time.monotonic() - begin < SLACK


@pytest.mark.parametrize("thread", [False, True])
def test_a_task_whose_loop_is_not_run_any_more_loses_its_turn_and_gets_an_error(thread):
    """Like Ctrl-C in ``run_until_complete``, which leaves the task suspended and the loop open."""
    turns, loop = Turns(10), asyncio.new_event_loop()
    go = asyncio.Event() if sys.version_info >= (3, 10) else asyncio.Event(loop=loop)

    async def owner():
        turn = turns.next()
        await turn.take()
        with turn:
            await go.wait()
            turn.check()

    async def begin():
        task = loop.create_task(owner())
        await asyncio.sleep(0.01)
        return task

    task = loop.run_until_complete(begin())
    begun = time.monotonic()
    if thread:
        other = threading.Thread(target=take, args=(turns,))
        other.start()
        other.join()
    else:
        take(turns)
    assert time.monotonic() - begun < STALLED_SECONDS + SLACK
    go.set()
    with pytest.raises(RuntimeError, match="took its turn"):
        loop.run_until_complete(task)
    loop.close()
    assert not turns.line


def test_a_signal_ends_a_wait():
    turns = Turns(60)

    def interrupt(number, frame):
        raise KeyboardInterrupt

    with held_by_another_thread(turns):
        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.1)
            begin = time.monotonic()
            with pytest.raises(KeyboardInterrupt):
                take(turns)
            assert time.monotonic() - begin < 1 + SLACK
        finally:
            signal.signal(signal.SIGALRM, before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_process_does_not_inherit_another_threads_turn():
    turns = Turns(1)
    with held_by_another_thread(turns):
        child = os.fork()
        if not child:
            try:
                with turns.next():
                    os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
