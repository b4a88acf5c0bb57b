"""An estimate of the disk space that a training will write. No torch."""

from __future__ import annotations

from pathlib import Path

from engine.builtin.config.enums import DataType, EMAMode, TimeUnit, TrainingMethod
from engine.builtin.config.train_config import TrainConfig
from engine.builtin.estimates import memory
from engine.builtin.estimates.memory import Estimate
from engine.builtin.families.model_files import ModelFiles

BACKUPS_BY_TIME = 5  # assumed if the number depends on the machine's speed
SAMPLE_BYTES = 1.5  # a pixel of a PNG file
MARGIN = 500_000_000  # for logs, journal and other files that grow


def estimate_disk(config: TrainConfig, model: ModelFiles | None, batches: int) -> Estimate:
    """The size of backups, saves, samples, encoded pictures and the final model; `batches` is the number per epoch."""
    trained = memory.trained_parameters(config, model)
    saved = _saved_size(config, model, trained)
    backup = trained * memory.FULL * (2 if config.ema is not EMAMode.OFF else 1)
    backup += int(trained * memory.state_bytes(config))
    drawn = sum(sample.width * sample.height for sample in config.samples or [] if sample.enabled)
    samples = _times(config, config.sample_after, config.sample_after_unit, batches)
    parts = {
        "final model": saved,
        "backups": backup * _backups(config, batches),
        "saves": saved * _times(config, config.save_every, config.save_every_unit, batches),
        "samples": int(drawn * SAMPLE_BYTES) * samples,
        "encoded pictures": _cache_size(config, batches),
        "margin": MARGIN,
    }
    return Estimate({name: size for name, size in parts.items() if size})


def existing_parent(path: Path) -> Path:
    """The path itself, or its nearest existing parent."""
    path = path.expanduser().absolute()
    return next(parent for parent in (path, *path.parents) if parent.exists())


def _saved_size(config: TrainConfig, model: ModelFiles | None, trained: int) -> int:
    each = memory.FULL if config.output_dtype is DataType.FLOAT_32 else memory.HALF
    if config.training_method is TrainingMethod.LORA:
        return trained * each
    return each * sum(memory.parameters_of(part, config, model) for part in memory.USUAL_PARAMETERS)


def _backups(config: TrainConfig, batches: int) -> int:
    made = _times(config, config.backup_after, config.backup_after_unit, batches) + config.backup_before_save
    return min(made, config.rolling_backup_count + 1) if config.rolling_backup else made


def _times(config: TrainConfig, after: int, unit: TimeUnit, batches: int) -> int:
    """How often an action is due that is due every `after` units."""
    steps = batches * config.epochs
    if unit is TimeUnit.NEVER or after <= 0:
        return 0
    if unit is TimeUnit.ALWAYS:
        return steps
    if unit is TimeUnit.STEP:
        return steps // after
    return config.epochs // after if unit is TimeUnit.EPOCH else BACKUPS_BY_TIME


def _cache_size(config: TrainConfig, batches: int) -> int:
    """Mean and deviation of four channels at an eighth of the size, in float32, for each picture."""
    if not config.latent_caching:
        return 0
    area = memory.largest_area(config)
    return batches * config.batch_size * area // 64 * 8 * memory.FULL
