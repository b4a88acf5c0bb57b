"""How often one user may call the API: limits for reading and for writing, from the settings."""

from __future__ import annotations

import logging

from django.conf import settings
from redis.exceptions import RedisError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import UserRateThrottle

logger = logging.getLogger(__name__)


class _Throttle(UserRateThrottle):
    def get_rate(self) -> str | None:
        return settings.API_RATES[self.scope] or None

    def counts(self, request: Request) -> bool:
        raise NotImplementedError

    def allow_request(self, request: Request, view: object) -> bool:
        if self.rate is None or not self.counts(request):
            return True
        try:
            return bool(super().allow_request(request, view))
        except (RedisError, OSError) as error:
            logger.warning("The cache is away, so requests are not counted: %s", error)
            return True


class ReadThrottle(_Throttle):
    scope = "read"

    def counts(self, request: Request) -> bool:
        return request.method in SAFE_METHODS


class WriteThrottle(_Throttle):
    scope = "write"

    def counts(self, request: Request) -> bool:
        return request.method not in SAFE_METHODS
