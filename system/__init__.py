"""The machine: workers, jobs, readings of resources and GPUs, disk, health; accounts are in `account`."""
