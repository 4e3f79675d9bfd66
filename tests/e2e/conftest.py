"""Fixtures of the end-to-end tier."""

from __future__ import annotations

from tests.support_browser import browser

__all__ = ["browser"]
