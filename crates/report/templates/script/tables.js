  // Tables that sort by any column, by mouse or keyboard, and that can be searched; each can be saved as CSV.
  // A number as the page writes it: "1,234.50", a real minus sign, percent as a fraction. Other text stays text.
  function numberOf(text) {
    const plain = text.replace(/\u2212/g, "-").replace(/,(?=\d{3})/g, "");
    if (!/^-?\d+(\.\d+)?(e-?\d+)?%?$/.test(plain)) return text;
    return Number(plain.endsWith("%") ? plain.slice(0, -1) + "e-2" : plain);
  }
  function valueOf(cell, text = cell.textContent.trim()) {
    if (cell.dataset.value !== undefined) return cell.dataset.value === "" ? null : Number(cell.dataset.value);
    if (text === "" || text === "–") return null;
    return cell.classList.contains("num") ? numberOf(text) : text;
  }
  // Numbers by size, texts by alphabet with numbers in them by size; what is undefined comes last either way.
  function compare(a, b, sign) {
    if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
    if (typeof a === "number" && typeof b === "number") return sign * (a - b);
    return sign * String(a).localeCompare(String(b), "en", { numeric: true });
  }
  const bodyRows = (body) => [...body.rows].filter((row) => !row.classList.contains("divider"));

  function sortBy(table, column, ascending) {
    for (const body of table.tBodies) {
      const rows = bodyRows(body).map((row, i) => ({ row, i, value: valueOf(row.cells[column]) }));
      rows.sort((a, b) => compare(a.value, b.value, ascending ? 1 : -1) || a.i - b.i);
      rows.forEach(({ row }) => body.append(row));
    }
    [...table.tHead.rows[0].cells].forEach((head, i) => {
      if (i === column) head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
  }

  function makeSortable(table) {
    const heads = [...table.tHead.rows[0].cells];
    const choose = document.createElement("select");
    choose.setAttribute("aria-label", "Sort the table by");
    choose.className = "sort-by";
    choose.append(new Option("Sort by …", ""));
    const toggle = (column) => {
      const isAscending = heads[column].getAttribute("aria-sort") === "ascending";
      const isSorted = heads[column].hasAttribute("aria-sort");
      // Numbers begin with the largest, names with A.
      const isNumber = heads[column].classList.contains("num");
      sortBy(table, column, isSorted ? !isAscending : !isNumber);
    };
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => toggle(column));
      head.append(button);
      choose.append(new Option(button.textContent, String(column)));
    });
    // Back to the first entry: choosing the same column again turns the order round.
    choose.addEventListener("change", () => {
      if (choose.value === "") return;
      toggle(Number(choose.value));
      choose.value = "";
    });
    return choose;
  }

  function makeSearchable(table, what) {
    const input = document.createElement("input");
    input.type = "search";
    input.placeholder = "Filter rows";
    input.setAttribute("aria-label", `Filter the rows of: ${what}`);
    const count = document.createElement("span");
    count.className = "count";
    count.setAttribute("role", "status");
    input.addEventListener("input", () => {
      const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let [shown, all] = [0, 0];
      for (const body of table.tBodies) {
        for (const row of bodyRows(body)) {
          const text = row.textContent.toLowerCase();
          row.hidden = !words.every((word) => text.includes(word));
          shown += row.hidden ? 0 : 1;
          all += 1;
        }
      }
      count.textContent = words.length ? `${shown} of ${all} rows` : "";
    });
    return [input, count];
  }

  // Intervals stand in cells of their own: a cell's number, then low and high where any row has them. So does what a cell
  // names by data-column.
  function tableRows(table) {
    const text = (node) => node.textContent.replace(/\s+/g, " ").trim();
    const heads = [...table.tHead.rows[0].cells].map(text);
    const rows = [...table.tBodies].flatMap(bodyRows);
    const intervalOf = (cell) => cell.querySelector(".interval:not(.missing)");
    const has = heads.map((_, i) => rows.some((row) => row.cells[i] && intervalOf(row.cells[i])));
    const partsOf = (cell) => [...cell.querySelectorAll("[data-column]")];
    const named = (i) => rows.flatMap((row) => (row.cells[i] ? partsOf(row.cells[i]) : [])).map((part) => part.dataset.column);
    const parts = heads.map((_, i) => [...new Set(named(i))]);
    const read = (cell, i) => {
      const named = cell.querySelector(".name") || cell.querySelector(".mean") || cell;
      const of = (name) => partsOf(cell).find((part) => part.dataset.column === name);
      const values = [valueOf(cell, text(named)), ...parts[i].map((name) => (of(name) ? numberOf(text(of(name))) : null))];
      if (!has[i]) return values;
      const interval = intervalOf(cell);
      return [...values, ...(interval ? text(interval).split(" to ").map(numberOf) : [null, null])];
    };
    const head = (name, i) => {
      const names = [name, ...parts[i].map((part) => `${name} ${part}`)];
      return has[i] ? [...names, `${name} 95% low`, `${name} 95% high`] : names;
    };
    return [heads.flatMap(head), ...rows.map((row) => [...row.cells].flatMap(read))];
  }

  // Fewer rows need no search.
  const LEAST_SEARCHED = 6;
  function wireTables(prefix) {
    document.querySelectorAll("table[data-csv]").forEach((table) => {
      const what = table.caption ? table.caption.textContent.trim() : table.dataset.csv;
      const tools = document.createElement("div");
      tools.className = "tools";
      const n = [...table.tBodies].reduce((sum, body) => sum + bodyRows(body).length, 0);
      if (table.classList.contains("sortable") && n >= LEAST_SEARCHED) tools.append(...makeSearchable(table, what));
      if (table.classList.contains("sortable") && n > 1) tools.append(makeSortable(table));
      tools.append(csvButton(what, `${prefix}-${table.dataset.csv}`, () => tableRows(table)));
      const place = table.closest(".scroll") || table;
      place.before(tools);
    });
  }

