"""Data sets in a browser: an upload that is cut off, the grid by mouse and keyboard, captions one after the other."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.looks import PHONE, fits, violations
from tests.waiting import wait_for

PIECE = 4 * 1024 * 1024  # as the page sends files


@pytest.fixture(scope="module")
def site(quiet_site):
    return quiet_site


def noise(side: int) -> bytes:
    """A picture that no format packs."""
    target = io.BytesIO()
    Image.frombytes("RGB", (side, side), os.urandom(3 * side * side)).save(target, "BMP")
    return target.getvalue()


def forget_cuts(open_page) -> None:
    """The browser reports each connection that the test cut off."""
    open_page.complaints[:] = [one for one in open_page.complaints if "net::ERR" not in one]


@pytest.fixture
def data_set(site):
    """An empty data set."""
    return site.api("POST", "datasets/", {"name": os.urandom(4).hex()})


@pytest.fixture
def filled(site, data_set):
    folder = Path(data_set["folder"])
    for number in range(30):
        Image.new("RGB", (64, 48 + number), (8 * number, 90, 160)).save(folder / f"{number:02}.png")
    site.api("POST", f"datasets/{data_set['id']}/rescan")
    return data_set


def test_an_upload_that_is_cut_off_three_times_is_completed(open_page, data_set, tmp_path):
    (tmp_path / "big.bmp").write_bytes(noise(2400))  # 17 MB: five pieces
    assert (tmp_path / "big.bmp").stat().st_size > 4 * PIECE
    page = open_page(f"/datasets/{data_set['id']}/", service_workers="block")
    pieces, cut = [], []

    def pass_on(route, request):
        if request.method == "PATCH":
            pieces.append(request.headers["upload-offset"])
            if len(pieces) in (2, 4, 6):
                cut.append(pieces[-1])
                route.abort("connectionreset")
                return
        route.continue_()

    page.route("**/api/datasets/uploads/*", pass_on)
    page.set_input_files("#upload-files", tmp_path / "big.bmp")
    expect(page.locator(".set-tile")).to_have_count(1)
    assert len(cut) == 3
    assert pieces.count("0") == 1  # nothing that had arrived was sent again
    assert (Path(data_set["folder"]) / "big.bmp").read_bytes() == (tmp_path / "big.bmp").read_bytes()
    forget_cuts(open_page)


def test_an_upload_continues_in_a_new_tab_when_the_same_file_is_chosen_again(open_page, data_set, tmp_path):
    (tmp_path / "big.bmp").write_bytes(noise(1800))
    page = open_page(f"/datasets/{data_set['id']}/", service_workers="block")
    sent = []
    page.route(
        "**/api/datasets/uploads/*", lambda route: route.abort() if sent else (sent.append(1), route.continue_())
    )
    page.set_input_files("#upload-files", tmp_path / "big.bmp")
    expect(page.locator("#upload-sum")).to_contain_text("4.2")
    page.evaluate("addEventListener('beforeunload', (event) => event.stopImmediatePropagation(), true)")
    page.goto(page.url)
    page.unroute_all()
    expect(page.locator("#upload-unfinished")).to_be_visible()
    offsets = []
    page.on("request", lambda request: request.method == "PATCH" and offsets.append(request.headers["upload-offset"]))
    page.set_input_files("#upload-files", tmp_path / "big.bmp")
    expect(page.locator(".set-tile")).to_have_count(1)
    assert int(offsets[0]) >= PIECE
    forget_cuts(open_page)


def test_each_refused_file_says_why_and_duplicates_are_not_sent(open_page, filled, tmp_path):
    (tmp_path / "program.exe").write_bytes(b"MZ")
    (tmp_path / "again.png").write_bytes((Path(filled["folder"]) / "03.png").read_bytes())
    (tmp_path / "new.png").write_bytes(noise(20))
    page = open_page(f"/datasets/{filled['id']}/", alone=True)
    page.set_input_files("#upload-files", sorted(tmp_path.iterdir()))
    said = page.locator("#upload-list")
    expect(said).to_contain_text("Not a picture, a caption or a zip file")
    expect(said).to_contain_text("In the set already: 03.png")
    expect(page.locator("#grid-count")).to_have_text("31 pictures")


def test_pictures_are_chosen_by_mouse_and_keyboard_excluded_and_undone(open_page, filled, site):
    page = open_page(f"/datasets/{filled['id']}/", alone=True)
    tiles = page.locator(".set-tile")
    count = page.locator("#grid-selection [data-count]")
    page.get_by_role("option", name="00.png").click()
    page.get_by_role("option", name="03.png").click(modifiers=["Shift"])
    expect(count).to_have_text("4")
    page.keyboard.press("Control+a")
    expect(count).to_have_text("30")
    page.keyboard.press("Escape")
    page.keyboard.press("Home")
    page.keyboard.press("Shift+ArrowRight")
    expect(count).to_have_text("2")
    page.keyboard.press("Escape")
    box = tiles.first.bounding_box()
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 2.5 * box["width"], box["y"] + 20, steps=5)
    page.mouse.up()
    expect(count).to_have_text("3")
    page.get_by_role("button", name="Exclude").click()
    expect(page.locator("#grid-count")).to_have_text("3 pictures excluded.")
    assert site.api("GET", f"datasets/{filled['id']}/")["excluded"] == 3
    page.locator("#set-undo").click()
    page.wait_for_load_state()
    assert site.api("GET", f"datasets/{filled['id']}/")["excluded"] == 0


def test_enter_saves_a_caption_and_opens_the_next_picture(open_page, filled, site):
    page = open_page(f"/datasets/{filled['id']}/", alone=True)
    page.get_by_role("option", name="00.png").dblclick()
    text = page.locator("#viewer-text")
    for caption in ("the first", "the second"):
        text.fill(caption)
        text.press("Enter")
    expect(page.locator("#viewer-name")).to_have_text("02.png")
    text.fill("left by closing")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("option", name="left by closing")).to_be_visible()
    wanted = ["the first", "the second", "left by closing"]
    wait_for(lambda: captions(site, filled) == wanted, 30, "all captions")


def captions(site, data_set) -> list[str]:
    listed = site.api("GET", f"datasets/{data_set['id']}/pictures?show=captioned")["results"]
    return [row["caption"] for row in listed]


@pytest.mark.parametrize("options", [{}, {"size": PHONE, "color_scheme": "dark"}], ids=["wide", "phone"])
def test_the_page_and_an_opened_picture_are_accessible(open_page, filled, options):
    page = open_page(f"/datasets/{filled['id']}/", **options)
    expect(page.locator(".set-tile").first).to_contain_text("00.png")
    assert violations(page) == []
    fits(page)
    page.locator(".set-tile").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#viewer-name")).to_have_text("00.png")
    assert violations(page) == []
    fits(page)
