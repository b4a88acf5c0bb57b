// The form of a new run: lead to the errors, and warn before typed text is left behind.
const form = () => document.getElementById("new-run-form");
let typed = false;

document.getElementById("form-errors")?.focus();
document.addEventListener("input", (event) => (typed ||= form().contains(event.target)));
document.addEventListener("submit", () => (typed = false));
addEventListener("beforeunload", (event) => typed && event.preventDefault());
