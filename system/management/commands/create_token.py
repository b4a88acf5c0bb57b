"""`manage.py create_token USERNAME`: an API token for a user."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError

from system.account.tokens import existing_or_new_token


class Command(BaseCommand):
    help = "Print the user's API token, creating it if there is none. Send it as `Authorization: Token ...`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--data-dir", help="the site's data folder, if DATA_DIR does not name it")

    def handle(self, *args: object, username: str, **options: Any) -> None:
        try:
            user = User.objects.get(username=username, is_active=True)
        except User.DoesNotExist:
            names = ", ".join(User.objects.filter(is_active=True).values_list("username", flat=True)[:20]) or "nobody"
            raise CommandError(f"There is no active user {username!r}: choose one of {names}.") from None
        self.stdout.write(existing_or_new_token(user))
