"""Workers of a run as a group: started one by one, aborted and ended together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from url_downloader.engine.worker import Worker, WorkerContext
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.ports import Progress
from url_downloader.shared.url_parts import origin_text


class WorkerGroup:
    """Group of all workers of a run.

    Args:
        context: Objects that the workers share.
        size: Number of workers.
        on_crash: Function called with an error that escapes from a worker.

    Attributes:
        members: All workers, whether started or not.
        started: Number of workers that were started.

    Threads: `controls`, `attempts`, `life_signs`, `asked_hosts` and `abort` from any thread;
    all other methods in the main thread.
    """

    def __init__(
        self, context: WorkerContext, *, size: int, on_crash: Callable[[BaseException], None]
    ) -> None:
        self._tasks = context.tasks
        self.members = [
            Worker(name=f"worker-{index}", pool=context, on_crash=on_crash)
            for index in range(size)
        ]
        self.started = 0
        self._unstarted = self.members[::-1]

    @property
    def has_unstarted(self) -> bool:
        """Tell whether another worker can be started."""
        return bool(self._unstarted)

    def start_next(self) -> bool:
        """Start one of the unstarted workers; return False if the system refuses a thread.

        The caller has checked `has_unstarted`.
        """
        if not self._unstarted[-1].try_start():
            return False
        self._unstarted.pop()
        self.started += 1
        return True

    def stop_starting(self) -> None:
        """Start no more workers from now on."""
        self._unstarted = []

    def controls(self) -> Sequence[tuple[str, AttemptControl]]:
        """Return the name of each worker and the control of its attempts."""
        return [(worker.name, worker.control) for worker in self.members]

    def attempts(self) -> Sequence[tuple[str, Progress]]:
        """Return the progress of the current attempts, each with its worker's name."""
        attempts = [(name, control.progress()) for name, control in self.controls()]
        return [(name, progress) for name, progress in attempts if progress is not None]

    def life_signs(self) -> int:
        """Return a number that grows with each reply and each piece of a body."""
        return sum(worker.control.life_signs for worker in self.members)

    def asked_hosts(self) -> set[str]:
        """Return the origins of the current attempts' URLs, as text."""
        return {origin_text(progress.job.url) for _, progress in self.attempts()}

    def abort(self) -> None:
        """Abort all current attempts, and all later ones. Never blocks."""
        for _, control in self.controls():
            control.abort()

    def send_end_markers(self) -> None:
        """Put one end marker on the task queue for each worker that runs. Never blocks."""
        # Counted once: a worker that takes an end marker may end before the next one is put.
        alive = sum(worker.is_alive() for worker in self.members)
        for _ in range(alive):
            self._tasks.put(None)
