"""Passkeys, with Chromium's virtual authenticator: added on the account page, and used to sign in."""

from __future__ import annotations

from playwright.sync_api import expect

PASSWORD = "right horse battery"
NEW_PERSON = """
from django.contrib.auth.models import User
User.objects.create_user("pia", password="{password}")
"""


def test_a_passkey_is_added_and_signs_in_without_a_password(quiet_site, browser):
    quiet_site.manage("shell", "--no-imports", "-c", NEW_PERSON.format(password=PASSWORD))
    address = quiet_site.address.replace("127.0.0.1", "localhost")  # a passkey belongs to a name
    context = browser.new_context(base_url=address)
    page = context.new_page()
    authenticator = context.new_cdp_session(page)
    authenticator.send("WebAuthn.enable")
    facts = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
    authenticator.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": facts | {"isUserVerified": True, "automaticPresenceSimulation": True}},
    )
    page.goto("/account/login/")
    page.fill("#id_login", "pia")
    page.fill("#id_password", PASSWORD)
    page.click("button.btn-primary")
    page.wait_for_url(f"{address}/")
    page.goto("/account/2fa/webauthn/add/")
    page.fill("#id_password", PASSWORD)  # the password again, before anything of the account is changed
    page.click("button[type=submit].btn-primary")
    page.check("#id_passwordless")
    page.click("#mfa_webauthn_add")
    page.wait_for_url(lambda url: "/webauthn/add/" not in url)  # the passkey is kept by then
    page.goto("/account/2fa/webauthn/")
    expect(page.locator("main")).to_contain_text("Passkey")
    context.clear_cookies()
    page.goto("/account/login/")
    page.click("#passkey_login")
    page.wait_for_url(f"{address}/")
    page.goto("/account/")
    expect(page.locator("main")).to_contain_text("pia")
    context.close()
