"""Fixtures of the integration tier."""

from __future__ import annotations

from tests.support_models import tiny_models, tiny_run
from tests.support_postgres import each_record_url, postgres
from tests.support_redis import each_redis, each_redis_url, redis_client, redis_url

__all__ = [
    "each_record_url",
    "each_redis",
    "each_redis_url",
    "postgres",
    "redis_client",
    "redis_url",
    "tiny_models",
    "tiny_run",
]
