# SPDX-License-Identifier: Apache-2.0
"""The script of `kelp.cli.up_page`: asks for `state.json` every two seconds and shows what it says.

What it says is only ever set as text, never as markup. Plain JavaScript in a text, as in `kelp.cli.table_script`.
"""

SCRIPT = """
const byId = (id) => document.getElementById(id);
const made = (name, text, parts = []) => {
  const element = document.createElement(name);
  if (text !== null) element.textContent = text;
  element.append(...parts);
  return element;
};
const SVG = "http://www.w3.org/2000/svg";
const drawn = (name, attributes, parts = []) => {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...parts);
  return element;
};
const number = (value) => {
  if (value === null) return "–";
  if (value === 0) return "0";
  if (value >= 100) return Math.round(value).toLocaleString("en");
  return value.toFixed(value >= 9.95 ? 1 : 2);
};
const percent = (share) => (share === 0 ? "0" : share < 0.001 ? "<0.1" : (100 * share).toFixed(1));
const fact = (name, value, isBad = false) => {
  const pair = made("div", null, [made("dt", name), made("dd", value)]);
  if (isBad) pair.className = "fail";
  return pair;
};
function chart(rates, label) {
  const top = Math.max(1e-9, ...rates), width = 30;
  const points = rates.map((rate, at) => `${at + width - rates.length},${(1 - rate / top) * 10}`).join(" ");
  const box = { viewBox: `0 0 ${width - 1} 10`, preserveAspectRatio: "none", role: "img", "aria-label": label };
  return drawn("svg", box, [
    drawn("line", { x1: 0, x2: width - 1, y1: 10, y2: 10 }), drawn("polyline", { points })]);
}
function card(model) {
  const now = model.now ?? { requestsPerS: null, refusedPerS: 0, failedPerS: 0, p50Ms: null, p99Ms: null };
  const share = (rate) => (now.requestsPerS ? `${percent(rate / now.requestsPerS)} %` : "–");
  const version = `version ${model.version}${model.isChampion ? "" : ", not champion"}`;
  const title = made("h3", model.name, [made("span", version)]);
  const peak = Math.max(0, ...model.rates);
  const said = `at most ${number(peak)} requests/s in the last minute`;
  return made("article", null, [title, chart(model.rates, said), made("p", said), made("dl", null, [
    fact("requests/s", number(now.requestsPerS)),
    fact("p50", now.p50Ms === null ? "–" : `${number(now.p50Ms)} ms`),
    fact("p99", now.p99Ms === null ? "–" : `${number(now.p99Ms)} ms`),
    fact("requests", model.requests.toLocaleString("en")),
    fact("refused (4xx)", share(now.refusedPerS)),
    fact("failed (5xx)", share(now.failedPerS), now.failedPerS > 0),
  ])]);
}
function line(record) {
  const cells = [made("th", String(record.seq)), made("td", `${record.time.slice(0, 10)} ${record.time.slice(11, 19)}`),
    made("td", record.action), made("td", record.subject), made("td", record.actor)];
  cells[0].scope = "row"; cells[0].className = "seq"; cells[4].className = "actor";
  return made("tr", null, cells);
}
function show(state) {
  byId("state").textContent = state.isAnswering ? "answering" : "the server does not answer";
  byId("state").className = state.isAnswering ? "pass" : "fail";
  byId("models").replaceChildren(...state.models.map(card));
  for (const text of document.querySelectorAll("#models article > p")) text.className = "quiet";
  byId("lines").replaceChildren(...state.records.map(line));
  byId("time").textContent = state.time.replace("T", " ").replace("Z", " UTC");
}
async function look() {
  try {
    const answer = await fetch("state.json", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    show(await answer.json());
  } catch {
    byId("state").textContent = "kelp up has ended";
    byId("state").className = "fail";
  }
  setTimeout(look, 2000);
}
look();
"""
