"""Python's Pool, an empty task, as its users call it.

    pool.py WORKERS

Prints `ready`; then, for each line `apply COUNT` or `map COUNT` that it reads, has so many tasks done, checks the results, and
prints how many nanoseconds that took.
"""

import multiprocessing
import sys
import time


def empty(number):
    return number


def apply(pool, count):
    results = [pool.apply_async(empty, (number,)) for number in range(count)]
    return [result.get() for result in results]


def chunks(pool, count):
    return pool.map(empty, range(count))


WAYS = {"apply": apply, "map": chunks}


def main(workers):
    with multiprocessing.get_context("fork").Pool(int(workers)) as pool:
        pool.map(empty, range(1000))
        print("ready", flush=True)
        for line in sys.stdin:
            way, count = line.split()
            start = time.monotonic_ns()
            results = WAYS[way](pool, int(count))
            took = time.monotonic_ns() - start
            assert results == list(range(int(count)))
            print(took, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
