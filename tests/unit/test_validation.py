"""What is said of a file whose form is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError, model_validator

from maskwatch.validation import first_error


class _Form(BaseModel):
    sizes: list[int]

    @model_validator(mode="after")
    def _has_some(self) -> _Form:
        if not self.sizes:
            raise ValueError("sizes must not be empty")
        return self


def _said(value: Any) -> str:
    with pytest.raises(ValidationError) as error:
        _Form.model_validate(value)
    return first_error(error.value)


def test_wrong_value_is_named_by_its_place() -> None:
    said = _said({"sizes": [1, "secret", "other"]})
    assert said.startswith("sizes.1: ")
    assert "secret" not in said


@pytest.mark.parametrize("value", [[], 3, None])
def test_form_that_is_wrong_as_a_whole_is_the_file(value: Any) -> None:
    assert _said(value).startswith("the file: ")


def test_own_rules_are_told_in_their_own_words() -> None:
    assert _said({"sizes": []}) == "the file: sizes must not be empty"
