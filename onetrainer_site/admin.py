"""The admin's own name; each app registers its models in its own `admin.py`."""

from django.contrib import admin
from rest_framework.authtoken.models import TokenProxy

admin.site.site_header = "OneTrainer Web UI"
admin.site.site_title = "OneTrainer Web UI"
admin.site.index_title = "Administration"
admin.site.unregister(TokenProxy)  # tokens are `system.ApiToken` now, of which only hashes are stored
