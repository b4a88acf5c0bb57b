"""Signing in, the account page, tokens and secrets."""
