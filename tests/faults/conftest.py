"""Fixtures of the whole-site tests."""

from tests.integration.conftest import collected_static_files, config, demo_folder  # noqa: F401
