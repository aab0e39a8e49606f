// A long list of rows of one height, of which only those in view are elements.

class Rows {
  // box: the scrolling element, or null for the page. Rows go into `inside`.
  constructor(box, inside, { height, render, around = 12 }) {
    Object.assign(this, { box, inside, height, render, around, count: 0, shown: new Map() });
    inside.classList.add("rows");
    this.later = 0;
    const draw = () => { if (!this.later) this.later = requestAnimationFrame(() => this.draw()); };
    (box ?? window).addEventListener("scroll", draw, { passive: true });
    this.watcher = new ResizeObserver(draw);
    this.watcher.observe(box ?? document.documentElement);
  }

  reset(length) {
    this.count = length;
    this.inside.style.height = `${length * this.height}px`;
    this.clear();
    this.draw();
  }

  clear() {
    for (const row of this.shown.values()) row.remove();
    this.shown.clear();
  }

  // The rows in view, first and one past the last.
  range() {
    const inner = this.inside.getBoundingClientRect();
    const outer = this.box ? this.box.getBoundingClientRect() : { top: 0, bottom: innerHeight };
    const first = Math.floor((outer.top - inner.top) / this.height);
    const last = Math.ceil((outer.bottom - inner.top) / this.height);
    return [Math.max(0, Math.min(first, this.count)), Math.max(0, Math.min(last, this.count))];
  }

  draw() {
    this.later = 0;
    if (!this.inside.isConnected) return;
    const [first, last] = this.printing ? [0, this.count] : this.range();
    const from = Math.max(0, first - this.around);
    const to = Math.min(this.count, last + this.around);
    for (const [index, row] of this.shown) {
      if (index < from || index >= to) { row.remove(); this.shown.delete(index); }
    }
    const fresh = document.createDocumentFragment();
    for (let index = from; index < to; index += 1) {
      if (this.shown.has(index)) continue;
      const row = this.render(index);
      row.style.transform = `translateY(${index * this.height}px)`;
      this.shown.set(index, row);
      fresh.append(row);
    }
    this.inside.append(fresh);
    this.drawn?.(first, last);
  }

  // Draw one row anew, if it is in view.
  refresh(index) {
    const old = this.shown.get(index);
    if (!old) return;
    const row = this.render(index);
    row.style.transform = `translateY(${index * this.height}px)`;
    old.replaceWith(row);
    this.shown.set(index, row);
  }

  refreshAll() {
    this.clear();
    this.draw();
  }

  // Scroll so that a row is in view, a third from the top where it was out of it.
  reveal(index) {
    const box = this.box;
    const top = index * this.height;
    if (top >= box.scrollTop && top + this.height <= box.scrollTop + box.clientHeight) return;
    box.scrollTop = Math.max(0, top - box.clientHeight / 3);
    this.draw();
  }
}
