"""Whether the installation does its work."""

from __future__ import annotations

from maskwatch.errors import QueueError
from maskwatch.settings import Settings
from web.bus import Bus

__all__ = ["what_is_missing"]

_MOST_NAMES = 5


def what_is_missing(bus: Bus, settings: Settings) -> list[str]:
    """Return why the installation isn't ready, as sentences; empty when it is.

    Ready means that Redis answers, a worker is alive, every enabled camera has an ingest that holds it, and there is
    room for more records. A camera that is offline is somebody's work and doesn't count; an installation without
    cameras is ready.
    """
    try:
        views = bus.overview()
        holders = bus.holders()
        processes = bus.processes()
        backlog = bus.backlog()
    except QueueError as error:
        return [str(error)]
    kinds = {process.kind for process in processes}
    missing = []
    if "worker" not in kinds:
        missing.append("no worker is alive; start one with `maskwatch worker`")
    lonely = [view.info.name for view in views if view.info.enabled and view.info.name not in holders]
    if lonely:
        names = ", ".join(lonely[:_MOST_NAMES]) + (", ..." if len(lonely) > _MOST_NAMES else "")
        missing.append(f"{len(lonely)} enabled cameras are held by no ingest: {names}")
    if backlog.is_full:
        missing.append(
            f"{backlog.records} records wait for a recorder, which is all that may; workers stand still until "
            "`maskwatch recorder` runs, or does again what its log says it can't"
        )
    configured = sum(camera.enabled for camera in settings.cameras.values())
    # The file that this process read may be older than what ingest has registered since, so it only counts while
    # nobody registers anything.
    if not views and configured and "ingest" not in kinds:
        missing.append(f"no ingest is alive for {configured} configured cameras; start one with `maskwatch ingest`")
    return missing
