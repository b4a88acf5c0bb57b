"""Attacks on signing in: guessing, locking people out, getting round the second factor, fixed and stolen sessions."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now
from rest_framework.test import APIClient

from system.account import links
from system.models import KnownPlace, WrongPasswords
from tests.making import make_token, make_user
from tests.waiting import wait_for

pytestmark = pytest.mark.django_db
RIGHT = "right horse battery"
SECRET = "JBSWY3DPEHPK3PXP"
HOME, AWAY = "192.0.2.1", "198.51.100.7"


@pytest.fixture
def ada(settings):
    settings.SIGN_IN_TRIES = 3
    return make_user("ada", password=RIGHT, is_staff=True, email="ada@example.org")


@pytest.fixture
def guarded(ada):
    """Ada with a second factor."""
    TOTP.activate(ada, SECRET)
    RecoveryCodes.activate(ada)
    return ada


def post(address, body, where=HOME, browser=None):
    return (browser or Client()).post(address, body, REMOTE_ADDR=where)


def try_(password="wrong", name="ada", where=HOME, address="/account/login/", browser=None):
    return post(address, {"login": name, "password": password}, where, browser)


def code():
    counter = list(yield_hotp_counters_from_time())[1]
    return format_hotp_value(hotp_value(SECRET, counter))


def is_signed_in(browser):
    return "_auth_user_id" in browser.session


# -- guessing ------------------------------------------------------------------------------------------------------


def test_a_name_guessed_from_many_addresses_is_limited_and_its_owner_is_not_locked_out(ada):
    assert try_(RIGHT, where=HOME).status_code == 302
    answers = [try_(where=f"203.0.113.{number}").status_code for number in range(20)]
    assert answers == [200] * 15 + [429] * 5
    assert try_(RIGHT, where=AWAY).status_code == 429, "nobody has signed in from there"
    assert try_(RIGHT, where=HOME).status_code == 302


def test_many_names_guessed_from_one_address_are_limited(ada):
    answers = [try_(name=f"name{number}", where=AWAY).status_code for number in range(32)]
    assert answers == [200] * 30 + [429] * 2
    assert try_(RIGHT, where=HOME).status_code == 302


def test_guessing_over_all_is_limited_but_not_for_known_addresses(ada, settings):
    assert try_(RIGHT, where=HOME).status_code == 302
    WrongPasswords.objects.create(key="all", count=300)
    answer = try_(where=AWAY)
    assert answer.status_code == 429 and 0 < int(answer["Retry-After"]) <= 900
    assert try_(RIGHT, where=HOME).status_code == 302


def test_a_known_address_is_limited_by_itself_and_forgotten_after_half_a_year(ada):
    assert try_(RIGHT).status_code == 302
    assert [try_().status_code for _ in range(4)] == [200, 200, 200, 429]
    KnownPlace.objects.update(seen_at=now() - timedelta(days=181))
    WrongPasswords.objects.all().delete()
    WrongPasswords.objects.create(key="all", count=300)
    assert try_(RIGHT).status_code == 429


def test_the_counts_know_an_address_behind_a_trusted_proxy_and_believe_no_other_header(ada, settings):
    for number in range(3):
        Client().post("/account/login/", {"login": "ada", "password": "wrong"}, HTTP_X_FORWARDED_FOR=f"10.0.0.{number}")
    assert Client().post("/account/login/", {"login": "ada", "password": RIGHT}).status_code == 429


@pytest.mark.parametrize("address", ["/sign-in/", "/admin/login/", "/account/login/"])
def test_all_forms_count_together_with_the_api(ada, address):
    assert [try_(address=address).status_code for _ in range(2)] == [200, 200]
    api = APIClient()
    body = {"username": "ada", "password": "wrong"}
    assert api.post("/api/auth/token", body, "json", REMOTE_ADDR=HOME).status_code == 401
    answer = api.post("/api/auth/token", {**body, "password": RIGHT}, "json", REMOTE_ADDR=HOME)
    assert answer.status_code == 429 and int(answer["Retry-After"]) > 0


def test_wrong_tokens_from_one_address_are_slowed_and_a_right_one_goes_on(ada):
    api = APIClient()
    answers = [api.get("/api/me", HTTP_AUTHORIZATION=f"Token otw_{number}").status_code for number in range(92)]
    assert answers == [401] * 90 + [429] * 2
    assert api.get("/api/me", HTTP_AUTHORIZATION=f"Token {make_token(ada)}").status_code == 200


def test_an_unknown_name_cannot_be_told_from_a_known_one(ada):
    pages = [try_(name=name).text.replace(name, "NAME") for name in ("ada", "nobody")]
    tokens = [page.split('name="csrfmiddlewaretoken"') for page in pages]
    assert len(tokens[0]) == len(tokens[1]) and "not correct" in pages[0] and "not correct" in pages[1]


# -- the second factor ---------------------------------------------------------------------------------------------


def test_a_password_alone_signs_nobody_in_who_has_a_second_factor(guarded):
    for address in ("/account/login/", "/sign-in/", "/admin/login/"):
        browser = Client()
        assert try_(RIGHT, address=address, browser=browser).url.startswith(reverse("mfa_authenticate"))
        assert not is_signed_in(browser)
        assert browser.get("/admin/").status_code == 302 and browser.get("/").status_code == 302
    answer = APIClient().post("/api/auth/token", {"username": "ada", "password": RIGHT}, "json")
    assert answer.status_code == 403


def test_a_sign_in_link_does_not_replace_the_second_factor(guarded):
    browser = Client()
    assert browser.post(links.path_for(guarded)).url.startswith(reverse("mfa_authenticate"))
    assert not is_signed_in(browser)


def test_the_right_code_signs_in_and_works_once(guarded):
    right = code()
    browsers = [Client(), Client()]
    for browser in browsers:
        try_(RIGHT, browser=browser)
        post(reverse("mfa_authenticate"), {"code": right}, browser=browser)
    assert [is_signed_in(browser) for browser in browsers] == [True, False]


def test_while_redis_is_away_a_code_is_refused_with_a_sentence(guarded, settings):
    """Without it nobody could know whether the code was used."""
    address = "redis://127.0.0.1:9"
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": address}}
    browser = Client()
    assert try_(RIGHT, browser=browser).status_code == 302
    answer = post(reverse("mfa_authenticate"), {"code": code()}, browser=browser)
    assert answer.status_code == 503 and answer["Retry-After"] == "5" and "use a passkey" in answer.text
    assert not is_signed_in(browser)
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}


def test_codes_cannot_be_guessed_however_often_the_password_is_entered(guarded):
    statuses = []
    for _ in range(3):
        browser = Client()
        try_(RIGHT, browser=browser)
        for guess in range(2):
            statuses.append(post(reverse("mfa_authenticate"), {"code": f"00000{guess}"}, browser=browser).status_code)
    assert statuses == [200, 200, 200, 429, 429, 429]


def test_a_recovery_code_works_once(guarded):
    (first, *_) = RecoveryCodes(Authenticator.objects.get(type="recovery_codes")).get_unused_codes()
    for expected in (True, False):
        browser = Client()
        try_(RIGHT, browser=browser)
        post(reverse("mfa_authenticate"), {"code": first}, browser=browser)
        assert is_signed_in(browser) is expected


def test_the_secrets_of_second_factors_are_stored_encrypted(guarded):
    stored = str(list(Authenticator.objects.values_list("data", flat=True)))
    assert SECRET not in stored and "secret" in stored


def test_a_second_factor_is_set_up_only_after_the_password_was_entered_again(ada):
    browser = Client()
    browser.force_login(ada)
    assert browser.get(reverse("mfa_activate_totp")).url.startswith(reverse("account_reauthenticate"))


def test_a_person_without_a_password_is_asked_to_set_one_first(client):
    client.force_login(make_user("bob"))
    page = client.get(reverse("mfa_activate_totp"), follow=True)
    assert page.redirect_chain[-1][0] == "/account/" and "Set a password first" in page.text


def test_a_second_factor_is_set_up_on_its_page_with_recovery_codes(ada):
    browser = Client()
    try_(RIGHT, browser=browser)
    browser.post(reverse("account_reauthenticate"), {"password": RIGHT, "next": "/account/"})
    page = browser.get(reverse("mfa_activate_totp"))
    assert page.status_code == 200 and "data:image/svg" in page.text
    secret = browser.session["mfa.totp.secret"]
    counter = next(yield_hotp_counters_from_time())
    answer = browser.post(reverse("mfa_activate_totp"), {"code": format_hotp_value(hotp_value(secret, counter))})
    assert answer.url == reverse("mfa_view_recovery_codes")
    assert Authenticator.objects.filter(user=ada, type="recovery_codes").exists()


# -- sessions ------------------------------------------------------------------------------------------------------


def test_signing_in_takes_a_new_session(ada):
    browser = Client()
    browser.get("/account/login/")
    browser.session["planted"] = "by the attacker"
    before = browser.session.session_key
    try_(RIGHT, browser=browser)
    assert is_signed_in(browser) and browser.session.session_key != before


def test_a_session_is_ended_from_another_one(ada):
    here, there = Client(HTTP_USER_AGENT="Here/1"), Client(HTTP_USER_AGENT="There/2")
    for browser in (here, there):
        try_(RIGHT, browser=browser)
    page = here.get("/account/sessions/").text
    assert "There/2" in page and "this browser" in page and HOME in page
    number = page.split('name="session" value="')[1].split('"')[0]
    here.post("/account/sessions/", {"session": number})
    assert there.get("/").status_code == 302 and here.get("/").status_code == 200


def test_all_other_sessions_are_ended_at_once_and_those_of_others_never(ada):
    make_user("bob", password=RIGHT)
    mine, his = [Client() for _ in range(3)], Client()
    for browser in mine:
        try_(RIGHT, browser=browser)
    try_(RIGHT, name="bob", browser=his)
    his.get("/account/sessions/")
    bobs = User.objects.get(username="bob").usersession_set.get().pk
    mine[0].post("/account/sessions/", {"session": str(bobs)})
    mine[0].post("/account/sessions/", {"others": "1"})
    assert [browser.get("/").status_code for browser in (*mine, his)] == [200, 302, 302, 200]


@pytest.mark.parametrize("number", ["", "x", "-1", "9" * 40, "٣"])
def test_a_session_that_is_none_is_ignored(ada, number):
    browser = Client()
    try_(RIGHT, browser=browser)
    assert browser.post("/account/sessions/", {"session": number}).status_code == 302 and Session.objects.exists()


def test_a_new_password_ends_the_other_sessions(ada):
    here, there = Client(), Client()
    for browser in (here, there):
        try_(RIGHT, browser=browser)
    words = {"old_password": RIGHT, "new_password1": "blue horse battery", "new_password2": "blue horse battery"}
    assert here.post("/account/", words).status_code == 302
    assert there.get("/").status_code == 302 and here.get("/").status_code == 200


@pytest.mark.parametrize("place", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_signing_in_never_leads_to_another_site(ada, place):
    answer = post("/account/login/", {"login": "ada", "password": RIGHT, "next": place})
    assert answer.status_code == 302 and answer.url == "/"


# -- accounts and passwords ----------------------------------------------------------------------------------------


def test_nobody_makes_an_account_unless_a_setting_allows_it(settings):
    body = {"username": "eve", "password1": RIGHT, "password2": RIGHT}
    assert "closed" in Client().post("/account/signup/", body).text.lower()
    assert not User.objects.exists()
    settings.SIGN_UP = True
    assert Client().post("/account/signup/", body).status_code == 302
    assert not User.objects.get().is_staff


@pytest.mark.parametrize("word", ["12345678901234", "password123", "short", "ada-lovelace1"])
def test_a_weak_password_is_refused(word):
    with pytest.raises(ValidationError):
        validate_password(word, User(username="ada-lovelace"))


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_leaked_password_is_found_in_the_list_wherever_it_is(tmp_path, settings, size):
    words = [f"unguessable word {number}" for number in range(size)]
    hashes = sorted(hashlib.sha1(word.encode()).hexdigest().upper() for word in words)
    settings.LEAKED_PASSWORDS = tmp_path / "leaked.txt"
    settings.LEAKED_PASSWORDS.write_text("\r\n".join(f"{one}:{number}" for number, one in enumerate(hashes)))
    for word in words:
        with pytest.raises(ValidationError, match="leaked"):
            validate_password(word)
    for number in range(50):
        validate_password(f"another word {number}")


@pytest.mark.parametrize("content", [None, "", "\n\n", "no hashes at all\n" * 20])
def test_a_list_of_leaked_passwords_that_is_none_refuses_nothing(tmp_path, settings, content):
    settings.LEAKED_PASSWORDS = tmp_path / "leaked.txt"
    if content is not None:
        settings.LEAKED_PASSWORDS.write_text(content)
    validate_password(RIGHT)


# -- links by mail -------------------------------------------------------------------------------------------------


def test_a_link_is_mailed_to_a_known_address_and_signs_in(ada, settings):
    settings.HAS_MAIL = True
    answers = [post("/account/link/", {"email": address}) for address in ("nobody@example.org", "ADA@example.org")]
    assert answers[0].text.replace("nobody", "") == answers[1].text.replace("ADA", "")
    wait_for(lambda: mail.outbox, what="the mail")
    assert [message.to for message in mail.outbox] == [["ada@example.org"]]
    link = next(word for word in mail.outbox[0].body.split() if word.startswith("http://testserver/sign-in/"))
    browser = Client()
    browser.post(link)
    assert is_signed_in(browser)


def test_mails_are_limited_by_address(ada, settings):
    settings.HAS_MAIL = True
    assert [post("/account/link/", {"email": "ada@example.org"}).status_code for _ in range(4)] == [200] * 3 + [429]


@pytest.mark.parametrize("address", ["/account/link/", "/account/password/reset/", "/account/email/"])
def test_without_mail_there_are_no_pages_of_mail(ada, client, address):
    client.force_login(ada)
    assert client.get(address).status_code == 404
