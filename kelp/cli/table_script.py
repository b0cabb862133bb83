# SPDX-License-Identifier: Apache-2.0
"""The script of `kelp.cli.runs_page`: sorts the table by a heading's button, and hides rows without the words typed.

Plain JavaScript in a text, because the page is one file and its policy names the digest of exactly this.
"""

SCRIPT = """
const table = document.querySelector("table"), body = table.tBodies[0], rows = [...body.rows];
const filter = document.querySelector("#filter"), count = document.querySelector("#count");
const value = (row, column) => row.cells[column].dataset.value;
table.tHead.addEventListener("click", (event) => {
  const head = event.target.closest("button")?.closest("th");
  if (!head) return;
  const way = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  for (const other of head.parentNode.cells) other.setAttribute("aria-sort", other === head ? way : "none");
  const column = head.cellIndex, isNumber = "number" in head.dataset, sign = way === "ascending" ? 1 : -1;
  const known = rows.filter((row) => value(row, column) !== ""), rest = rows.filter((row) => value(row, column) === "");
  const compare = (a, b) => (isNumber ? a - b : a < b ? -1 : a > b ? 1 : 0);
  known.sort((a, b) => sign * compare(value(a, column), value(b, column)));
  body.append(...known, ...rest);
});
function choose() {
  const words = filter.value.toLowerCase().split(/\\s+/);
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
  count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length}`;
}
filter.addEventListener("input", choose);
choose();
"""
