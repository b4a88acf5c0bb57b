"""Keep the tokens that exist, as hashes: each goes on working in its program, and its text is no longer stored."""

import hashlib

from django.db import migrations


def hash_tokens(apps, schema_editor):
    """Move each token to a named one with all its owner's rights."""
    Token, ApiToken = apps.get_model("authtoken", "Token"), apps.get_model("system", "ApiToken")
    for token in Token.objects.all():
        facts = {
            "user_id": token.user_id,
            "name": "API token",
            "start": token.key[:8],
            "scope": "admin",
            "created_at": token.created,
        }
        digest = hashlib.sha256(token.key.encode()).hexdigest()
        ApiToken.objects.get_or_create(digest=digest, defaults=facts)
    Token.objects.all().delete()


class Migration(migrations.Migration):
    dependencies = [("system", "0013_api_tokens"), ("authtoken", "0003_tokenproxy")]

    # Backwards the hashed tokens go with their table: their texts are known to their programs alone.
    operations = [migrations.RunPython(hash_tokens, migrations.RunPython.noop)]
