"""One thread for torch: steps as small as in these tests wait longer for other threads than they compute."""

import os

os.environ["OMP_NUM_THREADS"] = "1"
