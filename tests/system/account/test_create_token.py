"""`manage.py create_token`."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from rest_framework.authtoken.models import Token

from tests.making import make_user

pytestmark = pytest.mark.django_db


def create_token(capsys, name):
    call_command("create_token", name)
    return capsys.readouterr().out.strip()


def test_it_prints_the_users_token(capsys):
    user = make_user("ada")
    assert Token.objects.get(key=create_token(capsys, "ada")).user == user


def test_it_prints_the_same_token_when_called_again(capsys):
    make_user("ada")
    assert create_token(capsys, "ada") == create_token(capsys, "ada")


def test_it_refuses_an_unknown_user_and_lists_the_known_ones(capsys):
    make_user("ada")
    make_user("bob", is_active=False)
    with pytest.raises(CommandError, match="no active user 'bob': choose one of ada"):
        create_token(capsys, "bob")
