"""All settings, read from the environment; README.md has the table."""

import hashlib
import logging
import os
import secrets
import socket
import zoneinfo
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import dj_database_url
from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured

from onetrainer_site.languages import languages
from onetrainer_site.sign_in_settings import apps_of, of_allauth, read_groups, read_mail, read_providers
from web.environment import Environment, masked, socket_path
from web.limits.table import TABLE as LIMITS_TABLE
from web.site_address import LOCAL

env = Environment()
BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = env.folder("DATA_DIR", BASE_DIR / "data")
DEMO_DIR = env.folder("DEMO_DIR", BASE_DIR / "engine" / "demo")


def make_data_folder() -> None:
    try:
        DATA_DIR.mkdir(
            mode=0o700, parents=True, exist_ok=True
        )  # other users must not read the sessions and tokens in it
        for folder in ("logs", "runs", "models", "datasets"):
            (DATA_DIR / folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ImproperlyConfigured(
            f"DATA_DIR is {DATA_DIR}, which cannot be written ({error.strerror}): choose a writable folder."
        ) from error


def read_secret_key() -> str:
    """The key from the environment, else the key that the first start stored in the data folder."""
    if given := env.str("SECRET_KEY", ""):
        return given
    path = DATA_DIR / "secret_key"
    try:
        if not path.exists():
            make_secret_key(path)
        return path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"{path} cannot be used ({error.strerror}): free some disk space, or make it readable for this user."
        ) from error


def make_secret_key(path: Path) -> None:
    """Write all or nothing: half a key on a full disk would be used as the site's key from then on."""
    beside = path.with_name("secret_key.partial")
    beside.unlink(missing_ok=True)
    beside.touch(mode=0o600)
    beside.write_text(secrets.token_urlsafe(50))
    beside.replace(path)


def read_database() -> dict:
    url = env.str("DATABASE_URL", "") or f"sqlite:///{DATA_DIR / 'db.sqlite3'}"
    try:
        database = dj_database_url.parse(url, conn_max_age=600, conn_health_checks=True)
    except (ValueError, KeyError) as error:
        raise ImproperlyConfigured(
            f"DATABASE_URL is {masked(url)!r}, which is not a database: use postgres://user:password@host:5432/name."
        ) from error
    if "sqlite" in database["ENGINE"]:
        database["OPTIONS"] = {
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        }
        # Tests use a file too: with a shared database in memory, threads meet locks that no timeout waits for.
        database["TEST"] = {"NAME": str(DATA_DIR / "tests.sqlite3")}
    if "postgresql" in database["ENGINE"]:
        # Give up a server without replies after half a minute; by default the kernel waits for hours.
        patience = {"connect_timeout": 10, "tcp_user_timeout": 20_000}
        alive = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}
        database["OPTIONS"] = patience | alive | database.get("OPTIONS", {})
    return dict(database)


def read_redis_url() -> str:
    url = env.str("REDIS_URL", "")
    if url and urlsplit(url).scheme not in ("redis", "rediss", "unix"):
        raise ImproperlyConfigured(
            f"REDIS_URL is {masked(url)!r}, which is not a Redis address: use redis://host:6379/0."
        )
    return url or f"unix://:{EMBEDDED_REDIS_PASSWORD}@{socket_path(DATA_DIR / 'redis.sock')}"


def read_time_zone() -> str:
    name = env.str("TIME_ZONE", "UTC")
    if name not in zoneinfo.available_timezones():
        raise ImproperlyConfigured(
            f"TIME_ZONE is {name!r}, which is not a time zone: use a name such as Europe/Berlin."
        )
    return name


make_data_folder()
DEBUG = env.bool("DEBUG", False)
SECRET_KEY = read_secret_key()
# The kernel does not keep an engine process from the embedded Redis, whose cache the site trusts: this does.
EMBEDDED_REDIS_PASSWORD = hashlib.sha256(f"embedded redis {SECRET_KEY}".encode()).hexdigest()
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", [])
# The address that people open. Hosts, origins, secure cookies, the redirect and HSTS follow from it.
SITE = env.site("SITE_URL")
# `serve` sets it too, when the site has a certificate of its own.
HTTPS = env.bool("HTTPS", bool(SITE and SITE.is_secure))
ALLOWED_HOSTS = [*env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"]), *([SITE.host] if SITE else [])]
CSRF_TRUSTED_ORIGINS = [*env.list("CSRF_TRUSTED_ORIGINS", []), *([SITE.origin] if SITE else [])]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# With this prefix browsers take the cookie only from the host itself, and only over HTTPS.
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
CSRF_FAILURE_VIEW = "web.refusals.csrf_failed"
SECURE_SSL_REDIRECT = bool(SITE and SITE.is_secure)
SECURE_SSL_HOST = SITE.netloc if SITE else None
SECURE_REDIRECT_EXEMPT = ["^healthz$"]  # for a proxy or a container that asks whether the site lives
SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", 31_536_000 if SITE and SITE.is_secure and SITE.is_public_name else 0)
# Subdomains and the browsers' list of HTTPS sites are for the owner of the domain to decide, not for one program on it.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
# The reverse proxies whose X-Forwarded-For, -Proto and -Host are believed; see `web.proxies`.
TRUSTED_PROXIES = env.networks("TRUSTED_PROXIES")
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None

# Configs may use files and folders below these, beside the data folder's own and those that an admin adds.
ALLOWED_ROOTS = env.folders("ALLOWED_ROOTS", [])
# Whose models and data sets may be loaded from the hub; empty for all.
HUB_OWNERS = env.list("HUB_OWNERS", [])
# For how long a page may look into one of them; what is not counted by then is left out.
FOLDER_SECONDS = env.float("FOLDER_SECONDS", 2.0)
# Where models are fetched from. Only these hosts may be in a private network, besides those of the two addresses.
HF_ENDPOINT = env.str("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
CIVITAI_ENDPOINT = env.str("CIVITAI_ENDPOINT", "https://civitai.com").rstrip("/")
FETCH_PRIVATE_HOSTS = env.list("FETCH_PRIVATE_HOSTS", [])
ONETRAINER_HOME = env.folder("ONETRAINER_HOME")
ONETRAINER_PYTHON = env.folder("ONETRAINER_PYTHON") or (ONETRAINER_HOME and ONETRAINER_HOME / "venv/bin/python")
# Engines run without Django: they and their child processes read these from the environment.
os.environ["DATA_DIR"] = str(DATA_DIR)
if ONETRAINER_HOME:
    os.environ |= {"ONETRAINER_HOME": str(ONETRAINER_HOME), "ONETRAINER_PYTHON": str(ONETRAINER_PYTHON)}
# Whether a start may wait in the queue; if not, it is refused while a run waits or trains.
QUEUE = env.bool("QUEUE", True)
# This machine's name for other machines; a container's own name changes with each start.
HOST_NAME = env.str("HOST_NAME", "") or socket.gethostname()
# How long a worker may send no heartbeat before its run counts as lost.
LEASE_SECONDS = env.int("LEASE_SECONDS", 20)
# How long the process of an older attempt on another machine may take to notice that it must end.
FENCE_SECONDS = env.int("FENCE_SECONDS", 90)
# Whether a worker keeps a process with torch imported, and forks each training from it.
WARM_ENGINE = env.bool("WARM_ENGINE", True)
# Whether the kernel limits the files that an engine process can reach, and which more variables it gets.
CONFINE_ENGINE = env.bool("CONFINE_ENGINE", True)
ENGINE_ENVIRONMENT = env.list("ENGINE_ENVIRONMENT", [])
STOP_GRACE_SECONDS = env.int("STOP_GRACE_SECONDS", 600)
DISK_LOW_BYTES = int(env.float("DISK_LOW_GB", 5.0) * 1e9)  # pages warn below this free space
# How often a run is retried after a kill, a crash or a power cut, the seconds before each retry, and how many steps
# may be trained again for a retry without a backup.
RETRIES = env.int("RETRIES", 5)
RETRY_DELAYS = env.delays("RETRY_DELAYS", [15, 60, 300, 900, 3600])
RETRY_LOST_STEPS = env.int("RETRY_LOST_STEPS", 0)
# How long a start waits for a worker's check of the config; later problems are reported by the run.
PREFLIGHT_SECONDS = env.int("PREFLIGHT_SECONDS", 20)
# How long it waits for a worker to begin that check; a living worker looks for jobs twice a second.
PREFLIGHT_CLAIM_SECONDS = env.float("PREFLIGHT_CLAIM_SECONDS", 3.0)

# Limits of bodies, addresses, sockets and rates; web/limits/table.py says what each is for.
LIMITS = {limit.name: env.whole(limit.setting, limit.default) for limit in LIMITS_TABLE}
DATA_UPLOAD_MAX_MEMORY_SIZE = LIMITS["BODY_BYTES"]
DATA_UPLOAD_MAX_NUMBER_FIELDS = LIMITS["FORM_FIELDS"]
DATA_UPLOAD_MAX_NUMBER_FILES = LIMITS["FORM_FILES"]

# Sign-in by other sites, and mail; a sign-in link is valid for this long.
SOCIALACCOUNT_PROVIDERS = read_providers(env)
OIDC_GROUPS = read_groups(env)
OIDC_GROUPS_CLAIM = env.str("OIDC_GROUPS_CLAIM", "groups")
OIDC_SIGN_UP = env.bool("OIDC_SIGN_UP", False)
SIGN_UP = env.bool("SIGN_UP", False)
SIGN_IN_LINK_MINUTES = env.int("SIGN_IN_LINK_MINUTES", 30)
HAS_MAIL = bool(env.str("EMAIL_URL", ""))
globals().update(read_mail(env) | of_allauth(HAS_MAIL))

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "corsheaders",
    "django_htmx",
    "rest_framework",
    "rest_framework.authtoken",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    *apps_of(SOCIALACCOUNT_PROVIDERS),
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "web",
    "system",
    "presets",
    "training",
    "samples",
    "worker",
    "operations",
    "onetrainer_site",
]
MIDDLEWARE = [
    "web.proxies.believe_proxies",
    "web.csp.content_security_policy",
    "web.middleware.json_errors",
    "web.middleware.KnownMethods",
    "django.middleware.security.SecurityMiddleware",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "system.audit.requests.audited",
    "web.guard.rates.Rates",
    "web.middleware.SignInRequired",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "system.account.middleware.SignInLimits",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "web.middleware.ErrorPages",
    "web.time_zone.in_the_readers_zone",
]
ROOT_URLCONF = "onetrainer_site.urls"
ASGI_APPLICATION = "onetrainer_site.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "system.account.context.ways_to_sign_in",
            ],
        },
    }
]

DATABASES = {"default": read_database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = read_redis_url()
EMBEDDED_REDIS = not env.str("REDIS_URL", "")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "otw"},
    }
}
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "otw",
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},  # a frozen Redis must not block a request
    }
}

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "CommonPasswordValidator", "NumericPasswordValidator")
] + [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": env.int("PASSWORD_LENGTH", 10)},
    },
    {"NAME": "system.passwords.leaked_passwords.LeakedPasswordValidator"},
]
# Sorted SHA-1 hashes of leaked passwords, as Have I Been Pwned offers them for download.
LEAKED_PASSWORDS = env.folder("LEAKED_PASSWORDS")
PASSWORD_HASHERS = [
    "system.passwords.hashing.TakesTurns",
    *("django.contrib.auth.hashers." + name for name in ("PBKDF2PasswordHasher", "Argon2PasswordHasher")),
    *("django.contrib.auth.hashers." + name for name in ("BCryptSHA256PasswordHasher", "ScryptPasswordHasher")),
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "dashboard"
LOGOUT_REDIRECT_URL = "sign-in"
SESSION_COOKIE_SAMESITE = "Lax"

LANGUAGE_CODE = "en"
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGES = languages(LOCALE_PATHS[0])
TIME_ZONE = read_time_zone()
USE_I18N = True
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "servestatic.storage.CompressedManifestStaticFilesStorage"},
}

# How many wrong passwords are allowed for a name from one address within 15 minutes.
SIGN_IN_TRIES = env.int("SIGN_IN_TRIES", 10)
# For how many days the audit log keeps its entries; 0 for ever.
AUDIT_DAYS = env.int("AUDIT_DAYS", 730)
# How often one user may call the API; empty for no limit.
API_RATES = {"read": env.rate("API_READ_RATE", ""), "write": env.rate("API_WRITE_RATE", "600/min")}
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "system.account.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["web.permissions.ViewersReadTrainersWrite"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["web.api.parsers.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "web.api.negotiation.OneAnswer",
    "DEFAULT_PAGINATION_CLASS": "web.api.pagination.CursorPages",
    "DEFAULT_THROTTLE_CLASSES": ["web.api.throttling.ReadThrottle", "web.api.throttling.WriteThrottle"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "web.api.exceptions.answer_error",
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=env.int("JWT_MINUTES", 5)),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=env.int("JWT_DAYS", 7)),
    "SIGNING_KEY": hashlib.sha256(f"json web tokens {SECRET_KEY}".encode()).hexdigest(),
}
SPECTACULAR_SETTINGS = {
    "TITLE": "OneTrainer Web UI",
    "VERSION": "0.1.0",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "PREPROCESSING_HOOKS": ["onetrainer_site.openapi.one_address_each"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "onetrainer_site.openapi.describe",
        "onetrainer_site.openapi.add_errors",
        "onetrainer_site.openapi.add_examples",
    ],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "ScopeEnum": "system.models.ApiToken.Scope",
        "RunStatusEnum": "training.models.Run.Status",
        "CommandStatusEnum": "training.models.RunCommand.Status",
        "WorkerStatusEnum": "system.models.Worker.Status",
        "PresetSourceEnum": "presets.models.Preset.Source",
        "PreflightStatusEnum": "presets.preflight.serializers.STATUSES",
        "JobStatusEnum": "system.models.Job.Status",
        "ArtifactKindEnum": "training.models.Artifact.Kind",
    },
}
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", [])
# Whether pages of this machine on other ports may call the API too, with a token.
CORS_LOCALHOST = env.bool("CORS_LOCALHOST", False)
CORS_ALLOWED_ORIGIN_REGEXES = [LOCAL] if CORS_LOCALHOST else []
CORS_ALLOW_HEADERS = [*default_headers, "range", "if-none-match", "if-range"]
CORS_EXPOSE_HEADERS = ["Content-Range", "Content-Disposition", "ETag", "Retry-After"]
CORS_URLS_REGEX = r"^/api/.*$"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "filters": {"away_in_one_line": {"()": "web.database.AwayInOneLine"}},
    "loggers": {
        "django.request": {"filters": ["away_in_one_line"]},
        "httpx2": {"level": "WARNING"},  # it logs whole addresses, which may hold signatures
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.log_level("LOG_LEVEL", logging.INFO)},
}
