"""Whom the site lets in: a login for people, tokens for programs, and no request forged by another page."""
