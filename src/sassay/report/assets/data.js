// The page's data: one packed blob for the whole, one for each kernel's code, opened when needed.

const unpack = async (id) => {
  const holder = byId(id);
  if (!holder) return null;
  const packed = atob(holder.textContent.trim());
  const bytes = new Uint8Array(packed.length);
  for (let index = 0; index < packed.length; index += 1) bytes[index] = packed.charCodeAt(index);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
};

// Flat [key, value, key, value, ...] as pairs.
const pairs = (flat) => {
  const found = [];
  for (let index = 0; index < flat.length; index += 2) found.push([flat[index], flat[index + 1]]);
  return found;
};

class Report {
  constructor(data) {
    this.data = data;
    this.codes = new Map();
    this.byKernel = new Map();
    data.changes.forEach((change, index) => {
      change.index = index;
      for (const id of [change.b, change.c]) {
        if (!id) continue;
        if (!this.byKernel.has(id)) this.byKernel.set(id, []);
        this.byKernel.get(id).push(change);
      }
    });
    this.familyOf = new Map();
    data.families.forEach((family, index) => {
      family.index = index;
      for (const arch of family.a) this.familyOf.set(`${family.n}\0${arch}`, family);
    });
  }

  category(index) { return this.data.categories[index]; }
  opcode(index) { return this.data.opcodes[index]; }
  file(index) { return this.data.files[index]; }
  kernel(id) { return this.data.kernels[id]; }
  hasCode(id) { return this.data.coded[id] !== undefined; }
  family(name, arch) { return this.familyOf.get(`${name}\0${arch}`); }

  place(place) {
    const file = this.file(place[0]);
    return `${file.split("/").pop()}:${place[1]}`;
  }

  // Changes of a family, each told once: a pair that spans others repeats what they tell.
  changesOf(family) {
    const seen = new Set();
    return this.data.changes.filter((change) => {
      if (change.f !== family.n || !family.a.includes(change.a)) return false;
      const key = `${change.s}|${change.b}|${change.c}`;
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    });
  }

  // The change that a kernel's page is about: the one that made it, else the one that ended it.
  changeOf(id, wanted) {
    const found = this.byKernel.get(id) ?? [];
    return found.find((one) => one.index === wanted) ?? found.find((one) => one.c === id && one.s !== "unchanged") ?? found[0] ?? null;
  }

  async code(id) {
    if (!this.hasCode(id)) return null;
    if (!this.codes.has(id)) this.codes.set(id, unpack(`code-${this.data.coded[id]}`).then(prepareCode));
    return this.codes.get(id);
  }

  // How two kernels' code lines up; what lines up one way lines up the other way, too.
  async pair(before, after) {
    const place = this.data.paired[`${before}|${after}`];
    if (place !== undefined) return unpack(`pair-${place}`);
    const mirrored = this.data.paired[`${after}|${before}`];
    return mirrored === undefined ? null : mirror(await unpack(`pair-${mirrored}`));
  }
}

const mirror = (pair) => {
  const turned = [0, 1, 3, 2];
  const runs = (flat) => flat && flat.map((value, index) => (index % 2 ? value : turned[value]));
  return { ...pair, p: runs(pair.p), s: runs(pair.s), l: pair.l.map(([file, line, other, place]) => [other, place, file, line]) };
};

// Offsets come as steps; sites are looked up by line.
const prepareCode = (raw) => {
  for (const layer of [raw.p, raw.s]) {
    if (!layer) continue;
    let at = 0;
    layer.o = layer.o.map((step) => (at += step));
  }
  return raw;
};
