"""What all tests share: their own data folder, and a channel layer and a cache in memory."""

import os
import tempfile

os.environ["DATA_DIR"] = tempfile.mkdtemp(prefix="onetrainer-tests-")
