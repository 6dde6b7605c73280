// A table that is read page by page as one scrolls. What is far out of sight leaves the document and
// comes back from memory, so that a hundred thousand rows are as light as a hundred.

const PAGE_ROWS = 100;

/**
 * `columns` are [label, sort key or null]; `read(cursor, signal)` answers {rows, next}; `cells(row)`
 * makes one row's cells, and `noun` is what it is one of. `sort` is the key in use, `-key` downwards, and `onsort` takes another.
 */
function pagedTable({ caption, columns, read, cells, sort, onsort, noun, empty }) {
  const status = h("p.count", { role: "status" });
  const fault = h("div");
  const end = h("div.end");
  const header = h("tr", { role: "row" }, columns.map(([label, key]) => heading(label, key)));
  const table = h("table", { role: "table" }, h("caption.hidden", caption), h("thead", { role: "rowgroup" }, header));
  const whole = h("div.list", status, fault, table, end);
  const rowOf = (row) => h("tr", { role: "row" }, cells(row).map((cell, index) => h("td", { role: "cell", "data-label": columns[index][0] }, h("div", cell))));
  const near = new IntersectionObserver((entries) => entries.forEach(seen), { rootMargin: "1500px 0px" });
  const bottom = new IntersectionObserver(([entry]) => entry.isIntersecting && more(), { rootMargin: "2500px 0px" });
  let parts = [], next = "", reading = null, order = sort, isBehind = false;

  function heading(label, key) {
    if (!key) return h("th", { scope: "col", role: "columnheader", "data-of": label }, label);
    const turn = () => onsort((order = order === key ? `-${key}` : key));
    return h("th", { scope: "col", role: "columnheader", "data-key": key, "data-of": label }, button(label, turn, { class: "sort" }));
  }

  function mark() {
    for (const cell of header.querySelectorAll("[data-key]")) {
      const key = cell.dataset.key;
      const is = order === key ? "ascending" : order === `-${key}` ? "descending" : "none";
      cell.setAttribute("aria-sort", is);
    }
  }

  /** A part of the table comes near, or goes far. */
  function seen({ target, isIntersecting, boundingClientRect }) {
    const part = target.chunk;
    if (isIntersecting && !part.isThere) fill(part);
    else if (!isIntersecting && part.isThere && !target.contains(document.activeElement)) {
      const room = h("tr", { "aria-hidden": "true" }, h("td", { colspan: columns.length }));
      room.style.height = `${boundingClientRect.height}px`;
      target.replaceChildren(room);
      part.isThere = false;
    }
  }

  function fill(part) {
    part.body.replaceChildren(...part.rows.map(rowOf));
    part.isThere = true;
  }

  function add(rows) {
    const body = h("tbody", { role: "rowgroup" });
    const part = (body.chunk = { rows, body, isThere: false });
    parts.push(part);
    fill(part);
    table.append(body);
    near.observe(body);
  }

  const length = () => parts.reduce((sum, part) => sum + part.rows.length, 0);

  function tell() {
    const rows = length();
    status.textContent = isBehind ? "" : next != null ? `More than ${count(rows, noun)}` : rows ? count(rows, noun) : "";
    table.hidden = rows === 0;
    end.replaceChildren(...(rows === 0 && !isBehind && next == null ? [empty()].flat() : []));
  }

  async function more() {
    if (reading || isBehind || next == null) return;
    const own = (reading = new AbortController());
    const done = working(whole);
    try {
      const page = await read(next, own.signal);
      if (own.signal.aborted) return;
      next = page.next;
      if (page.rows.length) add(page.rows);
      tell();
    } catch (error) {
      if (own.signal.aborted) return;
      end.replaceChildren(...failed(error, more));
    } finally {
      if (reading === own) reading = null;
      done();
    }
    // A short page may leave the end in sight, which no observer reports again.
    if (next != null && !reading && end.childElementCount === 0) {
      bottom.unobserve(end);
      bottom.observe(end);
    }
  }

  return {
    element: whole,
    /** Begins anew, what is there standing until the first page of it has come. */
    async load(first, sort = order) {
      reading?.abort();
      const own = (reading = new AbortController());
      order = sort;
      const done = working(whole);
      try {
        const page = await (first ?? read("", own.signal));
        if (own.signal.aborted) return;
        near.disconnect();
        bottom.disconnect();
        parts.forEach((part) => part.body.remove());
        parts = [];
        next = page.next;
        isBehind = false;
        mark();
        fault.replaceChildren();
        if (page.rows.length) add(page.rows);
        tell();
        bottom.observe(end);
        // What had the focus may have gone with the rows.
        if (whole.isConnected && document.activeElement === document.body) viewHeading()?.focus();
      } catch (error) {
        if (own.signal.aborted || error.name === "AbortError") return;
        // What stands there answers what was asked before: it has no total, and does not go on.
        isBehind = true;
        tell();
        fault.replaceChildren(...failed(error, () => this.load()));
      } finally {
        if (reading === own) reading = null;
        done();
      }
    },
    /** Puts another row in one's place, or takes it out. */
    change(is, row) {
      for (const part of parts) {
        const index = part.rows.findIndex(is);
        if (index < 0) continue;
        part.rows.splice(index, 1, ...(row ? [{ ...part.rows[index], ...row }] : []));
        if (part.isThere) fill(part);
      }
      tell();
    },
    stop() {
      reading?.abort();
      near.disconnect();
      bottom.disconnect();
    },
  };
}
