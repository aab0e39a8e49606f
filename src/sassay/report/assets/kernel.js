// One kernel, or one kernel before and after: figures, source lines, code.

const censusOf = (kernel, letter, name) => new Map(pairs(kernel?.[letter === null ? "o" : letter]?.[name] ?? []));

// Keys of two censuses with both counts, the largest movement first.
const sideBySide = (before, after) => {
  const keys = new Set([...before.keys(), ...after.keys()]);
  const rows = [...keys].map((key) => [key, before.get(key) ?? 0, after.get(key) ?? 0]);
  return rows.sort((a, b) => Math.abs(b[2] - b[1]) - Math.abs(a[2] - a[1]) || Math.max(b[1], b[2]) - Math.max(a[1], a[2]));
};

const censusTable = (caption, rows, names, nameCell, two) => {
  const largest = Math.max(1, ...rows.map(([, before, after]) => Math.max(before, after)));
  return table(caption, [names, ...(two ? [{ name: "before", n: true }, { name: "after", n: true }, { name: "delta", n: true }] : [{ name: "count", n: true }]), ""],
    rows.map(([key, before, after]) => el("tr", { class: two && before === after ? "same" : null },
      el("th", { scope: "row" }, nameCell(key)),
      two ? [el("td", { class: "n" }, count(before)), el("td", { class: "n" }, count(after)), el("td", { class: "n" }, before === after ? null : deltaCell(after - before))] : el("td", { class: "n" }, count(after)),
      el("td", { class: "b" }, two ? pairBar(before, after, largest) : bar(after, largest)))));
};

// Before above after, in one small chart.
const pairBar = (before, after, largest, width = 96) => svg("svg", { class: "bar", width, height: 12, "aria-hidden": "true" },
  svg("rect", { class: "was", width: ((before / largest) * width).toFixed(1), height: 5, rx: 1.5 }),
  svg("rect", { class: "fill", y: 6, width: ((after / largest) * width).toFixed(1), height: 5, rx: 1.5 }));

const censusCard = (report, before, after, letter) => {
  const shown = after ?? before;
  if (!shown.o[letter] && !(before && before.o[letter])) return null;
  const two = Boolean(before && after);
  const map = (kernel, kind) => new Map(pairs(kernel?.[kind]?.[letter] ?? []));
  const side = two ? map(before, "c") : new Map();
  const other = two ? map(after, "c") : map(shown, "c");
  const categories = sideBySide(side, other);
  const opcodes = two ? sideBySide(map(before, "o"), map(after, "o")) : sideBySide(new Map(), map(shown, "o"));
  const moved = two ? opcodes.filter(([, a, b]) => a !== b) : opcodes;
  const total = (kernel) => [...map(kernel, "c").values()].reduce((sum, value) => sum + value, 0);
  const name = (key) => [swatch(report.category(key)), words(report.category(key))];
  const parts = (kernel) => pairs(kernel?.c[letter] ?? []).map(([key, value]) => [report.category(key), value]).sort((a, b) => b[1] - a[1]);
  const most = Math.max(total(before), total(after), 1);
  return el("section", { class: "card" }, el("h3", {}, layerNames[letter], dim(two ? ` ${count(total(before))} \u2192 ${count(total(after))} instructions` : ` ${count(total(shown))} instructions`)),
    (two ? [["before", before], ["after", after]] : [["", shown]]).map(([who, kernel]) => el("div", { class: "made" }, el("span", { class: "who" }, who), el("span", { class: "track" }, stack(parts(kernel), most)), el("span", { class: "n" }, count(total(kernel))))),
    censusTable("", categories, "category", name, two),
    el("details", { class: "fold", open: moved.length <= 14 }, el("summary", {}, two ? `${plural(moved.length, "opcode")} moved` : plural(moved.length, "opcode")),
      censusTable("", moved, "opcode", (key) => code(report.opcode(key)), two)));
};

const factsCard = (report, before, after) => {
  const shown = after ?? before;
  const two = Boolean(before && after);
  const names = [...new Set([...Object.keys(before?.r ?? {}), ...Object.keys(after?.r ?? {})])];
  const rows = names.map((name) => {
    const one = before?.r[name] ?? null, other = after?.r[name] ?? null;
    const moved = two && one !== other;
    return el("tr", { class: two && !moved ? "same" : null }, el("th", { scope: "row" }, name),
      two ? [el("td", { class: "n" }, count(one)), el("td", { class: "n" }, count(other)), el("td", { class: "n" }, moved && one !== null && other !== null ? deltaCell(other - one) : null)] : el("td", { class: "n" }, count(other ?? one)));
  });
  const facts = Object.entries(shown.x).map(([name, values]) => {
    const old = new Map(before?.x[name] ?? []);
    return [el("dt", {}, name), el("dd", {}, values.map(([key, value]) => el("span", { class: "fact" }, code(key), ` ${value}`, two && old.get(key) !== value ? el("b", { class: "was" }, ` was ${old.get(key) ?? "\u2013"}`) : null)))];
  });
  return el("section", { class: "card" }, el("h3", {}, "Resources"),
    table("", ["", ...(two ? [{ name: "before", n: true }, { name: "after", n: true }, { name: "delta", n: true }] : [{ name: "", n: true }])], rows),
    el("dl", { class: "facts" }, facts,
      shown.l ? [el("dt", {}, "defined in"), el("dd", {}, `${report.file(shown.l[0])}:${shown.l[1]}`)] : null,
      shown.y ? [el("dt", {}, "symbol"), el("dd", {}, code(shown.y))] : null,
      shown.g ? [el("dt", {}, "template"), el("dd", {}, code(shown.g))] : null,
      shown.t.length ? [el("dt", {}, "compiled by"), el("dd", {}, shown.t.join("; "))] : null,
      el("dt", {}, "code"), el("dd", {}, two ? `${size(before.z)} \u2192 ${size(after.z)}` : size(shown.z)),
      el("dt", {}, "digest"), el("dd", {}, code(shown.d)),
      el("dt", {}, "found in"), el("dd", {}, shown.w.map(([kind, path]) => el("div", {}, dim(`${kind} `), code(path))))));
};

const how = {
  text: "Lines of the two states are aligned by their text.",
  number: "Lines of the two states are aligned by number, counted from where the kernel is defined.",
  mixed: "Lines are aligned by text where it is at hand, else by number.",
};

const lineDeltas = (report, flat) => pairs(flat ?? []).map(([category, value]) => [report.category(category), value]);

const linesCard = (report, change, open) => {
  const rows = change?.l?.rows ?? [];
  if (!rows.length) return null;
  const told = rows.map(([before, after, source, ownPtx, ownSass, allPtx, allSass]) => {
    const sass = lineDeltas(report, allSass), ptx = lineDeltas(report, allPtx);
    const layer = sass.length || !ptx.length ? "s" : "p";
    const all = layer === "s" ? sass : ptx;
    const own = lineDeltas(report, layer === "s" ? ownSass : ownPtx);
    return { before, after, source, layer, all, inlined: JSON.stringify(all) !== JSON.stringify(own) };
  }).filter((line) => line.all.length);
  if (!told.length) return null;
  const side = (deltas) => Math.max(...[1, -1].map((sign) => deltas.reduce((sum, [, value]) => sum + Math.max(0, sign * value), 0)));
  const largest = Math.max(1, ...told.map((line) => side(line.all)));
  const used = [...new Set(told.flatMap((line) => line.all.map(([name]) => name)))];
  return el("section", { class: "card wide", id: "lines" }, el("h3", {}, "Source lines that grew or shrank"),
    el("p", { class: "dim" }, how[change.l.how], " A line counts what was inlined into it, too."),
    el("div", { class: "scroll" }, el("table", { class: "moved" }, el("thead", {}, el("tr", {}, ["line", "source", "", "by category"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, told.map((line) => {
        const place = line.after ?? line.before;
        const label = line.before && line.after ? `${report.place(line.before)}${line.before[1] === line.after[1] ? "" : ` \u2192 ${line.after[1]}`}` : report.place(place);
        return el("tr", {},
          el("th", { scope: "row" }, el("button", { type: "button", class: "link", onclick: () => open(line.after ? "after" : "before", place) }, label),
            line.before ? null : tag("new", "added"), line.after ? null : tag("gone", "removed")),
          el("td", {}, code((line.source ?? "").trim(), { class: "clip", title: line.source ?? "" })),
          el("td", { class: "b" }, movement(line.all, largest, 160)),
          el("td", {}, biggest(line.all, 4).map(([name, value]) => el("span", { class: "fact" }, swatch(name), `${signed(value)} ${words(name)}`)),
            line.layer === "p" ? dim(" in PTX alone") : null, line.inlined ? dim(" with what it calls") : null));
      })))), legend(used));
};

const kernelView = async (report, id, wanted, goal) => {
  const change = report.changeOf(id, wanted);
  const before = change?.b ? report.kernel(change.b) : null;
  const after = change ? (change.c ? report.kernel(change.c) : null) : report.kernel(id);
  const shown = after ?? before;
  if (!shown) return el("article", { class: "page" }, crumbs([["Report", "#overview"], ["?", null]]), el("p", {}, `This report tells nothing of a kernel ${id}.`));
  const states = report.data.states;
  const beforeId = change ? change.b : null;
  const afterId = change ? change.c : id;
  const [oldCode, newCode, pair] = await Promise.all([
    beforeId ? report.code(beforeId) : null,
    afterId ? report.code(afterId) : null,
    beforeId && afterId ? report.pair(beforeId, afterId) : null,
  ]);
  const family = report.family(shown.f, shown.a);
  const siblings = (report.byKernel.get(id) ?? []).filter((one) => one.b && one.c);
  const holder = el("div", { class: "tab" });
  const page = el("article", { class: "page kernel" });
  const base = `#kernel/${id}${wanted === undefined ? "" : `~${wanted}`}`;
  const labels = { before: change ? states[change.p[0]] : "", after: change ? states[change.p[1]] : states[0] };
  let codeView = null;
  const showCode = (place) => {
    if (!codeView) {
      codeView = new CodeView(report, { before: oldCode, after: newCode, pair, labels, base, ids: { before: beforeId, after: afterId }, change });
    }
    holder.replaceChildren(codeView.root);
    page.classList.add("coding");
    document.body.classList.add("coding");
    codeView.start(place);
  };
  const openLine = (side, place) => { choose("code", { kind: "source", side, place }); };
  const showSummary = () => {
    page.classList.remove("coding");
    document.body.classList.remove("coding");
    holder.replaceChildren(
      el("div", { class: "cards" }, factsCard(report, before, after), censusCard(report, before, after, "p"), censusCard(report, before, after, "s")));
    const lines = linesCard(report, change, openLine);
    if (lines) holder.prepend(lines);
  };
  const coded = Boolean(oldCode || newCode);
  const tabs = [["summary", "Summary", true], ["code", "Source, PTX, SASS", coded]].filter(([, , there]) => there);
  const buttons = tabs.map(([name, title], index) => el("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "tab", onclick: () => choose(name), onkeydown: (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) { const next = buttons[(index + step + buttons.length) % buttons.length]; next.focus(); next.click(); }
  } }, title));
  const choose = (name, place = null) => {
    tabs.forEach(([one], index) => { buttons[index].setAttribute("aria-selected", one === name ? "true" : "false"); buttons[index].tabIndex = one === name ? 0 : -1; });
    if (name === "code") showCode(place);
    else { showSummary(); if (location.hash) history.replaceState(null, "", base); }
    holder.setAttribute("aria-labelledby", `tab-${name}`);
  };
  holder.id = "tab";
  holder.setAttribute("role", "tabpanel");
  fill(page, {}, [
    crumbs([["Report", "#overview"], ...(family ? [[shown.f, familyLink(family)]] : []), [change?.x || shown.n, null]]),
    el("header", { class: "lead" },
      el("h2", {}, code(shown.n, { class: "name", title: shown.n })),
      el("p", {},
        change ? tag(change.s) : null, change?.t ? tag(change.t, `tier ${change.t}`) : null, change?.u && change.u !== change.t ? tag(`ptx ${change.u}`, "tier") : null,
        dim(` ${shown.a} `), change?.x ? el("span", {}, change.x, " ") : null,
        dim([beforeId, afterId].filter(Boolean).join(" \u2192 "))),
      siblings.length > 1 ? el("p", { class: "chips" }, siblings.map((one) => el("a", { class: "chip", "aria-current": one === change ? "true" : null, href: changeLink(one) }, `${states[one.p[0]]} \u2192 ${states[one.p[1]]}`))) : null,
      (change?.n ?? []).map((note) => el("p", { class: "dim" }, note))),
    tabs.length > 1 ? el("div", { class: "tabs", role: "tablist", "aria-label": "What to see of this kernel" }, buttons) : null,
    coded ? null : el("p", { class: "dim small" }, "The code of this kernel is not in this page; ", code("sassay show STATE KERNEL --layer sass"), " prints it."),
    holder,
  ]);
  page.start = () => choose(goal && coded ? "code" : "summary", goal);
  page.key = (event) => codeView && holder.contains(codeView.root) && codeView.key(event);
  return page;
};
