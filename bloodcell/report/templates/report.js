// Sorts the results by the heading that is pressed: ascending, descending, then as the report has them, in their groups.
"use strict";
{
  const NUMBER = /^[-+]?[\d.]+(e[-+]?\d+)?(?![\w.-])/i;
  const table = document.querySelector("table.sortable");
  const headings = table ? [...table.tHead.rows[0].cells] : [];
  const body = table && table.tBodies[0];
  const original = body ? [...body.rows] : [];
  const isTitle = (row) => [...row.cells].slice(1).every((cell) => !cell.textContent.trim());
  const lines = original.filter((row) => !isTitle(row));

  /** The best row differs from itself by nothing, and those that are tied with it follow. */
  const WORDS = { best: 1e-9, "tied with best": 0 };

  /** The number that a cell begins with, or that its words stand for, else its text in lower case. */
  function valueOf(row, column) {
    const text = row.cells[column].textContent.trim();
    if (text in WORDS) return WORDS[text];
    const found = text.replaceAll(",", "").replace("\u2212", "-").match(NUMBER);
    return found ? Number(found[0]) : text.toLowerCase();
  }

  /** Numbers by size, before texts in either direction; what is empty comes last. */
  function compare(a, b, sign) {
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    if (typeof a === "number") return sign * (a - b);
    if (!a || !b) return Boolean(b) - Boolean(a);
    return sign * a.localeCompare(b, "en", { numeric: true });
  }

  function press(heading, column) {
    const next = { ascending: "descending", descending: null }[heading.getAttribute("aria-sort")];
    const order = next === undefined ? "ascending" : next;
    headings.forEach((other) => other.removeAttribute("aria-sort"));
    if (order) heading.setAttribute("aria-sort", order);
    const sign = order === "descending" ? -1 : 1;
    const sorted = [...lines].sort((a, b) => compare(valueOf(a, column), valueOf(b, column), sign));
    body.replaceChildren(...(order ? sorted : original));
  }

  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => press(heading, column));
    heading.append(button);
  });
}
