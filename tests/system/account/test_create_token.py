"""`manage.py create_token`."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from system.account import tokens
from tests.making import make_user

pytestmark = pytest.mark.django_db


def create_token(capsys, name, *options):
    call_command("create_token", name, *options)
    return capsys.readouterr().out.strip()


def test_it_prints_the_users_token(capsys):
    user = make_user("ada")
    token = tokens.find(create_token(capsys, "ada"))
    assert (token.user, token.scope, token.expires_at) == (user, "admin", None)


def test_each_call_creates_another_token_and_revokes_none(capsys):
    make_user("ada")
    keys = [create_token(capsys, "ada") for _ in range(2)]
    assert [tokens.find(key).name for key in keys] == ["terminal", "terminal 2"]


def test_a_name_a_scope_and_an_end_can_be_chosen_and_a_name_replaced(capsys):
    make_user("ada")
    first = create_token(capsys, "ada", "--name", "cluster", "--scope", "read", "--days", "2")
    token = tokens.find(first)
    assert (token.name, token.scope) == ("cluster", "read") and token.expires_at is not None
    with pytest.raises(CommandError, match="a token of this name"):
        create_token(capsys, "ada", "--name", "cluster")
    second = create_token(capsys, "ada", "--name", "cluster", "--replace")
    assert tokens.find(first) is None and tokens.find(second) is not None


def test_it_refuses_an_unknown_user_and_lists_the_known_ones(capsys):
    make_user("ada")
    make_user("bob", is_active=False)
    with pytest.raises(CommandError, match="no active user 'bob': choose one of ada"):
        create_token(capsys, "bob")
