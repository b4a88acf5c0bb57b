"""Weak passwords, and changes of a password by somebody else at an open browser."""

import re

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.test import Client

from tests.making import make_user

pytestmark = pytest.mark.django_db
GOOD = "correct horse battery staple"


@pytest.fixture
def ada():
    return make_user("adalovelace", password=GOOD, email="ada@example.org")


def change(client, **given):
    fields = {"old_password": GOOD, "new_password1": "another good one", "new_password2": "another good one"}
    return client.post("/account/", fields | given)


@pytest.mark.parametrize("password", ["short1!", "password", "iloveyou", "qwertyuiop", "adalovelace", "adalovelace1"])
def test_a_weak_password_is_refused(ada, password):
    with pytest.raises(ValidationError):
        validate_password(password, ada)


def test_a_change_needs_the_present_password(ada, client):
    client.force_login(ada)
    assert change(client, old_password="wrong").status_code == 400
    ada.refresh_from_db()
    assert ada.check_password(GOOD)
    assert change(client).status_code == 302
    ada.refresh_from_db()
    assert ada.check_password("another good one")


@pytest.mark.parametrize("password", ["ünïcödé 漢字 🙂 words", "x y " * 32, "   spaces around   ", "ALLUPPERCASEWORDS"])
def test_any_characters_and_any_length_are_kept_as_they_are(ada, client, password):
    client.force_login(ada)
    assert change(client, new_password1=password, new_password2=password).status_code == 302
    ada.refresh_from_db()
    assert ada.check_password(password)
    assert not ada.check_password(password.swapcase()) and not ada.check_password(password[:-1])


def test_password_fields_are_masked_and_helpers_may_fill_them(ada, client):
    client.force_login(ada)
    for page in (Client().get("/sign-in/").text, client.get("/account/").text):
        fields = re.findall(r'<input[^>]*name="[^"]*password[^>]*>', page)
        assert fields and all('type="password"' in field for field in fields)
        assert not any('autocomplete="off"' in field or "onpaste" in field for field in fields)
