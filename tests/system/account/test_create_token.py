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


def test_it_prints_a_token_that_is_the_users(capsys):
    user = make_user("ada")
    assert Token.objects.get(key=create_token(capsys, "ada")).user == user


def test_asked_again_it_prints_the_same(capsys):
    make_user("ada")
    assert create_token(capsys, "ada") == create_token(capsys, "ada")


def test_it_refuses_who_is_not_there_and_says_who_is(capsys):
    make_user("ada")
    make_user("bob", is_active=False)
    with pytest.raises(CommandError, match="no active user 'bob': choose one of ada"):
        create_token(capsys, "bob")
