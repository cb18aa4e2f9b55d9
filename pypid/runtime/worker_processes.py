"""Processes for work that computes: threads that compute would take the interpreter from the reactor."""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from io import UnsupportedOperation
from threading import Lock
from typing import Any, BinaryIO, TypeVar

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from pypid.errors import StorageUnavailable
from pypid.runtime.worker_main import receive, send

__all__ = ["WorkerProcesses"]

IDLE = 60.0
"""Seconds without work after which a process ends."""
PATIENCE = 600.0
"""Seconds after which a call that has not ended is taken for hung."""
START = 60.0
"""Seconds that a process may take to start."""
END = 5.0
"""Seconds that a process may take to end."""

T = TypeVar("T")


class _Ended(Exception):
    """The process ended, or hung, before it answered."""


@define(eq=False)
class _Process:
    """A worker process. For one thread at a time; all methods block."""

    _process: subprocess.Popen[bytes]
    _channel: socket.socket
    idle_since: float = field(default=0.0, init=False)

    @classmethod
    def start(cls) -> _Process:
        """Start a process, and wait until it is ready. :raises OSError: it cannot be started."""
        ours, theirs = socket.socketpair()
        with theirs:
            program = [sys.executable, "-P", "-m", "pypid.runtime.worker_main", str(theirs.fileno())]
            try:
                process = subprocess.Popen(  # noqa: S603  # its words are fixed
                    program, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, process_group=0
                )
            except BaseException:
                ours.close()
                raise
        self = cls(process, ours)
        ours.settimeout(START)
        try:
            receive(ours)  # READY
        except (OSError, EOFError) as error:
            self.kill()
            raise OSError("a worker process ended, or hung, when it was started") from error
        ours.settimeout(PATIENCE)
        return self

    def call(self, message: bytes, descriptors: tuple[int, ...]) -> bytes:
        """Send a pickled call, and return its pickled outcome. :raises _Ended: there is none."""
        try:
            send(self._channel, message, descriptors)
            answer, _ = receive(self._channel)
        except (OSError, EOFError) as error:
            raise _Ended from error
        return answer

    def close(self) -> None:
        """Let the process end; it notices that the channel is closed."""
        self._channel.close()

    def has_ended(self) -> bool:
        """True if the process has ended. Does not block."""
        return self._process.poll() is not None

    def wait(self) -> None:
        """Wait until the process has ended, and kill it if that takes too long."""
        try:
            self._process.wait(END)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End the process at once."""
        self.close()
        self._process.kill()
        self._process.wait()


class WorkerProcesses(Service):
    """Processes that call functions; as many as threads call at once.

    A process is started when it is needed, and ends after :data:`IDLE` seconds without work.

    :param clock: the clock for that; without it, processes end with the service.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime | None = None) -> None:
        self._clock = clock
        self._now = clock.seconds if clock is not None else time.monotonic
        self._retiring = LoopingCall(self._retire)
        self._lock = Lock()
        self._idle: list[_Process] = []
        self._ending: list[_Process] = []
        self._complained = False

    def startService(self) -> None:
        """Begin to end idle processes from time to time."""
        super().startService()
        if self._clock is not None:
            self._retiring.clock = self._clock
            self._retiring.start(IDLE / 2, now=False)

    def stopService(self) -> None:
        """End the processes. Blocks until they have ended, those that are at work excepted."""
        super().stopService()
        if self._retiring.running:
            self._retiring.stop()
        with self._lock:
            ending, self._idle, self._ending = self._idle + self._ending, [], []
        for process in ending:
            process.close()
        for process in ending:
            process.wait()

    def call(self, function: Callable[..., T], file: BinaryIO, *args: Any) -> T:
        """Call ``function(file, *args)`` in a process, and return what it returns, or raise what it raises.

        Blocks; for threads of a pool. The function is one of a module, depends on nothing but its arguments,
        and gets the file at its beginning. It is called in this thread if the file is none of the operating
        system, or if no process can be started.

        :raises StorageUnavailable: the process was killed twice, perhaps for want of memory.
        """
        try:
            descriptor = file.fileno()
        except UnsupportedOperation:
            return function(file, *args)
        return self._run((descriptor,), partial(function, file), function, args)

    def compute(self, function: Callable[..., T], *args: Any) -> T:
        """Call ``function(*args)`` as :meth:`call` does, without a file."""
        return self._run((), function, function, args)

    def _run(
        self,
        descriptors: tuple[int, ...],
        inline: Callable[..., T],
        function: Callable[..., T],
        args: tuple[Any, ...],
    ) -> T:
        """Call a function in a process, or ``inline`` in this thread if none can be started."""
        message = pickle.dumps((function, args))
        for is_again in (False, True):
            try:
                process = self._take(is_again)
            except OSError as error:
                self._complain(error)
                return inline(*args)
            try:
                answer = process.call(message, descriptors)
            except _Ended:  # a process that was idle may have ended long ago
                process.kill()
                continue
            except BaseException:
                process.kill()
                raise
            self._put_back(process)
            result: T
            result, failure = pickle.loads(answer)  # noqa: S301  # the process belongs to the same user
            if failure is not None:
                raise failure
            return result
        raise StorageUnavailable("a process that the server needs was ended from outside: try again later")

    def _take(self, fresh: bool) -> _Process:
        """Return an idle process, or a new one. :raises OSError: none can be started."""
        with self._lock:
            if self._idle and not fresh:
                return self._idle.pop()
        return _Process.start()

    def _put_back(self, process: _Process) -> None:
        process.idle_since = self._now()
        with self._lock:
            if self.running:
                self._idle.append(process)
                return
        process.close()
        process.wait()

    def _complain(self, error: OSError) -> None:
        """Log once that processes cannot be started."""
        if not self._complained:
            self._complained = True
            self._log.warn(
                "no process can be started for work that computes, so threads do it, and readers may wait"
                " for them: {error}",
                error=error,
            )

    def _retire(self) -> None:
        """Let processes end that have been idle for long. In the reactor's thread; does not block."""
        before = self._now() - IDLE
        with self._lock:
            retired = [process for process in self._idle if process.idle_since <= before]
            self._idle = [process for process in self._idle if process not in retired]
            self._ending = [process for process in self._ending if not process.has_ended()] + retired
        for process in retired:
            process.close()
