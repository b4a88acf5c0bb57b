from tests.integration.conftest import (  # noqa: F401  fixtures
    begun,
    collected_static_files,
    config,
    demo_folder,
    make_site,
    nursery,
)
