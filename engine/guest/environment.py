"""The environment of the processes that a worker starts: an allow list, so that no key of the site is in it.

A variable that is not named here does not reach an engine process; ENGINE_ENVIRONMENT names more of them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

MORE = "ENGINE_ENVIRONMENT"  # the setting: names of more variables, separated by commas
NAMES = frozenset(
    {
        # the person and the machine
        *("HOME", "HOST_NAME", "LANG", "LANGUAGE", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER"),
        *("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"),
        # Python and libraries
        *("VIRTUAL_ENV", "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
        *("CC", "CXX", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "TQDM_DISABLE"),
        # a network behind a proxy
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy"),
        *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        # several GPUs
        *("MASTER_ADDR", "MASTER_PORT", "RANK", "LOCAL_RANK", "WORLD_SIZE", "GPU_DEVICE_ORDINAL", "NVCC_APPEND_FLAGS"),
        # the site's own, which an engine reads
        *("DATA_DIR", "ALLOW_PICKLED_WEIGHTS", "ENGINE_ATTEMPT", "PYNVML_FILE", "ONETRAINER_HOME", "ONETRAINER_PYTHON"),
    }
)
PREFIXES = (
    *("LC_", "PYTHON", "CONDA_", "PYENV_", "NIX_"),
    *("CUDA_", "CUDNN_", "CUBLAS_", "NVIDIA_", "NCCL_", "NVTE_", "TF32_", "HIP_", "HSA_", "ROCR_", "ROCM_", "MIOPEN_"),
    *("AMD_", "ZE_", "SYCL_", "ONEAPI_", "IPEX_", "GLOO_", "XLA_"),
    *("OMP_", "MKL_", "KMP_", "OPENBLAS_", "NUMEXPR_", "GOTO_", "VECLIB_", "MALLOC_", "GOMP_"),
    *("TORCH", "PYTORCH_", "TRITON_", "XFORMERS_", "FLASH_ATTENTION_", "BITSANDBYTES_", "BNB_"),
    *("HF_", "HUGGINGFACE_", "HUGGING_FACE_", "TRANSFORMERS_", "DIFFUSERS_", "TOKENIZERS_", "SAFETENSORS_"),
    *("ACCELERATE_", "PEFT_"),
)


def of_engine(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """What an engine process, a check or a probe of an engine gets of this process's environment."""
    given = os.environ if environment is None else environment
    more = {name.strip() for name in given.get(MORE, "").split(",") if name.strip()}
    return {name: value for name, value in given.items() if is_allowed(name) or name in more}


def is_allowed(name: str) -> bool:
    return name in NAMES or name.startswith(PREFIXES)
