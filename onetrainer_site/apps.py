from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "onetrainer_site"
