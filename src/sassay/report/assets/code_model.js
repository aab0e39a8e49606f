// One side's code with its lookups, and how the rows of two sides stand beside each other.

const EQUAL = 0, REPLACE = 1, DELETE = 2, INSERT = 3;
const keyOf = (file, line) => `${file}:${line}`;

class SideCode {
  constructor(code, location) {
    this.code = code;
    this.layers = { p: code.p, s: code.s };
    this.bySource = new Map();
    for (const letter of ["p", "s"]) this.gather(letter);
    this.sassOf = new Map();
    (code.s?.p ?? []).forEach((place, index) => {
      if (place < 0) return;
      if (!this.sassOf.has(place)) this.sassOf.set(place, []);
      this.sassOf.get(place).push(index);
    });
    this.source = this.listSource(location);
    this.sourceAt = new Map();
    this.source.forEach((entry, index) => { if (entry.key) this.sourceAt.set(entry.key, index); });
  }

  gather(letter) {
    const layer = this.layers[letter];
    if (!layer) return;
    const keys = layer.h.map((chain) => [...new Set(chain.filter(([, line]) => line).map(([file, line]) => keyOf(file, line)))]);
    layer.s.forEach((site, index) => {
      if (site < 0) return;
      keys[site].forEach((key, depth) => {
        if (!this.bySource.has(key)) this.bySource.set(key, { p: { own: [], all: [] }, s: { own: [], all: [] } });
        const found = this.bySource.get(key)[letter];
        found.all.push(index);
        if (!depth) found.own.push(index);
      });
    });
  }

  chain(letter, index) {
    const layer = this.layers[letter];
    const site = layer?.s[index] ?? -1;
    return site < 0 ? [] : layer.h[site].filter(([, line]) => line);
  }

  // Files with the kernel's own first; what is not at hand is a line without text.
  listSource(location) {
    const lines = new Map();
    const put = (file, line, value) => {
      if (!lines.has(file)) lines.set(file, new Map());
      if (value !== null || !lines.get(file).has(line)) lines.get(file).set(line, value);
    };
    for (const key of this.bySource.keys()) { const [file, line] = key.split(":").map(Number); put(file, line, null); }
    for (const [file, first, texts] of this.code.texts) texts.forEach((value, index) => put(file, first + index, value));
    const own = location ? location[0] : -1;
    const order = [...lines.keys()].sort((a, b) => (b === own) - (a === own) || a - b);
    const entries = [];
    for (const file of order) {
      entries.push({ type: "file", file });
      let last = null;
      for (const line of [...lines.get(file).keys()].sort((a, b) => a - b)) {
        if (last !== null && line > last + 1) entries.push({ type: "gap", file });
        entries.push({ type: "line", file, line, text: lines.get(file).get(line), key: keyOf(file, line) });
        last = line;
      }
    }
    return entries;
  }

  length(kind) { return kind === "source" ? this.source.length : (this.layers[kind]?.t.length ?? 0); }
}

// Rows as three lists: index on the left, index on the right (or -1), and what became of it.
const oneSided = (length, side) => {
  const own = Int32Array.from({ length }, (_, index) => index);
  const none = new Int32Array(length).fill(-1);
  return { left: side === "before" ? own : none, right: side === "before" ? none : own, op: new Uint8Array(length) };
};

const collected = (rows) => ({
  left: Int32Array.from(rows, (row) => row[0]), right: Int32Array.from(rows, (row) => row[1]), op: Uint8Array.from(rows, (row) => row[2]),
});

const pairedCode = (runs, left, right) => {
  if (!runs) return collected(Array.from({ length: Math.max(left, right) }, (_, index) => [index < left ? index : -1, index < right ? index : -1, EQUAL]));
  const rows = [];
  let i = 0, j = 0;
  for (const [op, length] of pairs(runs)) {
    for (let step = 0; step < length; step += 1) rows.push([op === INSERT ? -1 : i++, op === DELETE ? -1 : j++, op]);
  }
  return collected(rows);
};

const pairedSource = (before, after, anchors) => {
  const partner = new Map(anchors.map(([file, line, other, place]) => [keyOf(file, line), keyOf(other, place)]));
  const files = new Map(anchors.map(([file, , other]) => [file, other]));
  const groups = (side) => {
    const found = new Map();
    side.source.forEach((entry, index) => {
      if (!found.has(entry.file)) found.set(entry.file, []);
      found.get(entry.file).push(index);
    });
    return found;
  };
  const lefts = groups(before), rights = groups(after);
  const rows = [];
  for (const [file, mine] of lefts) {
    const other = files.get(file) ?? file;
    const theirs = rights.get(other) ?? [];
    rights.delete(other);
    rows.push(...alignLines(before, after, mine, theirs, partner));
  }
  for (const theirs of rights.values()) rows.push(...theirs.map((index) => [-1, index, after.source[index].type === "line" ? INSERT : EQUAL]));
  return collected(rows);
};

// The longest common run of lines; a pair that is known to be the same line weighs most.
const alignLines = (before, after, mine, theirs, partner) => {
  const n = mine.length, m = theirs.length;
  const has = (side, entry) => entry.key && side.bySource.has(entry.key);
  const alone = (side, index, op) => (has(side, side.source[index]) ? op : EQUAL);
  if (n * m > 4e6) {
    return Array.from({ length: Math.max(n, m) }, (_, index) => [mine[index] ?? -1, theirs[index] ?? -1, EQUAL]);
  }
  const worth = (i, j) => {
    const one = before.source[mine[i]], two = after.source[theirs[j]];
    if (one.type !== two.type) return 0;
    if (one.type !== "line") return 2;
    if (partner.get(one.key) === two.key) return 5;
    if (one.text === null || two.text === null) return one.line === two.line && one.file === two.file ? 2 : 0;
    return one.text.trim() === two.text.trim() ? (one.text.trim() ? 2 : 1) : 0;
  };
  const best = new Int32Array((n + 1) * (m + 1));
  for (let i = n - 1; i >= 0; i -= 1) {
    for (let j = m - 1; j >= 0; j -= 1) {
      const value = worth(i, j);
      const skip = Math.max(best[(i + 1) * (m + 1) + j], best[i * (m + 1) + j + 1]);
      best[i * (m + 1) + j] = value ? Math.max(skip, best[(i + 1) * (m + 1) + j + 1] + value) : skip;
    }
  }
  const rows = [];
  let i = 0, j = 0;
  while (i < n || j < m) {
    const here = best[i * (m + 1) + j];
    const value = i < n && j < m ? worth(i, j) : 0;
    if (value && here === best[(i + 1) * (m + 1) + j + 1] + value) {
      const same = (before.source[mine[i]].text ?? "").trim() === (after.source[theirs[j]].text ?? "").trim();
      rows.push([mine[i++], theirs[j++], same ? EQUAL : REPLACE]);
    } else if (i < n && (j >= m || best[(i + 1) * (m + 1) + j] >= best[i * (m + 1) + j + 1])) rows.push([mine[i], -1, alone(before, mine[i++], DELETE)]);
    else rows.push([-1, theirs[j], alone(after, theirs[j++], INSERT)]);
  }
  return rows;
};
