"""Pages for signing in and for the user's account, below /account/; the addresses of before go on working."""

from allauth.account.views import logout
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.urls import include, path

from system.account import sign_in_pages, token_pages, views

urlpatterns = [
    path("account/", views.account, name="account"),
    path("account/tokens/", token_pages.tokens_page, name="tokens"),
    path("account/tokens/<int:pk>/revoke/", token_pages.revoke_token, name="revoke-token"),
    path("account/secrets/", views.change_secret, name="change-secret"),
    path("account/link/", sign_in_pages.request_link, name="request-link"),
    path("account/login/", sign_in_pages.sign_in, name="sign-in"),
    path("account/logout/", logout, name="sign-out"),
    path("account/", include("system.account.allauth_urls")),
    path("sign-in/", sign_in_pages.sign_in, name="old-sign-in"),
    path("sign-in/<uidb64>/<token>/", sign_in_pages.sign_in_link, name="sign-in-link"),
    path("sign-out/", login_not_required(logout), name="old-sign-out"),
]
if settings.SOCIALACCOUNT_PROVIDERS:
    from allauth.urls import build_provider_urlpatterns

    urlpatterns += [
        path("account/3rdparty/", include("allauth.socialaccount.urls")),
        path("account/by/", include(build_provider_urlpatterns())),
    ]
