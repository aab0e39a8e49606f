// One family: what it is made of in every state side by side, what moved, and its kernels.

const table = (caption, heads, rows, attributes = {}) => el("div", { class: "scroll" },
  el("table", attributes, el("caption", {}, caption),
    el("thead", {}, el("tr", {}, heads.map((head) => el("th", { scope: "col", class: head.n ? "n" : null, colspan: head.wide ?? null }, head.name ?? head)))),
    el("tbody", {}, rows)));

const stateHeads = (states) => states.flatMap((name) => [{ name, n: true }, ""]);

// Values of every state with a bar each, and the movement from first to last.
const stateCells = (values, largest, name, kernels) => [
  ...values.flatMap((value, index) => [
    el("td", { class: "n" }, value === null && kernels && !kernels[index] ? dim("\u2013") : count(value)),
    el("td", { class: "b" }, bar(value, largest, name)),
  ]),
  el("td", { class: "n" }, new Set(values).size > 1 ? deltaCell(delta(values)) : null),
];

const layerNames = { p: "PTX", s: "SASS" };

const composition = (report, family, letter) => {
  const states = report.data.states;
  const rows = (family.c[letter] ?? []).map(([category, ...values]) => [report.category(category), values]);
  const spread = (values) => { const known = values.map((value) => value ?? 0); return Math.max(...known) - Math.min(...known); };
  rows.sort((a, b) => spread(b[1]) - spread(a[1]) || Math.max(...b[1]) - Math.max(...a[1]) || a[0].localeCompare(b[0]));
  const largest = Math.max(1, ...rows.flatMap(([, values]) => values.map((value) => value ?? 0)));
  const total = family.i[letter];
  const shown = table(`${layerNames[letter]} instructions by category, all kernels of the family together`,
    ["category", ...stateHeads(states), { name: "delta", n: true }],
    [
      ...rows.map(([name, values]) => el("tr", { class: spread(values) ? null : "same" },
        el("th", { scope: "row" }, swatch(name), words(name)), stateCells(values, largest, name, family.k))),
      el("tr", { class: "total" }, el("th", { scope: "row" }, "all instructions"),
        total.flatMap((value, index) => [el("td", { class: "n" }, family.k[index] ? count(value) : dim("\u2013")), el("td", {})]),
        el("td", { class: "n" }, deltaCell(delta(total)))),
    ]);
  const stacks = states.map((state, index) => {
    const parts = rows.map(([name, values]) => [name, values[index] ?? 0]).filter(([, value]) => value);
    const most = Math.max(1, ...total.map((value) => value ?? 0));
    const line = el("div", { class: "made" }, el("span", { class: "who" }, state), el("span", { class: "track" }, stack(parts, most)), el("span", { class: "n" }, family.k[index] ? count(total[index]) : "\u2013"));
    return line;
  });
  return el("section", { class: "card wide" }, el("h3", {}, layerNames[letter]), stacks, shown);
};

const opcodeTable = (report, family, letter) => {
  const rows = family.o[letter] ?? [];
  if (!rows.length) return null;
  const largest = Math.max(1, ...rows.flatMap(([, ...values]) => values.map((value) => value ?? 0)));
  return el("details", { class: "card wide", open: rows.length <= 12 }, el("summary", {}, `${plural(rows.length, `${layerNames[letter]} opcode`)} moved`),
    table("", ["opcode", ...stateHeads(report.data.states), { name: "delta", n: true }],
      rows.map(([opcode, ...values]) => el("tr", {}, el("th", { scope: "row" }, code(report.opcode(opcode))), stateCells(values, largest, null, family.k)))));
};

const changeLink = (change) => `#kernel/${change.c ?? change.b}${change.b && change.c ? `~${change.index}` : ""}`;

const resourceNames = { "constant bytes": true, "static shared bytes": true };

const resourceMoves = (report, change) => {
  const before = report.kernel(change.b), after = report.kernel(change.c);
  if (!before || !after) return [];
  return Object.keys({ ...before.r, ...after.r })
    .filter((name) => !resourceNames[name] && before.r[name] !== after.r[name])
    .map((name) => [name, before.r[name] ?? null, after.r[name] ?? null]);
};

const changeRow = (report, change) => {
  const shown = report.kernel(change.c ?? change.b);
  const states = report.data.states;
  const moves = resourceMoves(report, change);
  return el("tr", {},
    el("td", {}, tag(change.s)),
    el("td", {},
      el("a", { href: changeLink(change) }, shown && shown.n !== change.f ? code(shown.n, { class: "clip", title: shown.n }) : code(change.c ?? change.b)),
      change.x ? el("div", { class: "dim" }, change.x) : null,
      el("div", { class: "dim small" }, [change.b, change.c].filter(Boolean).join(" \u2192 "), shown?.l ? `  ${report.place(shown.l)}` : "")),
    states.length > 2 ? el("td", { class: "dim" }, `${states[change.p[0]]} \u2192 ${states[change.p[1]]}`) : null,
    el("td", {}, change.t ? tag(change.t, `tier ${change.t}`) : null, change.u && change.u !== change.t ? dim(` ptx ${change.u}`) : null),
    el("td", {}, moves.map(([name, before, after]) => el("span", { class: "fact" }, `${name} `, `${count(before)} \u2192 ${count(after)}`)),
      change.l ? el("span", { class: "fact dim" }, plural(change.l.rows.length, "source line")) : null,
      (change.n ?? []).map((note) => el("div", { class: "dim" }, note))),
  );
};

const familyView = (report, family) => {
  const states = report.data.states;
  const changes = report.changesOf(family);
  const most = 300;
  const letters = ["p", "s"].filter((letter) => family.i[letter]);
  const moves = family.m ?? [];
  const largest = Math.max(1, ...moves.flatMap(([, , , ...values]) => values.map((value) => value ?? 0)));
  const view = el("article", { class: "page" },
    crumbs([["Report", "#overview"], [family.n, null]]),
    el("header", { class: "lead" }, el("h2", {}, code(family.n)),
      el("p", {}, tag(family.s), dim(` ${family.a.join(", ")}`), family.w !== family.s ? dim(`, ${family.w}`) : null, dim(`, kernels ${seriesText(family.k)}`))),
    family.why ? el("p", { class: "why" }, family.why) : null,
    moves.length ? el("section", { class: "card wide" }, el("h3", {}, "Precision-sensitive instructions"),
      table("", ["opcode", "kind", ...stateHeads(states), { name: "delta", n: true }], moves.map(([opcode, kind, , ...values]) =>
        el("tr", {}, el("th", { scope: "row" }, code(report.opcode(opcode))), el("td", { class: "dim" }, kind), stateCells(values, largest, null, family.k))))) : null,
    el("div", { class: "two" }, letters.map((letter) => el("div", {}, composition(report, family, letter), opcodeTable(report, family, letter)))),
    family.r.length ? el("section", { class: "card wide" }, el("h3", {}, "Largest in the family"),
      table("", ["resource", ...stateHeads(states), { name: "delta", n: true }], family.r.map(([name, ...values]) => {
        const top = Math.max(1, ...values.map((value) => value ?? 0));
        return el("tr", {}, el("th", { scope: "row" }, name), stateCells(values, top, null, family.k));
      }))) : null,
    changes.length ? el("section", { class: "card wide" }, el("h3", {}, "Kernels"),
      table("", ["status", "kernel", ...(states.length > 2 ? ["pair"] : []), "tier", "what moved"], changes.slice(0, most).map((change) => changeRow(report, change))),
      changes.length > most ? el("p", { class: "dim" }, `${plural(changes.length - most, "more kernel")} in the JSON report`) : null) : null,
  );
  return view;
};

const crumbs = (steps) => el("nav", { class: "crumbs", "aria-label": "Where you are" },
  el("ol", {}, steps.map(([name, link]) => el("li", {}, link === null ? el("span", { "aria-current": "page" }, name) : el("a", { href: link }, name)))));
