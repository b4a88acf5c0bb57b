// What scripts write is what pages wrote before: both read the cases in tests/cases.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fold } from "../../static/js/live/folding.js";
import { durationText, lossText, percentOf, speedText, stepsInAll } from "../../static/js/live/texts.js";

const casesIn = (name) => JSON.parse(readFileSync(new URL(`../cases/${name}.json`, import.meta.url), "utf8"));
const WRITERS = { loss: lossText, speed: speedText, duration: durationText, percent: percentOf };

for (const [kind, cases] of Object.entries(casesIn("numbers"))) {
  test(`a script writes a ${kind} as the page does`, () => {
    for (const [value, written] of cases) assert.equal(WRITERS[kind](value), written, `${kind} of ${value}`);
  });
}

test("a number that is not there yet is a dash", () => {
  for (const write of [lossText, speedText, durationText]) assert.equal(write(undefined), "–");
});

test("a loss that is no number is written as pages write it", () => {
  assert.deepEqual([NaN, Infinity, -Infinity].map(lossText), ["NaN", "Infinity", "-Infinity"]);
});

test("a script counts the steps of a run as the page does", () => {
  for (const [progress, length, epochs, steps] of casesIn("steps_in_all")) {
    assert.equal(stepsInAll({ progress, max_step: length, max_epoch: epochs }), steps);
  }
});

test("a script folds a log as the page does", () => {
  for (const [log, folded] of casesIn("folded_logs")) assert.equal(fold(log), folded);
});

test("a log folds to the same in any two parts of whole lines", () => {
  const log = casesIn("folded_logs").map(([text]) => `${text}\n`);
  assert.equal(log.map(fold).join(""), fold(log.join("")));
});
