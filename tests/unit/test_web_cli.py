from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner

from maskwatch.errors import ConfigError
from maskwatch.settings import MetricsSettings, parse_settings
from tests.support_bus import FakeBus
from web.app import create_app
from web.cli import web
from web.server import SiteServer, advertised_address


def test_help_needs_no_flask() -> None:
    code = "import sys, web.cli; sys.exit(any(name in sys.modules for name in ('flask', 'cv2', 'cheroot', 'redis')))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=250)


def test_other_hosts_need_insecure_to_be_spelled_out() -> None:
    result = CliRunner().invoke(web, ["--host", "0.0.0.0"])
    assert isinstance(result.exception, ConfigError)
    assert "--insecure" in str(result.exception)


def test_missing_redis_says_what_to_give() -> None:
    result = CliRunner().invoke(web, ["--port", "0"])
    assert isinstance(result.exception, ConfigError)
    assert "MASKWATCH_REDIS__LIVE" in str(result.exception)


def test_port_in_use_says_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        app = create_app(parse_settings(f"web: {{port: {port}}}", {}), FakeBus())
        with pytest.raises(ConfigError, match=rf"127\.0\.0\.1:{port}: Address already in use.*--port"):
            SiteServer(app)


@pytest.mark.parametrize(
    ("host", "advertise", "expected"),
    [
        ("127.0.0.1", None, "127.0.0.1:8080"),
        ("::1", None, "[::1]:8080"),
        ("0.0.0.0", "cams.lan", "cams.lan:8080"),
        ("0.0.0.0", "cams.lan:9100", "cams.lan:8080"),
    ],
)
def test_advertised_address_is_one_that_prometheus_reaches(host: str, advertise: str | None, expected: str) -> None:
    assert advertised_address(host, 8080, MetricsSettings(advertise=advertise)) == expected
