"""Pages."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from system import views, views_account, views_check, views_import, views_wizard

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("runs/import/", views_import.import_workspace, name="import-workspace"),
    path("system/", views.system, name="system"),
    path("system/onetrainer/", views_check.onetrainer, name="onetrainer"),
    path("system/onetrainer/check/", views_check.check_onetrainer, name="check-onetrainer"),
    path("system/resources/", views.resources, name="resources"),
    path("runs/wizard/", views_wizard.wizard, name="wizard"),
    path("runs/wizard/dismiss/", views_wizard.dismiss_note, name="wizard-dismiss"),
    path("runs/wizard/<slug:slug>/", views_wizard.wizard_step, name="wizard-step"),
    path("account/", views_account.account, name="account"),
    path("account/token/", views_account.make_token, name="make-token"),
    path("account/secrets/", views_account.change_secret, name="change-secret"),
    path("account/token/revoke/", views_account.revoke_token, name="revoke-token"),
    path(
        "sign-in/",
        LoginView.as_view(template_name="system/sign_in.html", redirect_authenticated_user=True),
        name="sign-in",
    ),
    path("sign-in/<uidb64>/<token>/", views_account.sign_in_link, name="sign-in-link"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
]
