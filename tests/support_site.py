"""A client of the site, as other programs are, and the site itself in this process."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from maskwatch.broker.connect import connect
from maskwatch.settings import parse_settings
from tests.support import ROOT, wait_for
from web.app import create_app
from web.bus import RedisBus
from web.server import SiteServer

__all__ = ["ask", "ask_json", "is_card", "read_part", "serve", "site_process"]


@contextmanager
def serve(url: str, max_streams: int = 4) -> Iterator[SiteServer]:
    """Run the site on a free port, with the Redis at `url`."""
    settings = parse_settings(f"web: {{port: 0, max_streams: {max_streams}}}", {})
    with connect(url) as own:
        site = SiteServer(create_app(settings, RedisBus(own)))
        site.start()
        try:
            yield site
        finally:
            site.close()


@contextmanager
def ask(
    port: int, path: str, timeout_s: float = 20, headers: Mapping[str, str] | None = None
) -> Iterator[http.client.HTTPResponse]:
    """Send a GET request and give the answer, whose body is not read yet."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)) as connection:
        connection.request("GET", path, headers=dict(headers or {}))
        with connection.getresponse() as answer:
            yield answer


def ask_json(port: int, path: str) -> Any:
    """Return what the API answers, whatever its status."""
    with ask(port, path) as answer:
        return json.loads(answer.read())


@contextmanager
def site_process(
    redis_url: str, log: Path, settings: Mapping[str, str] | None = None
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run `maskwatch web` as a user does, logging to a file, with more variables; give its port and process."""
    redis = {"MASKWATCH_REDIS__LIVE": redis_url, "MASKWATCH_REDIS__DURABLE": redis_url}
    environ = {**os.environ, **redis, **(settings or {})}
    with log.open("wb") as err:
        command = [sys.executable, "-m", "maskwatch", "web", "--port", "0"]
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=err)
    try:
        port = wait_for(lambda: _told_port(process, log), 120, f"the site listens; it logs to {log}")
        wait_for(lambda: _is_healthy(port), 120, f"an answer of the site, which logs to {log}")
        yield port, process
    finally:
        process.kill()
        process.communicate(timeout=10)


def _told_port(process: subprocess.Popen[bytes], log: Path) -> int | None:
    """Return the port that the site says it listens on, once it does."""
    said = log.read_text(errors="replace")
    assert process.poll() is None, f"the site ended with {process.returncode}:\n{said}"
    found = re.search(r'"url": "http://[^"]*:(\d+)/?"', said)
    return int(found[1]) if found else None


def _is_healthy(port: int) -> bool:
    try:
        return bool(ask_json(port, "/healthz") == {"status": "ok"})
    except OSError:
        return False


def read_part(answer: http.client.HTTPResponse) -> bytes:
    """Read one part of a multipart stream, by its Content-Length."""
    length = 0
    while (line := answer.readline().strip()) or not length:
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return answer.read(length)


def is_card(jpeg: bytes) -> bool:
    """Tell a card, which is dark and has no colours, from a picture of `tests.support_feed`."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    spread = image.max(axis=-1).astype(int) - image.min(axis=-1)
    return bool(np.percentile(spread, 99) < 30)
