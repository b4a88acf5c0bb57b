from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "onetrainer_site"

    def ready(self) -> None:
        from onetrainer_site import checks  # noqa: F401  importing registers them
