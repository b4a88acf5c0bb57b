"""Pages."""

from django.contrib.auth.views import LoginView, LogoutView
from django.urls import path

from system import (
    views,
    views_account,
    views_check,
    views_cleanup,
    views_compare,
    views_doctor,
    views_import,
    views_queue,
    views_wizard,
)
from system.sign_in import limited

urlpatterns = [
    path("", views.dashboard, name="dashboard"),
    path("runs/import/", views_import.import_workspace, name="import-workspace"),
    path("compare/", views_compare.page, name="compare"),
    path("queue/", views_queue.queue, name="queue"),
    path("queue/<uuid:pk>/", views_queue.change, name="queue-change"),
    path("queue/<uuid:pk>/plan/", views_queue.plan, name="queue-plan"),
    path("runs/<uuid:pk>/stop-following/", views_import.stop_following, name="stop-following"),
    path("system/", views.system, name="system"),
    path("system/onetrainer/", views_check.onetrainer, name="onetrainer"),
    path("system/onetrainer/check/", views_check.check_onetrainer, name="check-onetrainer"),
    path("system/doctor/", views_doctor.doctor, name="doctor"),
    path("system/doctor/examine/", views_doctor.examine_site, name="doctor-examine"),
    path("system/doctor/report.txt", views_doctor.report, name="doctor-report"),
    path("system/cleanup/", views_cleanup.cleanup, name="cleanup"),
    path("system/cleanup/count/", views_cleanup.count_again, name="cleanup-count"),
    path("system/cleanup/remove/", views_cleanup.clean_up, name="cleanup-remove"),
    path("system/cleanup/policy/", views_cleanup.change_policy, name="cleanup-policy"),
    path("system/disk/", views_cleanup.disk_notice, name="disk-notice"),
    path("system/workers/<int:pk>/drain/", views.drain, name="worker-drain"),
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
        limited(LoginView.as_view(template_name="system/sign_in.html", redirect_authenticated_user=True)),
        name="sign-in",
    ),
    path("sign-in/<uidb64>/<token>/", views_account.sign_in_link, name="sign-in-link"),
    path("sign-out/", LogoutView.as_view(), name="sign-out"),
]
