"""The login's part of the OpenAPI document, kept by hand; a test compares it with the routes."""

from __future__ import annotations

from web.openapi_parts import TEXT, Json, query, refusal

__all__ = ["pages", "schemes", "secured"]

_OPEN = ("/healthz", "/readyz", "/login")


def pages() -> Json:
    """Return the pages."""
    page = {"text/html": {"schema": TEXT}}
    form = {
        "type": "object",
        "required": ["password"],
        "properties": {
            "password": TEXT,
            "next": {**TEXT, "description": "path of this site to go to; / when left out"},
            "csrf_token": {**TEXT, "description": "from the page; a request with a cookie wants it"},
        },
    }
    wanted = query("next", "path of this site to come back to")
    return {
        "/login": {
            "get": {
                "summary": "The page that asks for the password",
                "parameters": [wanted],
                "responses": {
                    "200": {"description": "the page", "content": page},
                    "302": {"description": "nobody has to log in, or has already"},
                },
            },
            "post": {
                "summary": "Begin a session",
                "requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": form}}},
                "responses": {
                    "303": {"description": "let in; the cookie holds the session"},
                    "403": refusal("not the password, or a page of another site made this request"),
                    "429": {"description": "too many attempts; Retry-After says when", "content": page},
                },
            },
        },
        "/logout": {
            "post": {
                "summary": "End the session, at every replica; wants csrf_token as a field, or the header X-CSRFToken",
                "responses": {"303": {"description": "to /login"}},
            }
        },
    }


def schemes() -> Json:
    """Return what lets somebody in."""
    return {
        "token": {"type": "http", "scheme": "bearer", "description": "a token of web.tokens; for metrics also theirs"},
        "player": {"type": "http", "scheme": "basic", "description": "a token's name, and the token as password"},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "maskwatch-...",
            "description": "of /login; requests that change something want the header X-CSRFToken as well",
        },
    }


def secured(paths: Json) -> Json:
    """Say of each operation whom it answers, where the site has a login, and what it takes for forged.

    Args:
        paths: of the whole document.

    Returns:
        The same; those that are open to everybody say so, the rest may answer 401, those that change something 403.
    """
    return {path: {method: _guarded(path, method, one) for method, one in item.items()} for path, item in paths.items()}


def _guarded(path: str, method: str, operation: Json) -> Json:
    responses = dict(operation["responses"])
    if path not in _OPEN:
        responses["401"] = refusal("the site has a login, and nobody is let in by this request")
    if method != "get":
        if "4XX" not in responses:
            responses.setdefault("400", refusal("a cookie came without the token that guards against forged requests"))
        responses.setdefault("403", refusal("a page of another site made this request"))
    return {**operation, "responses": responses, **({"security": []} if path in _OPEN else {})}
