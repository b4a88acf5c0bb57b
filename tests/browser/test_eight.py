"""Eight runs with known numbers side by side: the extent of their curves, and their differences."""

from __future__ import annotations

import itertools
import json

import pytest
from playwright.sync_api import expect

from tests.states import EIGHT
from tests.waiting import wait_for

ROWS = "import json; from tests.states import empty, fill; print(json.dumps(empty() and fill()))"
# For each of the eight colours: its rightmost position in the chart and its mean height, as fractions of the chart's
# width and height; null if the chart has no such colour.
REACHES = """(element) => {
    const canvas = element.querySelector("canvas"), over = element.querySelector(".u-over");
    if (!canvas || !over) return [];
    const ratio = canvas.width / canvas.clientWidth, style = getComputedStyle(document.documentElement);
    const [left, top, wide, high] = [over.offsetLeft, over.offsetTop, over.offsetWidth, over.offsetHeight].map(
        (size) => Math.round(size * ratio));
    const { data } = canvas.getContext("2d").getImageData(left, top, wide, high);
    return Array.from({ length: 8 }, (_, number) => {
        const hex = style.getPropertyValue(`--run-${number + 1}`).trim().slice(1);
        const colour = (hex.length === 3 ? [...hex].map((one) => one + one) : hex.match(/../g)).map(
            (part) => parseInt(part, 16));
        let far = -1, sum = 0, count = 0;
        for (let at = 0; at < wide * high; at++) {
            const away = colour.reduce((rest, part, index) => rest + Math.abs(part - data[4 * at + index]), 0);
            if (data[4 * at + 3] < 200 || away > 12) continue;
            far = Math.max(far, at % wide);
            sum += Math.floor(at / wide);
            count++;
        }
        return count < 5 ? null : [far / wide, 1 - sum / count / high];
    });
}"""


@pytest.fixture(scope="module")
def site(idle_site):
    return idle_site


@pytest.fixture(scope="module")
def address(site):
    return json.loads(site.manage("shell", "-v", "0", "-c", ROWS).splitlines()[-1])["compare-eight"]


def curves(page, are):
    """Wait until all eight curves are drawn and the condition is true."""
    found = None

    def drawn():
        nonlocal found
        found = page.locator("#compare-chart").evaluate(REACHES)
        return len(found) == 8 and all(found) and are([far for far, _ in found], [high for _, high in found])

    wait_for(lambda: drawn() or page.wait_for_timeout(50), 20, f"all curves in place: {found}")


def falling(numbers):
    return all(one > next_one for one, next_one in itertools.pairwise(numbers))


def test_eight_curves_are_drawn_and_aligned_by_step_epoch_and_time(open_page, address):
    page = open_page(address)
    expect(page.locator(".compared-name")).to_have_text(list(EIGHT))
    expect(page.locator("#compare-canvas .u-legend .u-series")).to_have_count(9)
    curves(page, lambda far, high: min(far) > 0.9 and falling(high))
    page.get_by_label("Align by").select_option("epochs")
    curves(page, lambda far, high: far[0] > 0.9 and far[7] < 0.2 and falling(far) and falling(high))
    page.get_by_label("Align by").select_option("seconds")
    curves(page, lambda far, high: far[7] > 0.9 and far[0] < 0.2 and falling(far[::-1]) and falling(high))


def test_only_the_differences_of_eight_configs_are_shown_with_their_samples_side_by_side(open_page, address):
    page = open_page(address)
    settings = page.locator(".compare-table tbody tr")
    expect(settings.locator("th code")).to_have_text(["learning_rate"])
    assert [float(text) for text in settings.locator("td").all_inner_texts()] == [
        number / 10_000 for number in range(1, 9)
    ]
    rows = page.locator(".compare-samples tbody tr")
    expect(rows.locator("th")).to_have_text(["40", "20"])
    for row in rows.all():
        expect(row.locator("img")).to_have_count(8)
    assert len({picture.get_attribute("src") for picture in rows.locator("img").all()}) == 16
    page.get_by_role("link", name="Remove Citrine").click()
    expect(page.locator(".compared-name")).to_have_count(7)
