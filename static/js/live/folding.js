// @ts-check
// A log as a terminal would show it: as training/logs/tail.py folds it. tests/cases/folded_logs.json has the cases for both.
// biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern finds terminal controls
const CONTROLS = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])/g;

/** @param {string} text */
export function fold(text) {
  return text
    .replace(CONTROLS, "")
    .replaceAll("\r\n", "\n")
    .split("\n")
    .map((line) => line.replace(/\r+$/, "").split("\r").at(-1))
    .join("\n");
}
