"""The book of processes: which are alive, and where their own metrics are."""

from __future__ import annotations

import redis
import structlog

from maskwatch.broker import keys, wire
from maskwatch.broker.connect import translated
from maskwatch.broker.messages import ProcessInfo
from maskwatch.broker.script import Argument, run_script
from maskwatch.errors import WireError

__all__ = ["ProcessBook"]


class ProcessBook:
    """Processes that say of themselves that they are alive.

    Every method raises `BrokerDown` when Redis can't be reached and `QueueError` when it answers with an error.
    """

    def __init__(self, client: redis.Redis) -> None:
        """Use a client as `connect` makes it."""
        self._client = client
        self._log = structlog.get_logger()

    def register(self, info: ProcessInfo, ttl_s: float = 10) -> None:
        """Enter a process, or say that it is still alive; it counts as gone `ttl_s` seconds later."""
        args: list[Argument] = [_id(info), wire.pack_process(info), round(ttl_s * 1000)]
        with translated(self._client, "registering this process"):
            run_script(self._client, "enrol", [keys.PROCESSES, keys.PROCESS_INFOS], args)

    def leave(self, info: ProcessInfo) -> None:
        """Strike out a process that ends."""
        with translated(self._client, "taking leave"), self._client.pipeline(transaction=True) as batch:
            batch.zrem(keys.PROCESSES, _id(info))
            batch.hdel(keys.PROCESS_INFOS, _id(info))
            batch.execute()

    def list(self, kind: str | None = None) -> list[ProcessInfo]:
        """Return the processes that are alive, of one kind or all, sorted; unreadable ones are left out."""
        with translated(self._client, "reading the processes"):
            answers = run_script(self._client, "processes", [keys.PROCESSES, keys.PROCESS_INFOS], [])
        found = []
        for name, data, age_ms in sorted(answers):
            try:
                found.append(wire.unpack_process(data, f"process {name.decode()}", age_ms / 1000))
            except WireError as error:
                self._log.warning("process.unreadable", process=name.decode(), error=str(error))
        return [info for info in found if kind is None or info.kind == kind]


def _id(info: ProcessInfo) -> str:
    return f"{info.kind}/{info.name}"
