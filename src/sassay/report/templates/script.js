"use strict";
(() => {
  const root = document.documentElement;
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target && target.tagName === "DETAILS") { target.open = true; target.scrollIntoView(); }
  };
  addEventListener("hashchange", reveal);
  reveal();

  const theme = document.getElementById("theme");
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  const all = [...document.querySelectorAll("details")];
  for (const button of document.querySelectorAll("[data-open]")) {
    button.parentElement.hidden = false;
    button.addEventListener("click", () => {
      for (const item of document.querySelectorAll("details.family")) item.open = button.dataset.open === "all";
    });
  }
  addEventListener("beforeprint", () => { for (const item of all) item.open = true; });

  const value = (row, index) => {
    const cell = row.cells[index];
    return cell.dataset.v !== undefined ? Number(cell.dataset.v) : cell.textContent.trim();
  };
  const number = (text) => typeof text === "number" ? text : Number(String(text).replaceAll(",", ""));
  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    [...table.tHead.rows[0].cells].forEach((head, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const figures = head.classList.contains("n");
        const up = head.getAttribute("aria-sort") === (figures ? "descending" : "ascending");
        const ascending = figures ? up : !up;
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
        const keyed = [...body.rows].map((row) => [value(row, index), row]);
        keyed.sort(([a], [b]) => {
          const order = figures ? (number(a) || 0) - (number(b) || 0) : String(a).localeCompare(String(b));
          return ascending ? order : -order;
        });
        body.append(...keyed.map(([, row]) => row));
      });
    });
  }

  const search = document.getElementById("search");
  if (search) {
    const rows = [...document.getElementById("family-table").tBodies[0].rows];
    const texts = rows.map((row) => row.textContent.toLowerCase());
    const found = document.getElementById("found");
    search.closest("p").hidden = false;
    search.addEventListener("input", () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, index) => {
        row.hidden = !words.every((word) => texts[index].includes(word));
        if (!row.hidden) shown += 1;
      });
      found.textContent = words.length ? `${shown} of ${rows.length}` : "";
    });
  }
})();
