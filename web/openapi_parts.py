"""What every part of the OpenAPI document is put together from."""

from __future__ import annotations

from typing import Any, TypeAlias

__all__ = [
    "COUNT",
    "TEXT",
    "Json",
    "answer",
    "in_words",
    "json_answer",
    "list_of",
    "object_of",
    "operation",
    "query",
    "ref",
    "refusal",
]

Json: TypeAlias = dict[str, Any]

_FOR_PROGRAMS = ("/api/", "/metrics", "/healthz", "/readyz")

TEXT: Json = {"type": "string"}
COUNT: Json = {"type": "integer", "minimum": 0}


def operation(summary: str, responses: Json, *parameters: Json, body: Json | None = None) -> Json:
    """Return one method of a path.

    Args:
        summary: what it does.
        responses: by status.
        parameters: of the path and the query.
        body: what has to be sent, by media type; None where nothing is.
    """
    operation: Json = {"summary": summary, "responses": responses}
    if parameters:
        operation["parameters"] = list(parameters)
    if body is not None:
        operation["requestBody"] = {"required": True, "content": body}
    return operation


def query(name: str, description: str, schema: Json | None = None) -> Json:
    """Return a parameter of the query, a text unless a schema says more."""
    return {"name": name, "in": "query", "schema": schema or TEXT, "description": description}


def json_answer(description: str, schema: Json) -> Json:
    """Return a response in JSON."""
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def refusal(description: str) -> Json:
    """Return a response that tells what was wrong, in the form that all errors have."""
    return json_answer(description, ref("Error"))


def in_words(paths: Json) -> Json:
    """Say of what people open that it tells errors to people: as a page to browsers, as a line to the rest.

    Args:
        paths: of the whole document, whose refusals are in JSON.
    """
    return {
        path: item
        if path.startswith(_FOR_PROGRAMS)
        else {method: {**one, "responses": _in_words(one["responses"])} for method, one in item.items()}
        for path, item in paths.items()
    }


def _in_words(responses: Json) -> Json:
    words = {"text/html": {"schema": TEXT}, "text/plain": {"schema": TEXT}}
    return {
        status: {**one, "content": words}
        if status[0] in "45" and one.get("content", {}).keys() <= {"application/json"}
        else one
        for status, one in responses.items()
    }


def answer(description: str, mimetype: str) -> Json:
    """Return a response of another media type."""
    return {"description": description, "content": {mimetype: {"schema": TEXT}}}


def object_of(properties: Json) -> Json:
    """Return an object that has all of these properties."""
    return {"type": "object", "required": list(properties), "properties": properties}


def list_of(name: str) -> Json:
    """Return an array of a named schema."""
    return {"type": "array", "items": ref(name)}


def ref(name: str) -> Json:
    """Refer to a named schema."""
    return {"$ref": f"#/components/schemas/{name}"}
