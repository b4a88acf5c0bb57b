from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "web"

    def ready(self) -> None:
        from web.log_secrets import hide_in_all_logs

        hide_in_all_logs()
