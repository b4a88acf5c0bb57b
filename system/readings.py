"""Two hours of readings of each host: saved by its workers every ten seconds, for the system page's charts."""

from __future__ import annotations

import time
from collections.abc import Iterable

from django.utils.translation import gettext as _

from engine.interface.json_types import JsonObject
from system.models import Reading, Worker

SLOT_SECONDS = 10
KEPT_SLOTS = 2 * 3600 // SLOT_SECONDS
TIDY_EVERY = 30  # slots
GATHERED = 3  # slots in one point of a chart
OF_GPU = {
    "use": "usage_percent",
    "memory": "memory_allocated_gb",
    "temperature": "temperature_c",
    "power": "power_w",
    "clock": "clock_mhz",
}


def record(host: str, resources: JsonObject) -> None:
    """Save a host's numbers, once in ten seconds by whichever worker is first; delete old readings."""
    slot = int(time.time()) // SLOT_SECONDS
    if _recorded.get(host) == slot:
        return
    _recorded[host] = slot
    Reading.objects.bulk_create([Reading(host=host, slot=slot, values=_values(resources))], ignore_conflicts=True)
    if slot % TIDY_EVERY == 0:
        Reading.objects.filter(slot__lt=slot - KEPT_SLOTS).delete()


_recorded: dict[str, int] = {}


def _values(resources: JsonObject) -> JsonObject:
    gpus = {
        str(gpu["id"]): {name: round(gpu[key], 2) for name, key in OF_GPU.items()} for gpu in resources.get("gpus", [])
    }
    return {"cpu": resources["cpu_percent"], "memory": resources["memory_percent"], "gpus": gpus}


def history() -> dict[str, JsonObject]:
    """The last two hours by host, in columns: `times`, `cpu`, `memory`, and for each GPU those of OF_GPU.

    A time without a reading has None, so that a chart shows the gap.
    """
    newest = int(time.time()) // SLOT_SECONDS
    rows = Reading.objects.filter(slot__gt=newest - KEPT_SLOTS, slot__lte=newest).values_list("host", "slot", "values")
    of_host: dict[str, dict[int, list[JsonObject]]] = {}
    for host, slot, values in rows:
        of_host.setdefault(host, {}).setdefault(slot // GATHERED, []).append(values)
    return {host: _columns(gathered) for host, gathered in of_host.items()}


def _columns(gathered: dict[int, list[JsonObject]]) -> JsonObject:
    places = range(min(gathered), max(gathered) + 1)
    groups = [gathered.get(place, []) for place in places]
    ids = sorted({gpu for group in groups for values in group for gpu in values["gpus"]}, key=int)
    return {
        "times": [place * GATHERED * SLOT_SECONDS for place in places],
        "cpu": [_mean(values["cpu"] for values in group) for group in groups],
        "memory": [_mean(values["memory"] for values in group) for group in groups],
        "gpus": {gpu: {name: _of_gpu(groups, gpu, name) for name in OF_GPU} for gpu in ids},
    }


def _of_gpu(groups: list[list[JsonObject]], gpu: str, name: str) -> list[float | None]:
    """The numbers of a key; readings by older versions may lack it."""
    return [
        _mean(values["gpus"][gpu][name] for values in group if name in values["gpus"].get(gpu, {})) for group in groups
    ]


def _mean(numbers: Iterable[float]) -> float | None:
    values = list(numbers)
    return round(sum(values) / len(values), 1) if values else None


def machines(workers: Iterable[Worker]) -> list[JsonObject]:
    """Each host with a living worker: its newest numbers, its GPUs with their processes, and its last two hours."""
    past = history()
    hosts: dict[str, JsonObject] = {}
    for worker in workers:
        if worker.is_alive and worker.resources:
            host = hosts.setdefault(worker.host, {"name": worker.host, "worker": worker, "trainings": {}})
            if worker.heartbeat_at > host["worker"].heartbeat_at:
                host["worker"] = worker
            if training := worker.resources.get("training"):
                host["trainings"][training["pid"]] = training
    return [_machine(host, past.get(name)) for name, host in sorted(hosts.items())]


def _machine(host: JsonObject, past: JsonObject | None) -> JsonObject:
    resources = host["worker"].resources
    gpus = [
        {**gpu, "users": [_named(user, host["trainings"]) for user in gpu.get("users", [])], "usage": _of(past, gpu)}
        for gpu in resources.get("gpus", [])
    ]
    usage = None
    if past:
        lines = [_line(_("CPU"), "%", past["cpu"], 100), _line(_("memory"), "%", past["memory"], 100)]
        usage = {"times": past["times"], "lines": lines}
    return {"name": host["name"], "resources": resources, "gpus": gpus, "usage": usage}


def _of(past: JsonObject | None, gpu: JsonObject) -> list[JsonObject]:
    """A chart for each of OF_GPU."""
    columns = past["gpus"].get(str(gpu["id"])) if past else None
    if past is None or columns is None:
        return []
    lines = [
        _line(_("in use"), "%", columns["use"], 100),
        _line(_("memory"), "GB", columns["memory"], gpu["memory_total_gb"]),
        _line(_("temperature"), "°C", columns["temperature"], 100),
        _line(_("power"), "W", columns["power"], 0),
        _line(_("clock"), "MHz", columns["clock"], 0),
    ]
    return [{"times": past["times"], "lines": [line]} for line in lines]


def _line(label: str, unit: str, values: list[float | None], most: float) -> JsonObject:
    """`most` is the least upper end of the chart."""
    return {"label": label, "unit": unit, "values": values, "most": most}


def _named(user: JsonObject, trainings: dict[int, JsonObject]) -> JsonObject:
    """A process with its run; a process without a run belongs to another program."""
    return {**user, "training": trainings.get(user["session"]) or trainings.get(user["pid"])}
