"""Run invocations under faults: calls fail, processes are killed, the store and the service stop answering together.

    python -m benchmarks.chaos --invocations 2000 --seed 7

Every event is delivered until it succeeds. At the end, every task must have ended exactly once, with the Output of work that
ran for it (nothing is lost), and no work may have started after its result was recorded (nothing runs twice). Between the end
of the work and its first acknowledged record, a kill or a silent store may cause a second run. These runs are counted.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fc_callback.local import Fault, RandomFaults
from tests.waiting import WaitingTask, WaitingTasks

if TYPE_CHECKING:
    from collections.abc import Iterator


@attrs.frozen(kw_only=True)
class Delivery:
    """One event, and the number of its delivery."""

    job: int
    task: WaitingTask
    attempt: int = 1


@attrs.define(kw_only=True)
class Outcome:
    """The result of a run. `wrong` must be empty."""

    seed: int
    invocations: int
    deliveries: int = 0
    killed: int = 0
    seconds: float = 0.0
    errors: Counter[str] = attrs.field(factory=Counter)
    faulted: int = 0
    stalls: int = 0
    windows: int = 0
    wrong: list[str] = attrs.field(factory=list)


class _Worker:
    """A process that runs the function, replaced after each kill."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None

    def deliver(self, delivery: Delivery, kill_after: float | None) -> str:
        """Return the function's answer, or `killed` if the process was killed before it answered."""
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        line = json.dumps({"id": f"{delivery.job}-{delivery.attempt}", "event": delivery.task.event.decode()})
        killer = threading.Timer(kill_after, process.kill) if kill_after is not None else None
        if killer:
            killer.start()
        try:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if killer:
            killer.cancel()
        if not answer.endswith("\n"):
            self.close()
            return "killed"
        return answer.strip()

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.chaos_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=self._environment,
                cwd=Path(__file__).parent.parent,
            )
            assert self._process.stdout is not None
            self._process.stdout.readline()
        return self._process

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


@contextmanager
def _stalling(
    path: Path, tasks: WaitingTasks, chance: random.Random, outcome: Outcome, faults: RandomFaults, *, most: int
) -> Iterator[None]:
    """Stop the answers of the store repeatedly for a while, and in half of the cases those of the service too."""
    ended = threading.Event()

    def stall() -> None:
        # The number is fixed. With a rate, the work on a slow machine would hardly finish between the stalls.
        while outcome.stalls < most and not ended.wait(chance.uniform(0.2, 1.0)):
            with closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as holder:
                try:
                    holder.execute("BEGIN EXCLUSIVE")
                except sqlite3.OperationalError:
                    continue
                together = chance.random() < 0.5
                if together:
                    tasks.service.inject(Fault("slow", times=None, seconds=1.0, takes_effect=chance.random() < 0.5))
                outcome.stalls += 1
                ended.wait(chance.uniform(0.1, 3.0))
                if together:
                    tasks.service.clear_faults()
                    tasks.service.inject(faults)
                holder.execute("ROLLBACK")

    thread = threading.Thread(target=stall)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _most_stalls(invocations: int) -> int:
    return max(4, invocations // 8)


def run(*, invocations: int, seed: int, workers: int = 4, fault_rate: float = 0.3, kill_rate: float = 0.15) -> Outcome:
    """Run the invocations and check the results."""
    chance = random.Random(seed)
    outcome = Outcome(seed=seed, invocations=invocations)
    with tempfile.TemporaryDirectory() as folder, WaitingTasks() as tasks:
        ledger = Path(folder) / "ledger"
        ledger.touch()
        environment = {
            **os.environ,
            **tasks.service.environment,
            "CHAOS_LEDGER": str(ledger),
            "CHAOS_STORE": str(Path(folder) / "once.db"),
        }
        waiting = [Delivery(job=job, task=tasks.new(order={"job": job})) for job in range(invocations)]
        faults = RandomFaults(seed=seed, rate=fault_rate)
        tasks.service.inject(faults)
        began = time.monotonic()
        with _stalling(
            Path(environment["CHAOS_STORE"]),
            tasks,
            random.Random(seed + 1),
            outcome,
            faults,
            most=_most_stalls(invocations),
        ):
            _deliver_until_done(waiting, environment, chance, outcome, workers=workers, kill_rate=kill_rate)
        outcome.seconds = time.monotonic() - began
        outcome.faulted = sum(n for (_, how), n in tasks.service.calls.items() if how.startswith("fault:"))
        _judge(waiting, ledger, outcome)
    return outcome


def _deliver_until_done(
    waiting: list[Delivery],
    environment: dict[str, str],
    chance: random.Random,
    outcome: Outcome,
    *,
    workers: int,
    kill_rate: float,
) -> None:
    todo: queue.Queue[Delivery] = queue.Queue()  # SimpleQueue.get(timeout=...) of several threads can wait for ever
    for delivery in waiting:
        todo.put(delivery)
    left = len(waiting)
    lock = threading.Lock()

    def work() -> None:
        nonlocal left
        worker = _Worker(environment)
        while left:
            try:
                delivery = todo.get(timeout=0.2)
            except queue.Empty:
                continue
            with lock:
                outcome.deliveries += 1
                kill_after = chance.random() * 0.06 if chance.random() < kill_rate else None
            answer = worker.deliver(delivery, kill_after)
            with lock:
                if answer.startswith("ok"):
                    left -= 1
                    continue
                if answer == "killed":
                    outcome.killed += 1
                outcome.errors[answer] += 1
            todo.put(attrs.evolve(delivery, attempt=delivery.attempt + 1))
        worker.close()

    threads = [threading.Thread(target=work) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _judge(waiting: list[Delivery], ledger: Path, outcome: Outcome) -> None:
    ran: dict[int, list[int]] = defaultdict(list)
    recorded: set[int] = set()
    for line in ledger.read_text("utf-8").splitlines():
        what, name, number = line.split()
        job = int(name)
        if what == "recorded":
            recorded.add(job)
            continue
        if job in recorded:
            outcome.wrong.append(f"job {job}: ran again after its result was recorded")
        ran[job].append(int(number))
    outcome.windows = sum(len(numbers) > 1 for numbers in ran.values())
    for delivery in waiting:
        job, task = delivery.job, delivery.task
        if task.status != "Succeeded" or task.reports() != 1:
            outcome.wrong.append(f"job {job}: {task.status} with {task.reports()} ends")
        elif task.output not in [{"job": job, "number": number} for number in ran[job]]:
            outcome.wrong.append(f"job {job}: the Output is not that of work that ran for it")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--invocations", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    arguments = parser.parse_args()
    outcome = run(invocations=arguments.invocations, seed=arguments.seed)
    print(
        f"seed {outcome.seed}: {outcome.invocations} invocations took {outcome.deliveries} deliveries in "
        f"{outcome.seconds:.0f} s; {outcome.killed} processes killed, {outcome.faulted} calls faulted, "
        f"{outcome.stalls} times a silent store, {outcome.windows} tasks whose work ran again before it was recorded, "
        f"errors {dict(outcome.errors)}"
    )
    for line in outcome.wrong:
        print(f"  WRONG: {line}")
    sys.exit(1 if outcome.wrong else 0)


if __name__ == "__main__":
    main()
