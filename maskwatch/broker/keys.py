"""Names of everything in Redis; nothing else in the code spells a key.

All keys begin with one hash tag, so that they live in one slot of a Redis Cluster and one script may touch them all.

    {mw}:camera:NAME    hash    what is known of a camera: epoch, holder, slots' metadata, state, lease, result
    {mw}:counts:NAME    hash    its counters, one field each (see COUNTERS), and those of its zones (see `zone_field`)
    {mw}:staged:PLACE   string  a picture on its way into `next`, within one MULTI
    {mw}:next:NAME      string  the picture that waits
    {mw}:taken:NAME     string  the picture that a worker holds
    {mw}:shown:NAME     string  the newest analysed picture
    {mw}:configured     hash    camera -> CameraInfo, what ingest registered
    {mw}:known          set     cameras that have counters, retiring ones included
    {mw}:ready          zset    cameras with something to take -> sequence number of their last serving
    {mw}:leases         zset    cameras in flight -> deadline, ms of the server's clock
    {mw}:failed         zset    cameras over which workers died -> when the next try is allowed, ms
    {mw}:holds          zset    cameras held -> deadline, ms
    {mw}:ingests        zset    ingest processes alive -> deadline, ms
    {mw}:processes      zset    KIND/NAME of registered processes -> deadline, ms
    {mw}:process_infos  hash    KIND/NAME -> ProcessInfo
    {mw}:served         string  the sequence number of servings
    {mw}:bell           zset    has a member while somebody should take
    {mw}:latency        hash    histogram, capture to result
    {mw}:wait           hash    histogram, offer to take
    {mw}:confidence     hash    histograms of what the classifier said, one of each label; see `confidence_field`
    {mw}:loads          hash    worker -> when it last reported and how busy it was
    {mw}:shedding       hash    the level of shedding, and which worker decides it until when, ms; expires
    {mw}:removed        hash    sums of the counters of cameras that are gone
    {mw}:happened       list    what happened to cameras themselves, on its way to the durable server
    {mw}:snapshot:NAME  string  a picture of an event on its way to the recorder

and on the durable server:

    {mw}:records        stream  what isn't recorded yet, each entry one record in the field `r`
    {mw}:jobs           zset    jobs -> when they were asked for, s of UTC
    {mw}:jobs_sweep     string  some `maskwatch jobs` looks after the others' jobs at the moment; expires
    {mw}:job:ID         hash    a job as it stands, see maskwatch/jobs; RQ's own keys begin with `rq:`
    {mw}:login:...      list    tries to get into the site, by address; string: a session that was ended; both expire
"""

from __future__ import annotations

from maskwatch.types import DropReason, EventKind, MaskLabel, Verdict

__all__ = [
    "ANALYSED",
    "BELL",
    "CAPTURED",
    "CONFIDENCE",
    "CONFIDENCE_BUCKETS",
    "CONFIGURED",
    "COUNTERS",
    "FACE_SIZE_BUCKETS_PX",
    "FACE_SIZE_SUM",
    "FLIPS",
    "HAPPENED",
    "HISTOGRAM_BUCKETS_S",
    "HOLDS",
    "INGESTS",
    "JOBS",
    "JOBS_SWEEP",
    "KNOWN",
    "LATENCY",
    "LEASES",
    "LOADS",
    "LOGIN",
    "PRESENT",
    "PROCESSES",
    "PROCESS_INFOS",
    "READY",
    "RECORDS",
    "REMOVED",
    "SHEDDING",
    "UNLABELLED",
    "WAIT",
    "camera_key",
    "confidence_field",
    "job_key",
    "lua_names",
    "next_key",
    "shown_key",
    "snapshot_key",
    "staged_key",
    "taken_key",
    "zone_field",
]

TAG = "{mw}:"
CAMERA = TAG + "camera:"
COUNTS = TAG + "counts:"
STAGED = TAG + "staged:"
NEXT = TAG + "next:"
TAKEN = TAG + "taken:"
SHOWN = TAG + "shown:"
CONFIGURED = TAG + "configured"
KNOWN = TAG + "known"
READY = TAG + "ready"
LEASES = TAG + "leases"
FAILED = TAG + "failed"
HOLDS = TAG + "holds"
INGESTS = TAG + "ingests"
PROCESSES = TAG + "processes"
PROCESS_INFOS = TAG + "process_infos"
SERVED = TAG + "served"
BELL = TAG + "bell"
LATENCY = TAG + "latency"
WAIT = TAG + "wait"
CONFIDENCE = TAG + "confidence"
LOADS = TAG + "loads"
SHEDDING = TAG + "shedding"
REMOVED = TAG + "removed"
HAPPENED = TAG + "happened"
SNAPSHOT = TAG + "snapshot:"
RECORDS = TAG + "records"
JOBS = TAG + "jobs"
JOBS_SWEEP = TAG + "jobs_sweep"
JOB = TAG + "job:"
LOGIN = TAG + "login"
"""The library that counts tries appends what it needs."""

CAPTURED = "captured"
ANALYSED = "analysed"
UNLABELLED = "unlabelled"
FLIPS = "label_flips"
FACE_SIZE_SUM = "face_size_sum"
PRESENT = tuple(f"present:{verdict}" for verdict in Verdict)
"""Gauges, so they are replaced rather than summed."""

FACE_SIZE_BUCKETS_PX = (16.0, 20.0, 24.0, 32.0, 48.0, 64.0, 96.0, 128.0, 192.0)
"""Upper bounds in pixels of the analysed frame; below 24 nobody has a verdict, unless `worker.min_face_px` says so."""

CONFIDENCE_BUCKETS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Upper bounds of the chance of the label that a face got; of three labels the best has a third at least."""


COUNTERS = (
    CAPTURED,
    ANALYSED,
    UNLABELLED,
    FLIPS,
    *(f"dropped:{reason}" for reason in DropReason),
    *(f"faces:{label}" for label in MaskLabel),
    *(f"people:{verdict}" for verdict in Verdict),
    *(f"events:{kind}" for kind in EventKind),
    *(f"face_size:{bucket}" for bucket in range(len(FACE_SIZE_BUCKETS_PX) + 1)),
    FACE_SIZE_SUM,
    *PRESENT,
)
"""Every field of a camera's counters; all are created at 0 together, so that `increase()` sees the first one."""

HISTOGRAM_BUCKETS_S = (0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Upper bounds in seconds, the same for all workers for ever: sums over workers and time need equal buckets."""


def camera_key(camera: str) -> str:
    """Return the key of the hash that describes a camera."""
    return CAMERA + camera


def staged_key(place: int) -> str:
    """Return the key of the n-th picture of a transaction on its way in."""
    return f"{STAGED}{place}"


def next_key(camera: str) -> str:
    """Return the key of the picture that waits."""
    return NEXT + camera


def taken_key(camera: str) -> str:
    """Return the key of the picture that a worker holds."""
    return TAKEN + camera


def shown_key(camera: str) -> str:
    """Return the key of the newest analysed picture."""
    return SHOWN + camera


def job_key(job_id: str) -> str:
    """Return the key of a job's record."""
    return JOB + job_id


def confidence_field(label: MaskLabel, part: int | str) -> str:
    """Return a field of `CONFIDENCE`: a label's faces in a bucket of its chance, or `sum`, in thousandths."""
    return f"confidence:{label.value}:{part}"


def zone_field(zone: str, verdict: Verdict) -> str:
    """Return the counter of people who were in a zone, by final verdict; made when the first of them is counted."""
    return f"zone:{zone}:{verdict.value}"


def snapshot_key(name: str) -> str:
    """Return the key of an event's picture on its way to the recorder."""
    return SNAPSHOT + name


def lua_names() -> dict[str, str]:
    """Return the literals for `K.NAME` in the scripts: filled in, they cost no table whenever a script runs."""
    keys = {
        "CAMERA": CAMERA, "COUNTS": COUNTS, "NEXT": NEXT, "TAKEN": TAKEN, "SHOWN": SHOWN,
        "CONFIGURED": CONFIGURED, "KNOWN": KNOWN, "READY": READY, "LEASES": LEASES, "FAILED": FAILED, "HOLDS": HOLDS,
        "SERVED": SERVED, "BELL": BELL, "LATENCY": LATENCY, "WAIT": WAIT, "REMOVED": REMOVED,
        "CONFIDENCE": CONFIDENCE,
        "SHEDDING": SHEDDING, "HAPPENED": HAPPENED,
    }  # fmt: skip
    return {name: f"'{key}'" for name, key in keys.items()} | {
        "COUNTERS": "{" + ", ".join(f"'{name}'" for name in COUNTERS) + "}",
        "BUCKETS_MS": "{" + ", ".join(str(round(bound * 1000)) for bound in HISTOGRAM_BUCKETS_S) + "}",
    }
