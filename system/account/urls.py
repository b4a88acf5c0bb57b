"""Pages for signing in and for the user's account."""

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from system.account import token_pages, views
from system.account.sign_in_limits import limited

sign_in = LoginView.as_view(template_name="system/account/sign_in.html", redirect_authenticated_user=True)

urlpatterns = [
    path("account/", views.account, name="account"),
    path("account/tokens/", token_pages.tokens_page, name="tokens"),
    path("account/tokens/<int:pk>/revoke/", token_pages.revoke_token, name="revoke-token"),
    path("account/secrets/", views.change_secret, name="change-secret"),
    path("sign-in/", limited(sign_in), name="sign-in"),
    path("sign-in/<uidb64>/<token>/", views.sign_in_link, name="sign-in-link"),
    path("sign-out/", login_not_required(LogoutView.as_view()), name="sign-out"),
]
