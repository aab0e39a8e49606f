// The table of families (or of a state's kernels): searched, sorted, and drawn only where it is seen.

class Table {
  // columns: {key, name, cell(row), sort(row), figure, width}
  constructor(place, columns, { name, search }) {
    this.columns = columns;
    this.all = [];
    this.rows = [];
    this.order = null;
    this.filters = [];
    this.heads = columns.map((column, index) => {
      if (!column.sort) return el("div", { role: "columnheader", class: column.figure ? "n" : null }, column.name);
      const button = el("button", { type: "button", onclick: () => this.sort(index) }, column.name);
      return el("div", { role: "columnheader", class: column.figure ? "n" : null }, button);
    });
    this.body = el("div", { role: "rowgroup" });
    this.found = el("output", { class: "dim", "aria-live": "polite" });
    this.input = el("input", { type: "search", id: "search", placeholder: "Search  /", autocomplete: "off", spellcheck: "false", "aria-label": search, oninput: () => this.show() });
    this.tools = el("div", { class: "tools" }, this.input);
    this.grid = el("div", { role: "table", class: "grid", "aria-label": name },
      el("div", { role: "rowgroup" }, el("div", { role: "row", class: "head" }, this.heads)), this.body);
    this.grid.style.setProperty("--columns", columns.map((column) => column.width).join(" "));
    this.empty = el("p", { class: "empty", hidden: true }, "Nothing matches.");
    place.append(this.tools, el("div", { class: "scroll" }, this.grid), this.empty);
    this.tools.append(this.found);
    this.list = new Rows(null, this.body, { height: 38, render: (index) => this.row(index) });
    addEventListener("beforeprint", () => { this.list.printing = true; this.list.draw(); });
    addEventListener("afterprint", () => { this.list.printing = false; this.list.draw(); });
  }

  fill(rows) {
    this.all = rows;
    this.grid.setAttribute("aria-rowcount", rows.length + 1);
    this.show();
  }

  // A row of buttons of which one holds: shows what `keeps` lets through.
  chips(label, choices, keeps) {
    let chosen = choices[0][0];
    const buttons = choices.map(([value, name]) => el("button", {
      type: "button", class: "chip", "aria-pressed": value === chosen ? "true" : "false",
      onclick: () => {
        chosen = value;
        buttons.forEach((button, index) => button.setAttribute("aria-pressed", choices[index][0] === value ? "true" : "false"));
        this.show();
      },
    }, name));
    this.filters.push((row) => keeps(row, chosen));
    this.found.before(el("div", { class: "chips", role: "group", "aria-label": label }, buttons));
  }

  select(label, choices, keeps) {
    const box = el("select", { "aria-label": label, onchange: () => this.show() }, choices.map(([value, name]) => el("option", { value }, name)));
    this.filters.push((row) => keeps(row, box.value));
    this.found.before(box);
  }

  show() {
    const wanted = this.input.value.toLowerCase().split(/\s+/).filter(Boolean);
    this.rows = this.all.filter((row) => wanted.every((word) => row.text.includes(word)) && this.filters.every((keeps) => keeps(row)));
    this.found.textContent = this.rows.length === this.all.length ? plural(this.all.length, "row") : `${count(this.rows.length)} of ${count(this.all.length)}`;
    this.empty.hidden = this.rows.length > 0;
    this.arrange();
  }

  sort(index) {
    const first = this.columns[index].figure ? -1 : 1;
    const turned = this.order?.index === index ? -this.order.way : first;
    this.order = this.order?.index === index && turned === first ? null : { index, way: turned };
    this.heads.forEach((head, place) => {
      if (this.order?.index === place) head.setAttribute("aria-sort", this.order.way > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
    this.arrange();
  }

  arrange() {
    if (this.order) {
      const { index, way } = this.order;
      const key = this.columns[index].sort;
      const keyed = this.rows.map((row) => [key(row), row]);
      keyed.sort(([a], [b]) => way * (typeof a === "string" ? a.localeCompare(b) : a - b));
      this.rows = keyed.map(([, row]) => row);
    }
    this.list.reset(this.rows.length);
  }

  row(index) {
    const row = this.rows[index];
    return el("div", { role: "row", class: "row", "aria-rowindex": index + 2 },
      this.columns.map((column, place) => el("div", { role: place ? "cell" : "rowheader", class: column.figure ? "n" : null }, column.cell(row))));
  }
}

const familyLink = (family) => `#family/${encodeURIComponent(family.n)}@${encodeURIComponent(family.a[0])}`;

const layerOf = (family, wanted) => (family.i[wanted] ? wanted : family.i.s ? "s" : "p");

// Category deltas from the first state to the last; from the largest movement where both agree.
const familyDeltas = (report, family, layer) => {
  const deltas = [];
  for (const [category, ...values] of family.c[layer] ?? []) {
    const known = values.map((value) => value ?? 0);
    let delta = known[known.length - 1] - known[0];
    if (!delta) delta = Math.max(...known) - known[0] || Math.min(...known) - known[0];
    if (delta) deltas.push([report.category(category), delta]);
  }
  return deltas;
};

const delta = (values) => {
  const first = values[0], last = values[values.length - 1];
  if (first === null && last === null) return null;
  return (last ?? 0) - (first ?? 0);
};

const deltaCell = (value) => el("b", { class: value > 0 ? "more" : value < 0 ? "less" : "dim" }, value === null ? "?" : value ? signed(value) : "0");

const seriesText = (values, kernels, show = count) => {
  const shown = values.map((value, index) => (value === null && kernels && !kernels[index] ? "\u2013" : show(value)));
  return shown.every((one) => one === shown[0]) ? shown[0] : shown.join(" \u2192 ");
};

const familyTable = (report, place) => {
  const families = report.data.families;
  if (!families.length) return;
  const preferred = report.data.layer === "ptx" ? "p" : "s";
  const several = new Set(families.flatMap((family) => family.a)).size > 1;
  const states = report.data.states;
  const rows = families.map((family) => {
    const layer = layerOf(family, preferred);
    const deltas = familyDeltas(report, family, layer);
    return {
      family, layer, deltas, moved: deltas.reduce((sum, [, value]) => sum + Math.abs(value), 0),
      delta: delta(family.i[layer] ?? [null]), text: `${family.n} ${family.a.join(" ")} ${family.w} ${family.s}`.toLowerCase(),
    };
  });
  // One giant would leave nothing of the others: bars share a scale that a square root bends.
  const bend = (deltas) => {
    const whole = deltas.reduce((sum, [, value]) => sum + Math.abs(value), 0);
    const factor = whole ? Math.sqrt(whole) / whole : 0;
    return deltas.map(([name, value]) => [name, value * factor]);
  };
  const side = (deltas) => Math.max(...[1, -1].map((sign) => deltas.reduce((sum, [, value]) => sum + Math.max(0, sign * value), 0)));
  const largest = Math.max(1, ...rows.map((row) => side(bend(row.deltas))));
  const columns = [
    { name: "Family", width: "minmax(220px, 1fr)", sort: (row) => row.family.n, cell: (row) => el("a", { href: familyLink(row.family), title: row.family.n }, code(row.family.n)) },
    several && { name: "Architecture", width: "150px", sort: (row) => row.family.a.join(), cell: (row) => dim(el("span", { title: row.family.a.join(", ") }, row.family.a.length > 2 ? `${row.family.a[0]} and ${row.family.a.length - 1} more` : row.family.a.join(", "))) },
    { name: "Status", width: "146px", sort: (row) => row.family.s, cell: (row) => tag(row.family.s) },
    { name: "Kernels", width: states.length > 2 ? "110px" : "96px", figure: true, sort: (row) => Math.max(...row.family.k), cell: (row) => seriesText(row.family.k) },
    ...(states.length <= 4 ? states.map((state, index) => ({
      name: state, width: "minmax(76px, 112px)", figure: true, sort: (row) => row.family.i[row.layer]?.[index] ?? 0,
      cell: (row) => { const value = row.family.i[row.layer]?.[index]; return !row.family.k[index] ? dim("\u2013") : count(value); },
    })) : [{ name: "Instructions", width: "180px", figure: true, sort: (row) => Math.max(...row.family.i[row.layer].map((value) => value ?? 0)), cell: (row) => seriesText([row.family.i[row.layer][0], row.family.i[row.layer].at(-1)], [row.family.k[0], row.family.k.at(-1)]) }]),
    { name: "Delta", width: "84px", figure: true, sort: (row) => row.delta ?? 0, cell: (row) => deltaCell(row.delta) },
    { name: "What moved", width: "200px", sort: (row) => row.moved, cell: (row) => el("span", { class: "chart", title: movementText(row.deltas), "aria-label": movementText(row.deltas), role: "img" }, movement(bend(row.deltas), largest)) },
  ].filter(Boolean);
  const table = new Table(place, columns, { name: "Families", search: "Search families" });
  const statuses = [...new Set(families.map((family) => family.s))];
  if (statuses.length > 1) table.chips("Status", [["", "all"], ...statuses.map((status) => [status, status])], (row, chosen) => !chosen || row.family.s === chosen);
  const archs = [...new Set(families.flatMap((family) => family.a))];
  if (archs.length > 1) table.select("Architecture", [["", "all architectures"], ...archs.map((arch) => [arch, arch])], (row, chosen) => !chosen || row.family.a.includes(chosen));
  table.fill(rows);
  const used = new Map();
  for (const row of rows) for (const [name, value] of row.deltas) used.set(name, (used.get(name) ?? 0) + Math.abs(value));
  if (report.data.more) place.append(el("p", { class: "dim" }, `${plural(report.data.more, "more change")} of kernels in the JSON report`));
  place.append(legend([...used].sort((a, b) => b[1] - a[1]).map(([name]) => name)));
};

const kernelTable = (report, place) => {
  const ids = report.data.list ?? [];
  const rows = ids.map((id, index) => {
    const kernel = report.kernel(id);
    const total = (letter) => (kernel.o[letter] ? pairs(kernel.o[letter]).reduce((sum, [, value]) => sum + value, 0) : null);
    const spec = report.data.told[index];
    return { id, kernel, spec, p: total("p"), s: total("s"), text: `${kernel.n} ${kernel.f} ${id} ${kernel.a} ${spec}`.toLowerCase() };
  });
  const several = new Set(rows.map((row) => row.kernel.a)).size > 1;
  const figure = (name, key, width = "84px") => ({ name, width, figure: true, sort: (row) => key(row) ?? -1, cell: (row) => { const value = key(row); return value === null || value === undefined ? dim("\u2013") : count(value); } });
  const columns = [
    { name: "Kernel", width: "minmax(260px, 1fr)", sort: (row) => row.kernel.n, cell: (row) => el("a", { href: `#kernel/${row.id}`, title: row.kernel.n }, code(row.kernel.n), row.spec ? dim(` ${row.spec}`) : null) },
    several && { name: "Architecture", width: "110px", sort: (row) => row.kernel.a, cell: (row) => dim(row.kernel.a) },
    figure("PTX", (row) => row.p), figure("SASS", (row) => row.s),
    figure("Registers", (row) => row.kernel.r.registers, "96px"), figure("Shared", (row) => row.kernel.r["shared bytes"]), figure("Spilled", (row) => row.kernel.r["spill store bytes"], "90px"),
    { name: "Made of", width: "220px", cell: (row) => {
      const letter = row.kernel.c.s ? "s" : "p";
      const parts = pairs(row.kernel.c[letter] ?? []).map(([name, value]) => [report.category(name), value]).sort((a, b) => b[1] - a[1]);
      const label = movementText(parts).replaceAll("+", "");
      return el("span", { class: "chart", title: label, "aria-label": label, role: "img" }, stack(parts, row[letter], 200, 12));
    } },
  ].filter(Boolean);
  const table = new Table(place, columns, { name: "Kernels", search: "Search kernels" });
  const archs = [...new Set(rows.map((row) => row.kernel.a))];
  if (archs.length > 1) table.select("Architecture", [["", "all architectures"], ...archs.map((arch) => [arch, arch])], (row, chosen) => !chosen || row.kernel.a === chosen);
  table.fill(rows);
};
