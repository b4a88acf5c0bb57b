// @ts-check
// Calls of the API of data sets: JSON in and out, with one sentence for every failure.
const LOST = gettext("The server cannot be reached: check the connection.");

export const token = () => document.querySelector("[name=csrfmiddlewaretoken]").value;

/** @param {string} address @param {string} [method] @param {unknown} [body] @returns {Promise<any>} */
export async function call(address, method = "GET", body = undefined) {
  let response;
  const headers = { Accept: "application/json", "X-CSRFToken": token(), ...(body === undefined ? {} : { "Content-Type": "application/json" }) };
  try {
    response = await fetch(address, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Error(LOST);
  }
  if (response.status === 204) return null;
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Error(answer?.detail ?? LOST);
  return answer;
}
