"""The readings of the host."""

import subprocess
import sys
import threading

from system import resources
from tests.waiting import wait_for


def keep_busy(until: threading.Event) -> None:
    while not until.is_set():
        pass


def test_a_busy_processor_is_measured_in_a_new_thread():
    done, found = threading.Event(), []
    busy = threading.Thread(target=keep_busy, args=(done,))
    busy.start()
    try:
        reader = threading.Thread(target=lambda: found.append(resources.cpu_percent()))
        reader.start()
        reader.join()
    finally:
        done.set()
        busy.join()
    assert found[0] > 0


def test_a_busy_process_has_a_share_of_the_processor():
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        wait_for(lambda: resources.process_info(busy.pid)["cpu_percent"] > 0, what="a share above zero")
    finally:
        busy.kill()
        busy.wait()


def test_info_and_resources_report_the_same_totals():
    info, now = resources.host_info(), resources.host_resources()
    assert info["cpu"]["count"] >= 1
    assert len(now["gpu_memory"]) == info["gpu"]["count"]
    assert 0 < info["memory"]["used_gb"] < info["memory"]["total_gb"]
    assert 0 <= now["disk_percent"] <= 100


def test_a_process_that_ended_has_no_numbers():
    assert resources.process_info(2**22 + 1) is None
