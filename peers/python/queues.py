"""Python's queues between several processes, as their users call them.

    queues.py KIND SIDE

Prints `ready`; then, for each line `COUNT` that it reads, has SIDE processes put so many items of 64 bytes in all, and as many processes get
them, checks that each came once, and prints how many nanoseconds that took from the word to go to the last item. With --check it only tells, by its
exit code, whether KIND is there.
"""

import multiprocessing
import sys
import time

CONTEXT = multiprocessing.get_context("fork")
BATCH = 100
ROOM = 2 << 20
"""Bytes that a queue may hold."""


def item(number):
    return number.to_bytes(8, sys.byteorder) * 8


def number(got):
    assert len(got) == 64 and got[:8] == got[56:], "whole"
    return int.from_bytes(got[:8], sys.byteorder)


def put_each(both, numbers):
    for one in numbers:
        both.put(item(one))


def get_each(both):
    total = 0
    while (got := both.get()) is not None:
        total += number(got)
    return total


def put_each_fifo(both, numbers):
    for one in numbers:
        both.put(item(one), timeout=1e6)


def get_each_fifo(both):
    total = 0
    while (got := both.get(timeout=1e6)) is not None:
        total += number(got)
    return total


def put_many(both, numbers):
    for start in range(0, len(numbers), BATCH):
        both.put_many([item(one) for one in numbers[start : start + BATCH]], timeout=1e6)


def get_many(both):
    total = 0
    while True:
        got = both.get_many(max_messages_to_get=BATCH, timeout=1e6)
        ends = got.count(None)
        total += sum(number(one) for one in got if one is not None)
        if ends:
            for _ in range(ends - 1):
                both.put(None, timeout=1e6)
            return total


def ours(side):
    return CONTEXT.Queue(ROOM // 64)


def faster_fifo(side):
    from faster_fifo import Queue

    return Queue(max_size_bytes=ROOM)


KINDS = {
    "Queue": (ours, put_each, get_each),
    "faster-fifo": (faster_fifo, put_each_fifo, get_each_fifo),
    "faster-fifo-many": (faster_fifo, put_many, get_many),
}


def play(kind, side, count):
    make, put, get = KINDS[kind]
    both = make(side)
    barrier = CONTEXT.Barrier(2 * side + 1)
    told = CONTEXT.SimpleQueue()

    def produce(at):
        barrier.wait()
        put(both, range(count * at // side, count * (at + 1) // side))

    def consume():
        barrier.wait()
        told.put(get(both))

    producers = [CONTEXT.Process(target=produce, args=(at,)) for at in range(side)]
    consumers = [CONTEXT.Process(target=consume) for _ in range(side)]
    for process in producers + consumers:
        process.daemon = True
        process.start()
    barrier.wait()
    start = time.monotonic_ns()
    for process in producers:
        process.join()
    for _ in consumers:
        both.put(None)
    total = sum(told.get() for _ in consumers)
    took = time.monotonic_ns() - start
    assert total == count * (count - 1) // 2, "each item once"
    for process in consumers:
        process.join()
    return took


def main(kind, side):
    print("ready", flush=True)
    for line in sys.stdin:
        print(play(kind, int(side), int(line)), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--check":
        KINDS[sys.argv[2]][0](1)
    else:
        main(*sys.argv[1:])
