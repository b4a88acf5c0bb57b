"""The REST API's addresses."""

app_name = "api"
urlpatterns: list = []
