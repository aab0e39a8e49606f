// Colours of code: a few words of each language, enough to find one's way.

const KEYWORDS = new Set(("def return for in if else elif while and or not is None True False import from as with class lambda pass break continue assert yield del global " +
  "void int float const auto template typename struct static inline constexpr unsigned bool char double using namespace __global__ __device__ __shared__").split(" "));
const TOKENS = /(#[^\n]*|\/\/[^\n]*)|("""[^]*|'''[^]*|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?)|(@?[A-Za-z_]\w*)|(\d[\w.]*)|(\s+|[^\w\s])/g;

const sourceText = (line) => {
  const parts = [];
  for (const match of line.matchAll(TOKENS)) {
    const [whole, comment, quoted, word, figure] = match;
    if (comment) parts.push(el("span", { class: "k-comment" }, whole));
    else if (quoted) parts.push(el("span", { class: "k-string" }, whole));
    else if (word) parts.push(KEYWORDS.has(word) ? el("span", { class: "k-word" }, whole) : line[match.index + whole.length] === "(" ? el("span", { class: "k-call" }, whole) : whole);
    else if (figure) parts.push(el("span", { class: "k-number" }, whole));
    else parts.push(whole);
  }
  return parts;
};

const INSTRUCTION = /^((?:[$\w.]+: )*)((?:@!?%?[\w.]+ )?)([\w.:]+)(.*?)(\s\/\/.*)?$/;

const instructionText = (line) => {
  const match = INSTRUCTION.exec(line);
  if (!match) return [line];
  const [, label, predicate, opcode, operands, comment] = match;
  const dot = opcode.indexOf(".");
  return [
    label ? el("span", { class: "k-label" }, label) : null,
    predicate ? el("span", { class: "k-predicate" }, predicate) : null,
    el("span", { class: "k-opcode" }, dot < 0 ? opcode : opcode.slice(0, dot)),
    dot < 0 ? null : el("span", { class: "k-suffix" }, opcode.slice(dot)),
    operands, comment ? el("span", { class: "k-comment" }, comment) : null,
  ].filter((part) => part !== null && part !== "");
};
