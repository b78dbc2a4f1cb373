"""Python's queues between two processes, each kept to a core of its own.

    rivals.py KIND SIZE one-way|round-trip MILLISECONDS

Prints `ready`; then, for each line that it reads, moves messages for so long, and prints how many and how many
nanoseconds that took. With --check it only tells, by its exit code, whether KIND is there.

What is done with a message is as near to the other rivals as Python goes: the sender makes a new bytes object and
writes all of it, the receiver makes the object that it expects and compares all of it, so it also writes as much once
more. Queue, SimpleQueue and faster-fifo pickle what they are given; a Pipe is given bytes.
"""

import ctypes
import functools
import multiprocessing
import os
import resource
import signal
import sys
import time
import traceback

ROOM = 8 << 20
"""Bytes of messages that a queue may hold, where that can be said."""

END = (1 << 64) - 1
"""The number of the message that ends a slice."""

LOOK = 64 << 10
"""Bytes between two looks at the clock."""

FOREVER = 1e6
"""Seconds."""

PR_SET_PDEATHSIG = 1

CONTEXT = multiprocessing.get_context("fork")


def queue(size):
    both = CONTEXT.Queue(max(ROOM // size, 1))
    return both.put, both.get


def simple_queue(size):
    both = CONTEXT.SimpleQueue()
    return both.put, both.get


def pipe(size):
    receiver, sender = CONTEXT.Pipe(duplex=False)
    return sender.send_bytes, receiver.recv_bytes


def faster_fifo(size):
    from faster_fifo import Queue

    both = Queue(max_size_bytes=ROOM)
    put = functools.partial(both.put, block=True, timeout=FOREVER)
    get = functools.partial(both.get, block=True, timeout=FOREVER)
    return put, get


KINDS = {
    "Queue": queue,
    "SimpleQueue": simple_queue,
    "Pipe": pipe,
    "faster-fifo": faster_fifo,
}


def message(number, words):
    return number.to_bytes(8, sys.byteorder) * words


def die_with(parent):
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def aside(work, parent, *arguments):
    """Does the other side's work. What goes wrong there ends both."""
    try:
        die_with(parent)
        os.sched_setaffinity(0, {1})
        work(*arguments)
    except BaseException:
        traceback.print_exc()
        os.kill(parent, signal.SIGKILL)


def lost(*_):
    # Without waiting for a thread that waits for the other side.
    print("the other side has died", file=sys.stderr, flush=True)
    os._exit(1)


def receive_all(get, words, done):
    end = message(END, words)
    done.send(0)
    while True:
        number = 0
        while True:
            expected = message(number, words)
            came = get()
            if came != expected:
                break
            number += 1
        if came != end:
            raise SystemExit(f"lost, torn or out of order: something else came where {number} was due")
        done.send((number, time.monotonic_ns()))


def send_for(put, words, length, done):
    burst = min(max(LOOK // (8 * words), 1), 64)
    start = time.monotonic_ns()
    until = start + length
    sent = 0
    while time.monotonic_ns() < until:
        for number in range(sent, sent + burst):
            put(message(number, words))
        sent += burst
    put(message(END, words))
    received, end = done.recv()
    if received != sent:
        raise SystemExit(f"{sent} were sent, {received} received")
    return sent, end - start


def echo_all(get, put, done):
    done.send(0)
    while True:
        put(get())


def sleeps():
    """How often this thread has given up its core to wait."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


def ping_for(put, get, words, length, stat):
    """Starts each round when the other side sleeps, and counts it if this side has slept in it: see src/nap.rs."""
    until = time.monotonic_ns() + length
    number = rounds = slept = 0
    while time.monotonic_ns() < until:
        while b") S " not in os.pread(stat, 256, 0):
            pass
        before = sleeps()
        start = time.monotonic_ns()
        sent = message(number, words)
        put(sent)
        came = get()
        took = time.monotonic_ns() - start
        if came != sent:
            raise SystemExit(f"the echo of {number} is another")
        number += 1
        if sleeps() > before:
            rounds += 1
            slept += took
    return rounds, slept


def main(kind, size, way, milliseconds):
    words = int(size) // 8
    length = int(milliseconds) * 1_000_000
    ready, done = CONTEXT.Pipe(duplex=False)
    there = KINDS[kind](8 * words)
    if way == "one-way":
        theirs = (receive_all, os.getpid(), there[1], words, done)
    else:
        back = KINDS[kind](8 * words)
        theirs = (echo_all, os.getpid(), there[1], back[0], done)
    other = CONTEXT.Process(target=aside, args=theirs, daemon=True)
    signal.signal(signal.SIGCHLD, lost)
    other.start()
    if way == "one-way":
        ours = functools.partial(send_for, there[0], words, length, ready)
    else:
        stat = os.open(f"/proc/{other.pid}/stat", os.O_RDONLY)
        ours = functools.partial(ping_for, there[0], back[1], words, length, stat)
    os.sched_setaffinity(0, {0})
    ready.recv()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(*ours(), flush=True)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        KINDS[sys.argv[2]](64)
    else:
        main(*sys.argv[1:])
