"""What the embedded servers have in common: one lock, one port, one log, one process at a time."""

import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

from infra.embedded.child import StopSignals, await_ready, stop
from infra.embedded.data_folder import DataFolder
from infra.embedded.supervisor import Service

_START_TIMEOUT_S = 60.0


class Server(ABC):
    """A server of a data folder, on a loopback port that it keeps.

    Processes end with the thread that started them: start from a thread that stays.
    """

    name: ClassVar[str]
    stop_signals: ClassVar[StopSignals]

    def __init__(self, folder: DataFolder) -> None:
        self.folder = folder
        self.port = 0
        """Known once started."""
        self._process: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the process started last does its work now."""

    @abstractmethod
    def _launch(self, lock: int) -> "subprocess.Popen[bytes]":
        """Start the process, which must inherit `lock`; the predecessor is gone, `port` is set."""

    @property
    def log(self) -> Path:
        """The file that the server's own output is appended to."""
        return self.folder.log(self.name)

    @property
    def home(self) -> Path:
        """The server's part of the data folder."""
        return self.folder.folder(self.name)

    @property
    def pid(self) -> int | None:
        """The process started last, None before the first start."""
        return self._process.pid if self._process else None

    def spawn(self) -> "subprocess.Popen[bytes]":
        """Start the process without awaiting it. Raises TimeoutError if an earlier one lives on."""
        with self.folder.server_lock(self.name) as lock:
            if self._process is not None:
                self._process.wait()  # it has ended, or we had not got the lock: take its status
            self.port = self.folder.port(self.name)
            self._process = self._launch(lock)
        return self._process

    def start(self) -> None:
        """Start the server and wait until it is ready. Raises StartFailed, TimeoutError."""
        await_ready(self.spawn(), self.is_ready, log=self.log, timeout_s=_START_TIMEOUT_S)

    def stop(self) -> None:
        """Stop the server if it runs."""
        if self._process is not None:
            stop(self._process, self.stop_signals)

    def restart(self) -> None:
        """Stop and start again, on the same port."""
        self.stop()
        self.start()

    def service(self) -> Service:
        """This server as something a Supervisor keeps running."""
        return Service(self.name, self.spawn, self.is_ready, self.stop_signals)
