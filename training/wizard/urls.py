"""Pages of the guided setup, below /runs/wizard/."""

from django.urls import path

from training.wizard import views

urlpatterns = [
    path("", views.wizard, name="wizard"),
    path("review/", views.review, name="wizard-review"),
    path("dismiss/", views.dismiss_note, name="wizard-dismiss"),
    path("<slug:slug>/", views.wizard_step, name="wizard-step"),
]
