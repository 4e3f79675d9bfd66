from __future__ import annotations

import signal

import pytest

from maskwatch.backoff import Backoff
from maskwatch.children import ChildSpec
from maskwatch.errors import ConfigError
from maskwatch.supervisor import Supervisor


class FakeProcess:
    """Ends when told to, or by itself after a SIGTERM."""

    def __init__(self, world: World, spec: ChildSpec, pid: int) -> None:
        self.world = world
        self.spec = spec
        self._pid = pid
        self.code: int | None = None
        self.ends_at: float | None = None
        self.term_takes_s: float | None = 0.1

    @property
    def pid(self) -> int:
        return self._pid

    def poll(self) -> int | None:
        if self.code is None and self.ends_at is not None and self.world.now >= self.ends_at:
            self.code = 0
            self.world.ended.append(self.spec.name)
        return self.code

    def signal_group(self, number: signal.Signals) -> None:
        self.world.signals.append((round(self.world.now, 2), self.spec.name, number.name))
        if self.code is not None:
            return
        if number == signal.SIGKILL:
            self.code = -9
            self.world.ended.append(self.spec.name)
        elif self.term_takes_s is not None:
            self.ends_at = self.world.now + self.term_takes_s


class World:
    """A clock and the processes that were started."""

    def __init__(self) -> None:
        self.now = 100.0
        self.started: list[FakeProcess] = []
        self.signals: list[tuple[float, str, str]] = []
        self.ended: list[str] = []
        self.refuse_start = False

    def start(self, spec: ChildSpec) -> FakeProcess:
        if self.refuse_start:
            raise OSError(11, "Resource temporarily unavailable")
        process = FakeProcess(self, spec, 1000 + len(self.started))
        self.started.append(process)
        return process

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def newest(self, name: str) -> FakeProcess:
        return [process for process in self.started if process.spec.name == name][-1]

    def starts(self, name: str) -> int:
        return len([process for process in self.started if process.spec.name == name])


@pytest.fixture
def world() -> World:
    return World()


def supervisor_in(world: World) -> Supervisor:
    return Supervisor(world.start, lambda: world.now, world.pause, lambda: Backoff(1.0, 8.0, lambda: 0.5))


def spec(name: str, rank: int = 0) -> ChildSpec:
    return ChildSpec(name, ("program",), {"SECRET": "hunter2"}, rank, b"hunter2")


def run_for(world: World, supervisor: Supervisor, seconds: float) -> None:
    ends = world.now + seconds
    while world.now < ends:
        world.pause(0.1)
        supervisor.tick()


def test_dead_process_is_started_again_after_its_delay(world: World) -> None:
    supervisor = supervisor_in(world)
    supervisor.add(spec("worker"))
    world.newest("worker").code = -11
    run_for(world, supervisor, 0.5)
    assert world.starts("worker") == 1
    run_for(world, supervisor, 1.0)
    assert world.starts("worker") == 2


def test_process_that_keeps_dying_is_started_less_and_less_often(world: World) -> None:
    supervisor = supervisor_in(world)
    supervisor.add(spec("worker"))
    for _ in range(600):
        process = world.newest("worker")
        if process.code is None:
            process.code = 1
        run_for(world, supervisor, 0.1)
    assert 8 <= world.starts("worker") <= 12


def test_others_are_left_alone_when_one_dies(world: World) -> None:
    supervisor = supervisor_in(world)
    supervisor.add(spec("ingest"))
    supervisor.add(spec("worker"))
    world.newest("worker").code = 1
    run_for(world, supervisor, 5)
    assert world.starts("ingest") == 1


def test_what_a_dead_process_left_in_its_group_is_killed(world: World) -> None:
    supervisor = supervisor_in(world)
    supervisor.add(spec("ingest"))
    world.newest("ingest").code = 1
    supervisor.tick()
    assert [(name, number) for _at, name, number in world.signals] == [("ingest", "SIGKILL")]


def test_exit_code_2_at_the_start_ends_it_all(world: World) -> None:
    supervisor = supervisor_in(world)
    supervisor.add(spec("ingest"))
    world.newest("ingest").code = 2
    with pytest.raises(ConfigError, match="ingest refuses to start"):
        supervisor.tick()


def test_exit_code_2_later_is_a_crash_like_any_other(world: World) -> None:
    supervisor = supervisor_in(world)
    supervisor.add(spec("ingest"))
    run_for(world, supervisor, 31)
    world.newest("ingest").code = 2
    run_for(world, supervisor, 2)
    assert world.starts("ingest") == 2


def test_exit_code_2_of_a_restart_is_a_crash_like_any_other(world: World) -> None:
    supervisor = supervisor_in(world)
    supervisor.add(spec("ingest"))
    world.newest("ingest").code = 1
    run_for(world, supervisor, 2)
    world.newest("ingest").code = 2
    run_for(world, supervisor, 3)
    assert world.starts("ingest") == 3


def test_delays_grow_and_begin_again_after_a_stable_run(world: World) -> None:
    supervisor = supervisor_in(world)
    supervisor.add(spec("worker"))
    waited = []
    for ran_s in (0.0, 0.0, 0.0, 31.0):
        run_for(world, supervisor, ran_s)
        starts, died_at = world.starts("worker"), world.now
        world.newest("worker").code = 1
        while world.starts("worker") == starts:
            run_for(world, supervisor, 0.1)
        waited.append(world.now - died_at)
    assert waited == pytest.approx([1, 2, 4, 1], abs=0.3)


def test_restart_that_fails_is_tried_again(world: World) -> None:
    supervisor = supervisor_in(world)
    supervisor.add(spec("web"))
    world.newest("web").code = 1
    world.refuse_start = True
    run_for(world, supervisor, 4)
    world.refuse_start = False
    run_for(world, supervisor, 10)
    assert world.starts("web") == 2


def test_first_start_that_fails_is_told(world: World) -> None:
    world.refuse_start = True
    with pytest.raises(OSError, match="unavailable"):
        supervisor_in(world).add(spec("web"))


def test_name_is_given_once(world: World) -> None:
    supervisor = supervisor_in(world)
    supervisor.add(spec("web"))
    with pytest.raises(ValueError, match="'web'"):
        supervisor.add(spec("web"))


def test_stop_goes_rank_by_rank(world: World) -> None:
    supervisor = supervisor_in(world)
    for name, rank in (("redis", 4), ("web", 3), ("worker-1", 2), ("worker-2", 2), ("ingest", 0)):
        supervisor.add(spec(name, rank))
    supervisor.stop()
    assert world.ended == ["ingest", "worker-1", "worker-2", "web", "redis"]
    terms = [name for _at, name, number in world.signals if number == "SIGTERM"]
    assert terms == ["ingest", "worker-1", "worker-2", "web", "redis"]


def test_stop_kills_what_does_not_follow_and_stays_in_its_budget(world: World) -> None:
    supervisor = supervisor_in(world)
    for rank, name in enumerate(("ingest", "worker", "web", "redis")):
        supervisor.add(spec(name, rank))
        world.newest(name).term_takes_s = None
    began = world.now
    supervisor.stop(budget_s=8.0)
    assert world.ended == ["ingest", "worker", "web", "redis"]
    assert world.now - began < 9.0


def test_brokers_keep_time_for_themselves_when_others_use_theirs_up(world: World) -> None:
    supervisor = supervisor_in(world)
    for rank, name in enumerate(("ingest", "worker", "web", "redis")):
        supervisor.add(spec(name, rank))
        world.newest(name).term_takes_s = 1.0 if name == "redis" else None
    supervisor.stop(budget_s=8.0)
    assert world.newest("redis").code == 0


def test_second_request_hurries_everyone_but_the_brokers(world: World) -> None:
    supervisor = supervisor_in(world)
    for rank, name in enumerate(("ingest", "worker", "redis")):
        supervisor.add(spec(name, rank))
        world.newest(name).term_takes_s = 1.0
    began = world.now
    supervisor.stop(lambda: True)
    assert world.now - began < 1.5
    assert world.newest("ingest").code == -9
    assert world.newest("redis").code == 0


def test_stop_while_one_waits_for_its_restart(world: World) -> None:
    supervisor = supervisor_in(world)
    supervisor.add(spec("ingest"))
    world.newest("ingest").code = 1
    supervisor.tick()
    supervisor.stop()
    run_for(world, supervisor, 5)
    assert world.starts("ingest") == 1


def test_forgotten_process_is_killed_and_not_started_again(world: World) -> None:
    supervisor = supervisor_in(world)
    supervisor.add(spec("redis"))
    supervisor.forget("redis")
    run_for(world, supervisor, 5)
    assert world.newest("redis").code == -9
    assert world.starts("redis") == 1


def test_repr_of_a_spec_holds_no_secret() -> None:
    assert "hunter2" not in repr(spec("redis"))
