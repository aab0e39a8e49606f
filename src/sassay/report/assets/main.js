// The page: which view an address names, the theme, and the keys that hold everywhere.

const theme = () => {
  const root = document.documentElement;
  const button = byId("theme");
  button.hidden = false;
  button.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    dispatchEvent(new Event("themechange"));
  });
};

const decoded = (part) => { try { return decodeURIComponent(part); } catch { return part; } };

const start = async () => {
  theme();
  const overview = byId("overview"), app = byId("app");
  if (typeof DecompressionStream === "undefined") {
    byId("loading").textContent = "This browser cannot open the tables and the code: it has no DecompressionStream (Chrome 80, Firefox 113, Safari 16.4 have).";
    return;
  }
  const data = await unpack("data");
  const report = new Report(data);
  const title = document.title;
  let current = null;
  const scroll = new Map();
  let address = null;

  const show = async () => {
    const hash = location.hash.slice(1);
    if (address !== null) scroll.set(address, scrollY);
    const [view, name, kind, place, side] = hash.split("/");
    let page = null;
    if (view === "family") {
      const [family, arch] = name.split("@").map(decoded);
      const found = report.family(family, arch);
      page = found ? familyView(report, found) : null;
      document.title = found ? `${found.n} - ${title}` : title;
    } else if (view === "kernel" || (!hash && data.start)) {
      const [id, wanted] = (name ?? data.start).split("~");
      const goal = kind && FROM_WORD[kind] ? { kind: FROM_WORD[kind], side: side === "before" ? "before" : "after", place: place ? decoded(place) : null } : null;
      const key = hash;
      page = await kernelView(report, decoded(id), wanted === undefined ? undefined : Number(wanted), goal);
      if (key !== location.hash.slice(1)) return;
      document.title = `${report.kernel(decoded(id))?.n ?? "kernel"} - ${title}`;
    } else document.title = title;
    address = page ? hash : "";
    current = page;
    overview.hidden = page !== null;
    app.hidden = page === null;
    document.body.classList.toggle("inner", page !== null);
    document.body.classList.remove("coding");
    app.replaceChildren(...(page ? [page] : []));
    if (page) { page.start?.(); scrollTo(0, scroll.get(hash) ?? 0); page.querySelector("h2")?.setAttribute("tabindex", "-1"); } else {
      dispatchEvent(new Event("scroll"));
      if (hash && hash !== "overview" && byId(hash)) byId(hash).scrollIntoView();
      else scrollTo(0, scroll.get("") ?? 0);
    }
  };

  if (byId("family-table")) familyTable(report, byId("family-table"));
  if (byId("kernel-table")) kernelTable(report, byId("kernel-table"));
  // Names in the part that was written ahead lead to the pages of this script.
  for (const one of document.querySelectorAll("[data-family]")) {
    const family = report.family(one.dataset.family, one.dataset.arch);
    if (family) { const link = el("a", { href: familyLink(family) }); one.replaceWith(link); link.append(one); }
  }
  for (const one of document.querySelectorAll("[data-kernel]")) {
    if (!report.kernel(one.dataset.kernel)) continue;
    const link = el("a", { href: `#kernel/${one.dataset.kernel}${one.dataset.place && report.hasCode(one.dataset.kernel) ? `/${one.dataset.place}` : ""}` });
    one.replaceWith(link);
    link.append(one);
  }
  byId("loading")?.remove();
  addEventListener("hashchange", show);
  addEventListener("themechange", () => dispatchEvent(new Event("resize")));
  addEventListener("keydown", (event) => {
    if (current?.key?.(event)) { event.preventDefault(); return; }
    if (event.target.closest("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && !current && byId("search")) { event.preventDefault(); byId("search").focus(); }
    if (event.key === "Escape" && current && !data.start) location.hash = "";
  });
  addEventListener("beforeprint", () => { for (const one of document.querySelectorAll("details")) one.open = true; });
  await show();
  document.documentElement.dataset.ready = "true";
};

start();
