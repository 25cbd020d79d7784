"""The workers of a run: each is started when the first job comes that it could take."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from url_downloader.engine.retry_scheduler import TaskQueue, put_interruptibly
from url_downloader.engine.worker import Worker, WorkerContext
from url_downloader.shared.attempt_control import AttemptControl
from url_downloader.shared.ports import Progress


class WorkerGroup:
    """All workers of a run.

    Args:
        context: shared by the workers.
        size: the number of workers.
        on_crash: as for every StoppableThread.

    Threads: `abort` and `attempts` from any thread, the other methods in the main thread.
    """

    def __init__(
        self, context: WorkerContext, *, size: int, on_crash: Callable[[BaseException], None]
    ) -> None:
        self._tasks: TaskQueue = context.tasks
        self.members = [
            Worker(name=f"worker-{index}", pool=context, on_crash=on_crash)
            for index in range(size)
        ]
        self._unstarted = self.members[::-1]

    @property
    def started(self) -> int:
        """Number of workers that were started."""
        return len(self.members) - len(self._unstarted)

    @property
    def has_unstarted(self) -> bool:
        """Tell whether another worker can be started."""
        return bool(self._unstarted)

    def start_next(self) -> bool:
        """Start one more worker; return False if the system has no room for another thread."""
        if not self._unstarted[-1].try_start():
            return False
        self._unstarted.pop()
        return True

    def stop_starting(self) -> None:
        """Go on with the workers that were started."""
        self._unstarted = []

    def controls(self) -> Sequence[tuple[str, AttemptControl]]:
        """Return the control of each worker's attempts, with the worker's name."""
        return [(worker.name, worker.control) for worker in self.members]

    def attempts(self) -> Sequence[tuple[str, Progress]]:
        """Return the attempts that are going on, each with its worker's name."""
        attempts = [(name, control.progress()) for name, control in self.controls()]
        return [(name, progress) for name, progress in attempts if progress is not None]

    def abort(self) -> None:
        """End all attempts that are going on, and all later ones. Never blocks."""
        for _, control in self.controls():
            control.abort()

    def send_end_markers(self, *, should_stop: Callable[[], bool]) -> None:
        """Tell each worker that no more jobs come, unless there is no room for that in time."""
        # Counted first: whoever takes a None is not the one that it was put for.
        alive = sum(worker.is_alive() for worker in self.members)
        for _ in range(alive):
            put_interruptibly(self._tasks, None, should_stop=should_stop)
