// Elements out of data. Text only ever reaches the page as text: there is no innerHTML anywhere.

const SVG = "http://www.w3.org/2000/svg";

const fill = (element, attributes, children) => {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
};

const el = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const text = (value) => (value === null || value === undefined ? "" : String(value));
const byId = (id) => document.getElementById(id);

const number = new Intl.NumberFormat("en-US");
const count = (value) => (value === null || value === undefined ? "?" : number.format(value));
const signed = (value) => (value > 0 ? `+${count(value)}` : value < 0 ? `\u2212${count(-value)}` : "0");
const plural = (value, one, many = `${one}s`) => `${count(value)} ${value === 1 ? one : many}`;
const words = (name) => name.replaceAll("_", " ");

const size = (bytes) => {
  if (bytes === null || bytes === undefined) return "?";
  if (Math.abs(bytes) < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB"];
  let amount = bytes / 1024;
  let unit = 0;
  while (Math.abs(amount) >= 1024 && unit < 2) { amount /= 1024; unit += 1; }
  return `${amount.toFixed(1)} ${units[unit]}`;
};

const KINDS = { "came and went": "changed", "gone and back": "changed", "changed and back": "changed" };
const tag = (word, kind = KINDS[word] ?? word) => el("span", { class: `tag ${kind}` }, word);
const code = (value, attributes = {}) => el("code", attributes, value);
const dim = (...children) => el("span", { class: "dim" }, ...children);
