"""A real RTSP server for tests; run by Debian's /usr/bin/python3, which has GStreamer's bindings.

    /usr/bin/python3 rtsp_server.py '{"port": 8554, "mounts": [{"path": "/a", "file": "a.mp4", "loop": true,
                                      "user": "u", "password": "p"}]}'

Serves MP4 files with H.264 on loopback, without encoding them again: a reader gets the file's own pictures at its own
speed. With `loop` a file begins again at its end, its timestamps going on. Prints `ready` once it listens.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 - only after the versions are chosen


class Looping:
    """Feeds a mount's appsrc from a pipeline of its own, which plays the file again and again."""

    def __init__(self, file: str) -> None:
        """Remember what to play."""
        self._file = file
        self._feeds: list[Any] = []

    def on_configure(self, _factory: Any, media: Any) -> None:
        """Start a feed for a new client; it ends with the media."""
        source = media.get_element().get_by_name("loop")
        feed = Feed(self._file, source)
        self._feeds.append(feed)
        media.connect("unprepared", lambda _media: feed.stop())


class Feed:
    """Pulls access units from one file and pushes them with timestamps that never fall."""

    def __init__(self, file: str, source: Any) -> None:
        """Begin to play."""
        self._source = source
        self._offset_ns = 0
        self._last_ns = 0
        self._pipeline = Gst.parse_launch(
            f'filesrc location="{file}" ! qtdemux ! h264parse config-interval=-1 '
            "! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=out sync=true max-buffers=4"
        )
        self._sink = self._pipeline.get_by_name("out")
        self._sink.set_property("emit-signals", True)
        self._sink.connect("new-sample", self._on_sample)
        bus = self._pipeline.get_bus()
        bus.add_signal_watch()
        bus.connect("message::eos", self._on_end)
        self._pipeline.set_state(Gst.State.PLAYING)

    def stop(self) -> None:
        """End the pipeline."""
        self._pipeline.set_state(Gst.State.NULL)

    def _on_sample(self, sink: Any) -> Any:
        buffer = sink.emit("pull-sample").get_buffer().copy_deep()
        at_ns = buffer.pts if buffer.pts != Gst.CLOCK_TIME_NONE else buffer.dts
        buffer.pts = at_ns + self._offset_ns
        buffer.dts = (buffer.dts if buffer.dts != Gst.CLOCK_TIME_NONE else at_ns) + self._offset_ns
        self._last_ns = max(self._last_ns, buffer.pts + 40_000_000)
        return self._source.emit("push-buffer", buffer)

    def _on_end(self, _bus: Any, _message: Any) -> None:
        self._offset_ns = self._last_ns
        self._pipeline.seek_simple(Gst.Format.TIME, Gst.SeekFlags.FLUSH | Gst.SeekFlags.KEY_UNIT, 0)


def factory_of(mount: dict[str, Any]) -> Any:
    """Return what serves one mount."""
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_shared(False)
    if mount.get("loop"):
        factory.set_launch(
            "( appsrc name=loop is-live=true format=time caps=video/x-h264,stream-format=byte-stream,alignment=au "
            "! h264parse ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
        )
        looping = Looping(mount["file"])
        factory.connect("media-configure", looping.on_configure)
        factory.looping = looping
    else:
        factory.set_launch(
            f'( filesrc location="{mount["file"]}" ! qtdemux ! h264parse config-interval=-1 '
            "! rtph264pay name=pay0 pt=96 config-interval=-1 )"
        )
    return factory


def main() -> None:
    """Serve until killed."""
    wanted = json.loads(sys.argv[1])
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(wanted["port"]))
    auth = GstRtspServer.RTSPAuth()
    anybody = GstRtspServer.RTSPToken.new()
    anybody.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "anybody")
    auth.set_default_token(anybody)
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC if wanted.get("basic") else GstRtsp.RTSPAuthMethod.DIGEST)
    for mount in wanted["mounts"]:
        factory = factory_of(mount)
        allow(factory, auth, mount.get("user", ""), mount.get("password", ""))
        server.get_mount_points().add_factory(mount["path"], factory)
    server.set_auth(auth)
    if not server.attach(None):
        sys.exit(f"can't listen on port {wanted['port']}")
    print("ready", flush=True)
    GLib.MainLoop().run()


def allow(factory: Any, auth: Any, user: str, password: str) -> None:
    """Let a mount's user at it, or anybody when it has none."""
    permissions = GstRtspServer.RTSPPermissions.new()
    for permission in (
        GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS,
        GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT,
    ):
        permissions.add_permission_for_role(user or "anybody", permission, True)
    if not user:
        factory.set_permissions(permissions)
        return
    # Whoever may see a mount but not open it is asked for a password; who may not see it is told 404.
    permissions.add_permission_for_role("anybody", GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
    factory.set_permissions(permissions)
    token = GstRtspServer.RTSPToken.new()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, user)
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    auth.add_digest(user, password, token)


if __name__ == "__main__":
    main()
