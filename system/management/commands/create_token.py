"""`manage.py create_token USERNAME`: an API token for a user."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from system.account import tokens
from web.errors import DomainError
from web.permissions import SCOPES


class Command(BaseCommand):
    help = "Create and print an API token of the user. Send it as `Authorization: Token ...`. It is shown only once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", help="to recognise the token by; by default “terminal”, with a number")
        parser.add_argument("--scope", choices=SCOPES, default="admin", help="admin, the default, is all the user may")
        parser.add_argument("--days", type=int, help="until the token expires; by default never")
        parser.add_argument("--replace", action="store_true", help="revoke the user's token of this name first")
        parser.add_argument("--data-dir", help="the site's data folder, if DATA_DIR does not name it")

    def handle(self, *args: object, username: str, **options: Any) -> None:
        try:
            user = User.objects.get(username=username, is_active=True)
        except User.DoesNotExist:
            names = ", ".join(User.objects.filter(is_active=True).values_list("username", flat=True)[:20]) or "nobody"
            raise CommandError(f"There is no active user {username!r}: choose one of {names}.") from None
        name = options.get("name") or tokens.free_name(user, "terminal")
        if options.get("replace"):
            tokens.tokens_of(user).filter(name=name).delete()
        try:
            wish = tokens.Wish(name, options.get("scope") or "admin", options.get("days"))
            self.stdout.write(tokens.new_token(user, wish)[1])
        except DomainError as error:
            raise CommandError(str(error)) from error
