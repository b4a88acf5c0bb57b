"""The queue's order, changed by touch on a phone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.looks import PHONE
from tests.waiting import wait_for

ROWS = """
from django.contrib.auth.models import User
from django.utils.timezone import now
from training.models import Run
admin = User.objects.get(username="admin")
for name in ("First", "Second", "Third"):
    Run.objects.create(name=name, config={}, owner=admin, held_at=now(), held_by=admin)
"""


@pytest.fixture(scope="module")
def site(make_site):
    site = make_site("touch").start("--no-demo", "--no-worker")
    site.manage("shell", "-c", f"exec({ROWS!r})")
    return site


@pytest.fixture
def page(open_page):
    return open_page("/queue/", PHONE, has_touch=True, is_mobile=True)


def names(page):
    return page.locator(".queue-name")


def drag(page, handle, row, end="touchEnd"):
    """Drag by touch from the handle of one row to the top of another."""
    finger = page.context.new_cdp_session(page)

    def touch(kind, *points):
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})

    begin, goal = page.locator(".queue-handle").nth(handle).bounding_box(), page.locator(".queue-row").nth(row)
    x, y = begin["x"] + begin["width"] / 2, begin["y"] + begin["height"] / 2
    way = goal.bounding_box()["y"] + 4 - y
    touch("touchStart", {"x": x, "y": y})
    for part in range(1, 6):
        touch("touchMove", {"x": x, "y": y + way * part / 5})
    expect(page.locator(".is-over")).to_have_count(1)
    touch(end)


def test_a_run_is_dragged_to_the_front_by_touch(page):
    expect(names(page)).to_have_text(["First", "Second", "Third"])
    drag(page, 2, 0)
    expect(names(page)).to_have_text(["Third", "First", "Second"])
    page.reload()
    expect(names(page)).to_have_text(["Third", "First", "Second"])


def test_a_touch_that_the_phone_cancels_moves_nothing(page):
    before = names(page).all_text_contents()
    drag(page, 2, 0, end="touchCancel")
    expect(page.locator(".is-dragged")).to_have_count(0)
    page.reload()
    expect(names(page)).to_have_text(before)


WAITING_SOCKET = """
  const Real = window.WebSocket;
  window.WebSocket = new Proxy(Real, {
    construct(_, [address]) {
      const late = new EventTarget();
      late.close = () => {};
      window.connectNow ??= [];
      window.connectNow.push(() => {
        const socket = new Real(address);
        for (const kind of ["open", "message", "close"])
          socket.addEventListener(kind, (event) => late.dispatchEvent(new event.constructor(kind, event)));
      });
      return late;
    },
  });
"""


def test_a_page_shows_what_changed_before_it_was_connected(open_page, site):
    run = site.api("GET", "runs/?status=queued")["results"][0]
    page = open_page("/")
    page.add_init_script(WAITING_SOCKET)
    page.goto(f"{site.address}/runs/{run['id']}/")
    wait_for(lambda: page.evaluate("window.connectNow?.length") == 2, what="both sockets")
    site.api("POST", f"runs/{run['id']}/stop/")
    page.evaluate("window.connectNow.forEach((connect) => connect())")
    expect(page.locator("#live")).to_contain_text("Removed from the queue.")
