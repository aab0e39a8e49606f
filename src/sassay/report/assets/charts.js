// Small charts, drawn of numbers alone. Figures stand beside them for who does not see them.

const colour = (name) => `c-${name}`;

// How instructions moved by category: losses to the left of the middle, gains to the right.
const movement = (deltas, largest, width = 190, height = 16) => {
  const middle = width / 2;
  const scale = largest ? (middle - 2) / largest : 0;
  const shapes = [svg("rect", { class: "axis", x: middle - 0.5, y: 0, width: 1, height })];
  let left = middle - 1;
  let right = middle + 1;
  for (const [name, value] of [...deltas].sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]))) {
    const wide = Math.abs(value) * scale;
    if (wide < 0.25) continue;
    const x = value > 0 ? right : left - wide;
    shapes.push(svg("rect", { class: colour(name), x: x.toFixed(2), y: 2, width: Math.max(wide - 0.4, 0.4).toFixed(2), height: height - 4 }));
    if (value > 0) right += wide; else left -= wide;
  }
  return svg("svg", { class: "movement", viewBox: `0 0 ${width} ${height}`, width, height, "aria-hidden": "true" }, shapes);
};

// What something is made of, by category, as parts of one bar.
const stack = (parts, total, width = 320, height = 14) => {
  let x = 0;
  const whole = total || 1;
  const shapes = [];
  for (const [name, value] of parts) {
    const wide = (value / whole) * width;
    if (wide <= 0) continue;
    shapes.push(svg("rect", { class: colour(name), x: x.toFixed(2), y: 0, width: Math.max(wide - 0.6, 0.4).toFixed(2), height },
      svg("title", {}, `${words(name)} ${count(value)}`)));
    x += wide;
  }
  return svg("svg", { class: "stack", viewBox: `0 0 ${width} ${height}`, width: "100%", height, preserveAspectRatio: "none", "aria-hidden": "true" }, shapes);
};

// One value a state as a bar each, on the scale of `largest`.
const bar = (value, largest, name = null, width = 84) => {
  const wide = largest ? (Math.abs(value ?? 0) / largest) * width : 0;
  return svg("svg", { class: "bar", width, height: 10, "aria-hidden": "true" },
    svg("rect", { class: "rail", width, height: 10, rx: 2 }),
    svg("rect", { class: name ? colour(name) : "fill", width: wide.toFixed(1), height: 10, rx: 2 }));
};

const swatch = (name) => el("i", { class: `swatch ${colour(name)}`, "aria-hidden": "true" });

const legend = (names) => el("p", { class: "legend" }, names.map((name) => el("span", {}, swatch(name), words(name))));

const biggest = (deltas, most = 3) => [...deltas].sort((a, b) => Math.abs(b[1]) - Math.abs(a[1])).slice(0, most);
const movementText = (deltas) => biggest(deltas, 6).map(([name, value]) => `${signed(value)} ${words(name)}`).join(", ");
