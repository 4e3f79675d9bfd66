from __future__ import annotations

import pytest

from maskwatch.errors import ConfigError
from maskwatch.store.engine import store_url


@pytest.mark.parametrize("url", ["postgresql://me:hunter2@host:port/record", "postgresql://me:hunter2@[::1/record"])
def test_address_that_makes_no_sense_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"can't be understood; expected sqlite:.*; correct store\.url") as caught:
        store_url(url)
    assert "hunter2" not in str(caught.value)
