// What charts do with numbers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { csvOf, lastNotAbove, logTicks, nearest, smooth, withoutOutliers } from "../../static/js/charts/curves.js";

test("the last value that is not above another is found in a sorted list", () => {
  const sorted = [1, 3, 3, 7];
  assert.deepEqual([0, 1, 2, 3, 6, 7, 99].map((value) => lastNotAbove(sorted, value)), [-1, 0, 0, 2, 2, 3, 3]);
  assert.equal(lastNotAbove([], 1), -1);
});

test("the nearest value is found, and of two that are as near the lower", () => {
  const sorted = [0, 10, 20];
  assert.deepEqual([-5, 4, 5, 6, 19, 99].map((value) => nearest(sorted, value)), [0, 0, 0, 1, 2, 2]);
  assert.equal(nearest([], 3), -1);
});

test("nothing is smoothed by an amount of zero, or where there are fewer than three values", () => {
  assert.deepEqual(smooth([3, 1, 2], 0), [3, 1, 2]);
  assert.deepEqual(smooth([3, 1], 0.9), [3, 1]);
});

test("a level line stays as it is when it is smoothed", () => {
  for (const value of smooth(Array(50).fill(0.25), 0.97)) assert.ok(Math.abs(value - 0.25) < 1e-12);
});

test("a peak stays where it is when it is smoothed", () => {
  const values = Array.from({ length: 41 }, (_, at) => (at === 20 ? 1 : 0));
  const smoothed = smooth(values, 0.6);
  assert.equal(smoothed.indexOf(Math.max(...smoothed)), 20);
  assert.ok(smoothed[20] < 1);
  assert.deepEqual(values[20], 1, "the given values are not changed");
});

test("outliers are outside the range that is shown", () => {
  const range = withoutOutliers([...Array.from({ length: 100 }, (_, at) => 1 + at / 100), 1e6, -1e6]);
  assert.ok(range);
  assert.ok(range[0] > 0.9 && range[0] < 1.1 && range[1] > 1.9 && range[1] < 2.1, String(range));
});

test("a range has room around a single value, and there is none without finite values", () => {
  const range = withoutOutliers([2]);
  assert.ok(range && range[0] < 2 && range[1] > 2);
  assert.equal(withoutOutliers([]), null);
  assert.equal(withoutOutliers([NaN, Infinity]), null);
});

test("a logarithmic axis is labelled at 1, 2 and 5 of each power of ten", () => {
  assert.deepEqual(logTicks(0.01, 1), [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]);
});

test("a logarithmic axis of less than one power is labelled evenly", () => {
  assert.deepEqual(logTicks(0.1, 0.3), [0.1, 0.15, 0.2, 0.25, 0.3]);
});

test("an axis has two labels or more, wherever it begins", () => {
  for (const low of [1e-6, 0.003, 0.07, 1, 450]) {
    for (const times of [1.5, 2, 5, 20, 1000]) assert.ok(logTicks(low, low * times).length >= 2, `${low} to ${low * times}`);
  }
});

test("a table has one line for each step, one column for each metric, and quotes what needs quotes", () => {
  const lines = [
    { tag: "loss", steps: [1, 2], values: [0.5, 0.25], times: [0, 1] },
    { tag: 'a, "b"', steps: [2, 3], values: [7, 8], times: [1, 2] },
  ];
  assert.equal(
    csvOf(lines),
    ['step,time,loss,"a, ""b"""', "1,1970-01-01T00:00:00.000Z,0.5,", "2,1970-01-01T00:00:01.000Z,0.25,7", "3,1970-01-01T00:00:02.000Z,,8"].join("\n"),
  );
});
