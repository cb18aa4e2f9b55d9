"""A process that publishes; run by tests: ``publisher.py ROOT FILENAME SEED THREADS``.

It stages a file in each thread, says ``staged``, waits for its standard input to say
something or to end, publishes, and says for each thread ``published SHA256`` or the error.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from threading import Barrier

from pypid.errors import PypidError
from pypid.storage.directory import DirectoryStorage
from pypid.testing.inline import InlineStorage
from pypid.testing.steps import now, publication


def main(root: str, filename: str, seed: str, threads: int) -> None:
    """Stage, wait, publish."""
    storage = InlineStorage(DirectoryStorage(Path(root)))
    storage.open()
    barrier = Barrier(threads)
    bodies = [f"{seed} {number} ".encode() * 10_000 for number in range(threads)]
    stagings = [now(storage.stage()) for _ in bodies]
    for staging, body in zip(stagings, bodies, strict=True):
        staging.write(body)
    print("staged", flush=True)
    sys.stdin.readline()

    def publish(number: int) -> str:
        body = bodies[number]
        barrier.wait()
        beside = sha256(body).hexdigest().encode()
        said = publication(filename, body, b"Body: " + beside, b"Signed: " + beside, b"Made: " + beside)
        try:
            record = now(stagings[number].publish(said))
        except PypidError as error:
            return type(error).__name__
        return f"published {record.sha256}"

    with ThreadPoolExecutor(threads) as pool:
        # strace counts the calls of each thread: a single publish stays in the main one.
        for line in (pool.map if threads > 1 else map)(publish, range(threads)):
            print(line, flush=True)
    storage.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
