// @ts-check
// A log as a terminal would show it: as training/logs/tail.py folds it. tests/cases/folded_logs.json has what both must do.
// biome-ignore lint/suspicious/noControlCharactersInRegex: terminal controls are what is looked for
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
