// Source, PTX and SASS in panes: a line that is chosen in one lights its lines in the others.

const KINDS_OF_CODE = ["source", "p", "s"];
const TITLES = { source: "Source", p: "PTX", s: "SASS" };
const WORDS = { source: "source", p: "ptx", s: "sass" };
const FROM_WORD = { source: "source", ptx: "p", sass: "s" };
const ROW = 20;
const OPS = ["", "replace", "delete", "insert"];

class CodePane {
  constructor(view, kind) {
    this.view = view;
    this.kind = kind;
    this.inside = el("div", {});
    this.box = el("div", { class: "lines", tabindex: "0", role: "listbox", "aria-label": `${TITLES[kind]} lines`, onfocus: () => view.activate(this) }, this.inside);
    this.ruler = el("canvas", { class: "ruler", "aria-hidden": "true" });
    this.heads = el("div", { class: "sides" });
    this.about = el("span", { class: "dim" });
    this.root = el("section", { class: `pane ${kind}`, "aria-label": TITLES[kind] },
      el("header", {}, el("b", {}, TITLES[kind]), this.about), this.heads, el("div", { class: "body" }, this.box, this.ruler));
    this.rows = new Rows(this.box, this.inside, { height: ROW, render: (index) => this.row(index) });
    this.box.addEventListener("mousedown", (event) => this.click(event));
    this.ruler.addEventListener("mousedown", (event) => this.jump(event));
    new ResizeObserver(() => this.drawRuler()).observe(this.ruler);
  }

  // The rows to show; `sides` are those that have a column.
  show(table, sides) {
    this.table = table;
    this.sides = sides;
    this.at = {};
    for (const side of sides) {
      const list = side === "before" ? table.left : table.right;
      const places = new Int32Array(this.view.code[side].length(this.kind)).fill(-1);
      list.forEach((index, row) => { if (index >= 0) places[index] = row; });
      this.at[side] = places;
    }
    const two = sides.length > 1;
    this.root.classList.toggle("both", two);
    this.heads.replaceChildren(...(two ? sides.map((side) => el("span", {}, this.view.label(side))) : []));
    const totals = sides.map((side) => (this.kind === "source" ? null : this.view.code[side].length(this.kind)));
    const changed = table.op.reduce((sum, op) => sum + (op ? 1 : 0), 0);
    this.about.textContent = this.kind === "source" ? this.origin(sides) : `${totals.map(count).join(" \u2192 ")} instructions${two ? changed ? `, ${plural(changed, "row")} differ` : ", no row differs" : ""}`;
    const widest = sides.map((side) => this.widest(side));
    this.inside.style.setProperty("--chars", Math.max(24, ...widest));
    this.box.setAttribute("aria-rowcount", table.op.length);
    this.rows.reset(table.op.length);
    this.drawRuler();
  }

  origin(sides) {
    const found = new Set(sides.flatMap((side) => this.view.code[side].code.origins.map(([, from]) => from)));
    if (found.size) return [...found].join("; ");
    const known = sides.some((side) => this.view.code[side].bySource.size);
    return known ? "no text at hand: line numbers alone" : "no line information";
  }

  widest(side) {
    const code = this.view.code[side];
    let most = 0;
    if (this.kind === "source") { for (const entry of code.source) most = Math.max(most, (entry.text ?? "").length); return most + 18; }
    for (const line of code.layers[this.kind]?.t ?? []) most = Math.max(most, line.length);
    return most + 9;
  }

  index(row, side) { return (side === "before" ? this.table.left : this.table.right)[row]; }

  row(row) {
    const selected = this.view.isChosen(this, row);
    const line = el("div", { class: `line ${OPS[this.table.op[row]]}${selected ? " chosen" : ""}`, role: "option", id: `${this.kind}-${row}`, "aria-selected": selected ? "true" : "false" });
    line.dataset.row = row;
    for (const side of this.sides) line.append(this.cell(row, side));
    return line;
  }

  cell(row, side) {
    const index = this.index(row, side);
    if (index < 0) return el("div", { class: `half ${side} void` });
    const lit = this.view.lit[side]?.[this.kind].get(index);
    const classes = `half ${side}${lit ? ` lit lit-${lit}` : ""}`;
    const parts = this.kind === "source" ? this.sourceParts(side, index) : this.codeParts(side, index);
    const half = el("div", { class: classes }, parts);
    half.dataset.side = side;
    return half;
  }

  codeParts(side, index) {
    const layer = this.view.code[side].layers[this.kind];
    const offset = layer.o[index];
    const name = this.view.report.category(layer.c[index]);
    return [
      el("span", { class: "o" }, this.kind === "s" ? offset.toString(16).padStart(4, "0") : offset),
      el("i", { class: `mark ${colour(name)}`, title: words(name) }),
      el("span", { class: "t", title: layer.t[index] }, instructionText(layer.t[index])),
    ];
  }

  sourceParts(side, index) {
    const code = this.view.code[side];
    const entry = code.source[index];
    if (entry.type === "file") return [el("span", { class: "path", title: this.view.report.file(entry.file) }, this.view.report.file(entry.file).split("/").slice(-3).join("/"))];
    if (entry.type === "gap") return [el("span", { class: "o" }, "\u22ef")];
    const found = code.bySource.get(entry.key);
    const most = this.view.most[side];
    const heat = (letter) => {
      const size = found?.[letter].all.length ?? 0;
      if (!code.layers[letter] || !this.view.open.has(letter)) return null;
      const cell = el("span", { class: `heat${size ? "" : " none"}`, title: size ? `${plural(size, "instruction")} of ${TITLES[letter]}, ${count(found[letter].own.length)} of the line itself` : null }, size ? count(size) : "");
      if (size) cell.style.setProperty("--heat", Math.sqrt(size / most[letter]).toFixed(3));
      return cell;
    };
    return [el("span", { class: "o" }, entry.line), heat("p"), heat("s"),
      entry.text === null ? el("span", { class: "t dim" }, "") : el("span", { class: "t", title: entry.text.trim() }, sourceText(entry.text))];
  }

  click(event) {
    const line = event.target.closest(".line");
    if (!line || event.button) return;
    const row = Number(line.dataset.row);
    const half = event.target.closest(".half");
    let side = half?.dataset.side ?? this.sides[this.sides.length - 1];
    if (this.index(row, side) < 0) side = this.sides.find((one) => this.index(row, one) >= 0);
    if (side) this.view.choose(this, row, side);
  }

  move(step) {
    const chosen = this.view.chosen;
    let row = chosen?.pane === this ? chosen.row : Math.max(0, this.rows.range()[0] - Math.sign(step));
    const side = chosen?.side ?? this.sides[this.sides.length - 1];
    for (row += step; row >= 0 && row < this.table.op.length; row += Math.sign(step)) {
      const there = this.index(row, side) >= 0 ? side : this.sides.find((one) => this.index(row, one) >= 0);
      if (there && this.selectable(row, there)) { this.rows.reveal(row); this.view.choose(this, row, there); return; }
    }
  }

  selectable(row, side) {
    return this.kind !== "source" || this.view.code[side].source[this.index(row, side)].type === "line";
  }

  jump(event) {
    const part = event.offsetY / this.ruler.clientHeight;
    this.box.scrollTop = part * this.table.op.length * ROW - this.box.clientHeight / 2;
  }

  // Where differences and lit lines are in the whole of it.
  drawRuler() {
    if (!this.table || !this.ruler.clientHeight) return;
    const ratio = devicePixelRatio || 1;
    const width = this.ruler.width = 10 * ratio;
    const height = this.ruler.height = this.ruler.clientHeight * ratio;
    const pen = this.ruler.getContext("2d");
    const style = getComputedStyle(this.ruler);
    const paint = { replace: style.getPropertyValue("--amber"), delete: style.getPropertyValue("--red"), insert: style.getPropertyValue("--green"), lit: style.getPropertyValue("--accent") };
    const total = Math.max(this.table.op.length, this.ruler.clientHeight / ROW);
    const tall = Math.max(ratio, height / total);
    const mark = (row, fill, x, wide) => { pen.fillStyle = fill; pen.fillRect(x, Math.floor((row / total) * height), wide, Math.ceil(tall)); };
    this.table.op.forEach((op, row) => { if (op) mark(row, paint[OPS[op]], 0, width * 0.45); });
    for (const side of this.sides) {
      for (const index of this.view.lit[side]?.[this.kind].keys() ?? []) mark(this.at[side][index], paint.lit, width * 0.5, width * 0.5);
    }
  }

  refresh() { this.rows.refreshAll(); this.drawRuler(); }

  // The first of the brightest lit rows, -1 without any.
  litRow() {
    let best = -1, strength = 0;
    for (const side of this.sides) {
      for (const [index, lit] of this.view.lit[side]?.[this.kind] ?? []) {
        const row = this.at[side][index];
        if (row >= 0 && (lit > strength || (lit === strength && row < best))) { best = row; strength = lit; }
      }
    }
    return best;
  }
}

class CodeView {
  constructor(report, { before, after, pair, labels, base, ids, change }) {
    Object.assign(this, { report, pair, labels, base, ids, change });
    this.code = {};
    if (before) this.code.before = new SideCode(before, report.kernel(ids.before)?.l);
    if (after) this.code.after = new SideCode(after, report.kernel(ids.after)?.l);
    this.most = {};
    for (const [side, code] of Object.entries(this.code)) {
      const top = (letter) => Math.max(1, ...[...code.bySource.values()].map((found) => found[letter].all.length));
      this.most[side] = { p: top("p"), s: top("s") };
    }
    this.there = KINDS_OF_CODE.filter((kind) => Object.values(this.code).some((code) => code.length(kind)));
    const two = this.code.before && this.code.after;
    this.mode = two && innerWidth > 820 ? "both" : this.code.after ? "after" : "before";
    this.open = new Set(this.mode === "both" ? this.firstPanes() : this.there);
    this.lit = {};
    this.chosen = null;
    this.panes = {};
    this.tables = new Map();
    this.find = el("input", { type: "search", placeholder: "Find in this pane", "aria-label": "Find in the active pane", spellcheck: "false", oninput: () => this.search(0), onkeydown: (event) => {
      if (event.key === "Enter") { event.preventDefault(); this.search(event.shiftKey ? -1 : 1); }
      if (event.key === "Escape") this.active.box.focus();
    } });
    this.hits = el("output", { class: "dim", "aria-live": "polite" });
    this.modes = two ? ["before", "both", "after"].map((mode) => el("button", { type: "button", class: "chip", title: mode === "both" ? "Before and after side by side (b)" : this.label(mode), onclick: () => this.setMode(mode) }, mode === "both" ? "side by side" : mode)) : [];
    this.toggles = this.there.map((kind, index) => el("button", { type: "button", class: "chip", title: `${TITLES[kind]} pane (${index + 1})`, onclick: () => this.toggle(kind) }, TITLES[kind]));
    this.steps = two ? [el("button", { type: "button", class: "chip", "aria-label": "Previous difference (p)", title: "Previous difference (p)", onclick: () => this.step(-1) }, "\u2191"), el("button", { type: "button", class: "chip", "aria-label": "Next difference (n)", title: "Next difference (n)", onclick: () => this.step(1) }, "\u2193 difference")] : [];
    this.grid = el("div", { class: "panes" });
    this.trail = el("div", { class: "trail", role: "status", "aria-live": "polite" });
    const notes = [...new Set(Object.values(this.code).map((code) => code.code.note).filter(Boolean))];
    this.root = el("div", { class: "codeview" },
      el("div", { class: "toolbar" },
        this.modes.length ? el("div", { class: "chips", role: "group", "aria-label": "Which state" }, this.modes) : null,
        el("div", { class: "chips", role: "group", "aria-label": "Panes" }, this.toggles),
        this.steps.length ? el("div", { class: "chips", role: "group", "aria-label": "Differences" }, this.steps) : null,
        el("div", { class: "finder" }, this.find, this.hits),
        el("details", { class: "keys" }, el("summary", {}, "Keys"), el("dl", {}, [
          ["\u2191 \u2193", "line by line"], ["\u2190 \u2192", "to the pane beside"], ["n  p", "next, previous difference"], ["b", "before, side by side, after"],
          ["1 2 3", "show or hide a pane"], ["/", "find"], ["Esc", "light nothing"]].map(([key, what]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)])))),
      notes.map((note) => el("p", { class: "note" }, note)),
      this.grid, this.trail);
    for (const kind of this.there) this.panes[kind] = new CodePane(this, kind);
    this.active = this.panes[this.there[this.there.length - 1]];
  }

  // Side by side, three panes of two columns are too many for most screens: source and one layer.
  firstPanes() {
    const deep = this.change?.u && this.change.u !== "identical" && this.there.includes("p") ? "p" : "s";
    if (innerWidth >= 2000) return this.there;
    return this.there.filter((kind) => kind === "source" || kind === (this.there.includes(deep) ? deep : this.there.at(-1)));
  }

  label(side) { return `${side}: ${this.labels[side]}`; }

  start(goal) {
    this.layout();
    if (goal) requestAnimationFrame(() => this.goTo(goal));
    else this.describe();
  }

  sides() { return this.mode === "both" ? ["before", "after"] : [this.mode]; }

  table(kind) {
    const key = `${kind} ${this.mode}`;
    if (!this.tables.has(key)) {
      const { before, after } = this.code;
      this.tables.set(key, this.mode !== "both" ? oneSided(this.code[this.mode].length(kind), this.mode)
        : kind === "source" ? pairedSource(before, after, this.pair?.l ?? [])
          : pairedCode(this.pair?.[kind], before.length(kind), after.length(kind)));
    }
    return this.tables.get(key);
  }

  layout() {
    const shown = this.there.filter((kind) => this.open.has(kind));
    this.grid.replaceChildren(...shown.map((kind) => this.panes[kind].root));
    this.grid.dataset.panes = shown.length;
    for (const kind of shown) this.panes[kind].show(this.table(kind), this.sides());
    if (!shown.includes(this.active.kind)) this.active = this.panes[shown[shown.length - 1]];
    this.modes.forEach((button, index) => button.setAttribute("aria-pressed", ["before", "both", "after"][index] === this.mode ? "true" : "false"));
    this.toggles.forEach((button, index) => button.setAttribute("aria-pressed", this.open.has(this.there[index]) ? "true" : "false"));
    this.activate(this.active);
  }

  setMode(mode) {
    const kept = this.chosen && { kind: this.chosen.pane.kind, side: this.chosen.side, index: this.chosen.index };
    this.mode = mode;
    this.open = new Set(mode === "both" ? this.firstPanes() : this.there);
    this.chosen = null;
    this.lit = {};
    this.layout();
    if (kept && this.sides().includes(kept.side)) this.pick(kept.kind, kept.side, kept.index);
    else this.describe();
  }

  toggle(kind) {
    if (this.open.has(kind) && this.open.size === 1) return;
    if (!this.open.delete(kind)) this.open.add(kind);
    this.layout();
    this.showLit(null);
  }

  // Show a pane that was hidden; side by side it takes the place of one that is no source.
  bring(kind) {
    const room = this.mode !== "both" || innerWidth >= 2000 || this.open.size < 2;
    if (!room) this.open = new Set(["source", this.open.has("source") ? null : [...this.open][0]].filter((one) => one && this.there.includes(one)));
    this.open.add(kind);
    this.layout();
  }

  activate(pane) {
    this.active = pane;
    for (const one of Object.values(this.panes)) one.root.classList.toggle("active", one === pane);
  }

  isChosen(pane, row) { return this.chosen?.pane === pane && this.chosen.row === row; }

  pick(kind, side, index) {
    if (!this.open.has(kind)) this.bring(kind);
    const pane = this.panes[kind];
    const row = pane.at[side]?.[index] ?? -1;
    if (row < 0) return;
    pane.rows.reveal(row);
    this.choose(pane, row, side);
  }

  choose(pane, row, side) {
    const index = pane.index(row, side);
    if (index < 0 || !pane.selectable(row, side)) return;
    this.chosen = { pane, row, side, index };
    this.lit = {};
    for (const one of this.sides()) {
      const there = pane.index(row, one);
      if (there >= 0) this.lit[one] = this.links(this.code[one], pane.kind, there);
    }
    this.activate(pane);
    pane.box.setAttribute("aria-activedescendant", `${pane.kind}-${row}`);
    this.showLit(pane);
    this.describe();
    history.replaceState(null, "", this.link());
  }

  showLit(from) {
    for (const kind of this.open) {
      const pane = this.panes[kind];
      pane.refresh();
      if (pane === from) continue;
      const row = pane.litRow();
      if (row >= 0) pane.rows.reveal(row);
    }
  }

  // What belongs to one line of one side: bright (2) where it is that very line, pale (1) around it.
  links(code, kind, index) {
    const lit = { source: new Map(), p: new Map(), s: new Map() };
    const put = (where, place, strength) => { if ((lit[where].get(place) ?? 0) < strength) lit[where].set(place, strength); };
    const lightChain = (chain) => chain.forEach(([file, line], depth) => {
      const place = code.sourceAt.get(keyOf(file, line));
      if (place !== undefined) put("source", place, depth ? 1 : 2);
    });
    put(kind, index, 2);
    if (kind === "source") {
      const found = code.bySource.get(code.source[index].key);
      for (const letter of ["p", "s"]) {
        for (const one of found?.[letter].all ?? []) put(letter, one, 1);
        for (const one of found?.[letter].own ?? []) put(letter, one, 2);
      }
      return lit;
    }
    const chain = code.chain(kind, index);
    lightChain(chain);
    const tied = kind === "p" ? code.sassOf.get(index) ?? [] : [code.layers.s.p[index] ?? -1].filter((place) => place >= 0);
    const other = kind === "p" ? "s" : "p";
    for (const place of tied) put(other, place, 2);
    if (kind === "s") for (const place of tied) for (const sibling of code.sassOf.get(place) ?? []) put("s", sibling, sibling === index ? 2 : 1);
    if (!tied.length && chain.length) {
      for (const place of code.bySource.get(keyOf(...chain[0]))?.[other].own ?? []) put(other, place, 1);
    }
    return lit;
  }

  describe() {
    const chosen = this.chosen;
    if (!chosen) {
      this.trail.replaceChildren(dim("Choose a line to see where it comes from and what it became."));
      return;
    }
    const { pane, side, index } = chosen;
    const code = this.code[side];
    const parts = [];
    const button = (label, kind, place) => el("button", { type: "button", class: "link", onclick: () => this.pick(kind, side, place) }, label);
    const sourceButton = ([file, line]) => {
      const place = code.sourceAt.get(keyOf(file, line));
      const label = this.report.place([file, line]);
      return place === undefined ? label : button(label, "source", place);
    };
    if (pane.kind === "source") {
      const entry = code.source[index];
      const found = code.bySource.get(entry.key);
      parts.push(el("b", {}, this.report.place([entry.file, entry.line])));
      if (!found) parts.push(dim("no instruction comes from this line"));
      for (const letter of ["p", "s"]) {
        if (!found || !code.layers[letter]) continue;
        const tally = new Map();
        for (const one of found[letter].all) { const name = this.report.category(code.layers[letter].c[one]); tally.set(name, (tally.get(name) ?? 0) + 1); }
        parts.push(el("span", {}, el("b", {}, `${count(found[letter].all.length)} ${TITLES[letter]}`), found[letter].own.length !== found[letter].all.length ? dim(` (${count(found[letter].own.length)} of the line itself)`) : null));
        parts.push(...biggest(tally, 4).map(([name, value]) => el("span", { class: "fact" }, swatch(name), `${words(name)} ${count(value)}`)));
      }
    } else {
      const layer = code.layers[pane.kind];
      parts.push(el("b", {}, `${TITLES[pane.kind]} ${pane.kind === "s" ? `0x${layer.o[index].toString(16)}` : `line ${layer.o[index]}`}`), el("span", {}, swatch(this.report.category(layer.c[index])), words(this.report.category(layer.c[index]))));
      if (pane.kind === "s" && code.layers.p) {
        const place = layer.p[index] ?? -1;
        parts.push(place >= 0 ? el("span", {}, "from ", button(`PTX line ${code.layers.p.o[place]}`, "p", place)) : dim("no PTX line is known"));
      } else if (pane.kind === "p" && code.layers.s) {
        const found = code.sassOf.get(index) ?? [];
        parts.push(found.length ? el("span", {}, "became ", found.slice(0, 6).map((place, at) => [at ? ", " : "", button(`0x${code.layers.s.o[place].toString(16)}`, "s", place)]), found.length > 6 ? ` and ${found.length - 6} more` : "") : dim("no SASS of its own"));
      }
      const chain = code.chain(pane.kind, index);
      parts.push(chain.length ? el("span", {}, chain.map((place, depth) => [depth ? dim(" called from ") : "", sourceButton(place)])) : dim("no source line is known"));
    }
    this.trail.replaceChildren(...(this.mode === "both" ? [tag(side, side === "before" ? "removed" : "added")] : []), ...parts);
  }

  link() {
    const { pane, side, index } = this.chosen;
    const code = this.code[side];
    const place = pane.kind === "source" ? this.report.place([code.source[index].file, code.source[index].line]) : pane.kind === "s" ? code.layers.s.o[index].toString(16).padStart(4, "0") : code.layers.p.o[index];
    return `${this.base}/${WORDS[pane.kind]}/${encodeURIComponent(place)}${side === "before" && this.code.after ? "/before" : ""}`;
  }

  goTo({ kind, side, place }) {
    const wanted = this.code[side] ? side : Object.keys(this.code)[0];
    if (!this.sides().includes(wanted)) this.setMode(wanted);
    const code = this.code[wanted];
    let index = -1;
    if (Array.isArray(place)) index = code.sourceAt.get(keyOf(...place)) ?? -1;
    else if (kind === "source") {
      const [, name, line] = /^(?:(.*):)?(\d+)$/.exec(place) ?? [];
      index = code.source.findIndex((entry) => entry.type === "line" && entry.line === Number(line) && (!name || this.report.file(entry.file).endsWith(name)));
    } else if (code.layers[kind] && place) index = code.layers[kind].o.indexOf(Number.parseInt(place, kind === "s" ? 16 : 10));
    if (index >= 0) this.pick(kind, wanted, index);
    else if (kind && this.there.includes(kind) && !this.open.has(kind)) this.toggle(kind);
    if (this.panes[kind]) this.panes[kind].box.focus({ preventScroll: true });
  }

  // To the next run of rows that differ, in the active pane.
  step(way) {
    if (this.mode !== "both") this.setMode("both");
    const pane = this.active;
    const { op } = pane.table;
    const from = this.chosen?.pane === pane ? this.chosen.row : way > 0 ? -1 : op.length;
    for (let row = from + way; row >= 0 && row < op.length; row += way) {
      if (op[row] && !op[row - 1] && row !== from) {
        const side = pane.index(row, "after") >= 0 ? "after" : "before";
        pane.rows.reveal(row);
        this.choose(pane, row, side);
        return;
      }
    }
    this.hits.textContent = way > 0 ? "no further difference" : "no earlier difference";
  }

  search(step) {
    const wanted = this.find.value.toLowerCase();
    const pane = this.active;
    if (!wanted) { this.hits.textContent = ""; return; }
    if (this.sought?.text !== wanted || this.sought.pane !== pane || this.sought.mode !== this.mode) {
      const rows = [];
      pane.table.op.forEach((_, row) => {
        if (pane.sides.some((side) => { const index = pane.index(row, side); return index >= 0 && this.textOf(pane.kind, side, index).toLowerCase().includes(wanted); })) rows.push(row);
      });
      this.sought = { text: wanted, pane, mode: this.mode, rows, at: -1 };
    }
    const { rows } = this.sought;
    if (!rows.length) { this.hits.textContent = "not found"; return; }
    this.sought.at = (this.sought.at + (step || (this.sought.at < 0 ? 1 : 0)) + rows.length) % rows.length;
    const row = rows[this.sought.at];
    this.hits.textContent = `${count(this.sought.at + 1)} of ${count(rows.length)}`;
    const side = pane.sides.toReversed().find((one) => pane.index(row, one) >= 0);
    pane.rows.reveal(row);
    this.choose(pane, row, side);
  }

  textOf(kind, side, index) {
    const code = this.code[side];
    return (kind === "source" ? code.source[index].text : code.layers[kind].t[index]) ?? "";
  }

  key(event) {
    if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return false;
    const shown = this.there.filter((kind) => this.open.has(kind));
    const beside = (step) => {
      const pane = this.panes[shown[(shown.indexOf(this.active.kind) + step + shown.length) % shown.length]];
      pane.box.focus({ preventScroll: true });
      const row = pane.litRow();
      if (row >= 0) { const side = pane.sides.toReversed().find((one) => this.lit[one]?.[pane.kind].has(pane.index(row, one))); if (side) this.choose(pane, row, side); }
    };
    const page = Math.max(1, Math.floor(this.active.box.clientHeight / ROW) - 2);
    const actions = {
      ArrowDown: () => this.active.move(1), ArrowUp: () => this.active.move(-1), PageDown: () => this.active.move(page), PageUp: () => this.active.move(-page),
      ArrowLeft: () => beside(-1), ArrowRight: () => beside(1),
      n: () => this.step(1), p: () => this.step(-1), "/": () => this.find.focus(),
      b: () => { if (this.modes.length) { const order = ["before", "both", "after"]; this.setMode(order[(order.indexOf(this.mode) + 1) % 3]); } },
      Escape: () => { this.chosen = null; this.lit = {}; this.showLit(null); this.describe(); history.replaceState(null, "", this.base); },
    };
    this.there.forEach((kind, index) => { actions[index + 1] = () => this.toggle(kind); });
    const inTabs = event.target.closest('[role="tab"], summary');
    if (!actions[event.key] || (inTabs && event.key.startsWith("Arrow"))) return false;
    actions[event.key]();
    return true;
  }
}
