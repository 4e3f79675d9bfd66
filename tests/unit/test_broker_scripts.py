"""The Lua scripts as the loader composes them; what they do is tested on real servers."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from maskwatch.broker import keys
from maskwatch.broker.script import read_script

NAMES = sorted(
    entry.name.removesuffix(".lua")
    for entry in (files("maskwatch.broker") / "scripts").iterdir()
    if entry.name.endswith(".lua") and entry.name != "common.lua"
)


def test_there_are_scripts() -> None:
    assert {"offer", "take", "renew", "done"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_script_is_whole_and_tells_what_it_takes(name: str) -> None:
    source = read_script(name).source
    own = (files("maskwatch.broker") / "scripts" / f"{name}.lua").read_text("utf-8")
    assert source.startswith("#!lua")
    assert source.count("#!lua") == 1
    assert re.search(r"\bK\.", source) is None
    assert "\n-- KEYS  1" in own
    assert "{mw}" not in own


def test_keys_are_of_one_slot() -> None:
    literals = [value for value in keys.lua_names().values() if not value.startswith("{")]
    assert literals
    assert all(literal.startswith("'{mw}:") for literal in literals)


def test_counters_are_the_closed_sets() -> None:
    assert len(keys.COUNTERS) == len(set(keys.COUNTERS)) == 4 + 8 + 3 + 4 + 5 + 10 + 1 + 4
    assert tuple(sorted(keys.HISTOGRAM_BUCKETS_S)) == keys.HISTOGRAM_BUCKETS_S
