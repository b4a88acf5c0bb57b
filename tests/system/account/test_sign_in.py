"""The limit on wrong passwords."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils.timezone import now

from system.account.sign_in_limits import Attempt, TooManyTries
from system.models import WrongPasswords
from tests.making import make_user

pytestmark = pytest.mark.django_db
FORMS = ("/sign-in/", "/admin/login/")
RIGHT = "right horse battery"


@pytest.fixture(autouse=True)
def ada(settings):
    settings.SIGN_IN_TRIES = 3
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # a fast hash
    return make_user("ada", password=RIGHT, is_staff=True)


def try_(password="wrong", name="ada", form="/sign-in/", address="192.0.2.1"):
    """Sign in from a new browser to another web process: only the database remembers earlier attempts."""
    return Client().post(form, {"username": name, "password": password}, REMOTE_ADDR=address)


def use_up(**facts):
    for _ in range(3):
        assert try_(**facts).status_code == 200


@pytest.mark.parametrize("form", FORMS)
def test_after_too_many_wrong_passwords_even_the_right_one_must_wait(form):
    use_up(form=form)
    answer = try_(RIGHT, form=form)
    assert answer.status_code == 429
    assert 0 < int(answer["Retry-After"]) <= 900
    assert "try again in 15 minutes" in answer.text


def test_both_forms_count_together():
    use_up(form=FORMS[0])
    assert try_(form=FORMS[1]).status_code == 429


def test_another_name_or_address_is_not_limited():
    use_up()
    assert try_(name="bob").status_code == 200
    assert try_(RIGHT, address="192.0.2.2").status_code == 302


@pytest.mark.parametrize("name", [" ada ", "ａｄａ"])
def test_another_spelling_of_the_same_name_is_the_same_name(name):
    use_up()
    assert try_(name=name).status_code == 429


def test_an_ipv6_network_counts_as_one_address():
    use_up(address="2001:db8::1")
    assert try_(address="2001:db8::2").status_code == 429
    assert try_(address="2001:db8:0:1::1").status_code == 200


def test_an_unknown_name_gets_the_same_answer():
    use_up(name="nobody")
    assert try_(name="nobody").status_code == 429


def test_signing_in_resets_the_count():
    try_()
    assert try_(RIGHT).status_code == 302
    use_up()


def test_signing_in_works_again_after_the_wait():
    use_up()
    WrongPasswords.objects.update(since=now() - timedelta(minutes=16))
    assert try_(RIGHT).status_code == 302
    assert not WrongPasswords.objects.exists()


def test_opening_the_form_does_not_count():
    for _ in range(5):
        assert Client().get("/sign-in/", REMOTE_ADDR="192.0.2.1").status_code == 200
    assert not WrongPasswords.objects.exists()


def test_simultaneous_attempts_are_limited_like_successive_ones(rf):
    """Each is counted before its password is checked."""
    request = rf.post("/sign-in/")
    begun = [Attempt(request, "ada") for _ in range(5)]
    for attempt in begun[:3]:
        attempt.begin()
    with pytest.raises(TooManyTries):
        begun[3].begin()
    begun[0].was_right()
    begun[4].begin()
