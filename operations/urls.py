"""Pages for looking after the site."""

from django.urls import path

from operations import views, views_check, views_folders
from operations.cleanup import views as views_cleanup
from operations.doctor import views as views_doctor
from operations.workspaces import views as views_import

urlpatterns = [
    path("system/", views.system, name="system"),
    path("system/workers/<int:pk>/drain/", views.drain, name="worker-drain"),
    path("system/folders/", views_folders.add_folder, name="folder-add"),
    path("system/folders/<int:pk>/remove/", views_folders.remove_folder, name="folder-remove"),
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
    path("runs/import/", views_import.import_workspace, name="import-workspace"),
    path("runs/<uuid:pk>/stop-following/", views_import.stop_following, name="stop-following"),
]
