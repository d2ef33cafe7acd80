  // Numbers as in the tables: a real minus sign, percent with one decimal.
  const minus = "\u2212";
  function number(value, decimals) {
    const [whole, fraction] = Math.abs(value).toFixed(decimals).split(".");
    const text = whole.replace(/\B(?=(\d{3})+$)/g, ",") + (fraction ? "." + fraction : "");
    return (value < 0 && /[1-9]/.test(text) ? minus : "") + text;
  }
  // Significant digits, with an exponent below a thousandth and from a million on.
  function digits(value, n) {
    if (value === 0) return "0";
    const [mantissa, exponent] = value.toExponential(n - 1).split("e");
    const e = Number(exponent);
    return e >= -3 && e < 6 ? number(value, Math.max(0, n - 1 - e)) : `${mantissa}e${e}`.replace(/-/g, minus);
  }
  const isAbsent = (value) => value === null || value === undefined;
  function write(value, unit) {
    if (isAbsent(value)) return "–";
    if (unit === "number") return digits(value, 3);
    return unit === "fraction" ? number(value * 100, 1) + "%" : number(value, 2);
  }
  // For axis labels, where decimals that say nothing are noise.
  function tick(value, unit) {
    const shown = unit === "fraction" ? value * 100 : value;
    if (unit === "number") return digits(Number(shown.toPrecision(4)), 4).replace(/(\.\d*?)0+(?=e|$)/, "$1").replace(/\.(?=e|$)/, "");
    const text = number(Number(shown.toPrecision(6)), 2).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
    return unit === "fraction" ? text + "%" : text;
  }
  function escape(text) {
    const span = document.createElement("span");
    span.textContent = text;
    return span.innerHTML;
  }

  // A row of a CSV file. A text that a spreadsheet would take for a formula is marked as text.
  function csvRow(cells) {
    const cell = (value) => {
      if (isAbsent(value)) return "";
      if (typeof value === "number") return String(value);
      const text = /^[=+@\t\r-]/.test(value) ? "'" + value : value;
      return /[",\n\r]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
    };
    return cells.map(cell).join(",");
  }
  // Rows, header first, as a file that the browser saves; nothing leaves the page.
  function download(name, rows) {
    const blob = new Blob([rows.map(csvRow).join("\n") + "\n"], { type: "text/csv" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name.replace(/[^\w.-]+/g, "-").replace(/^-+/, "") + ".csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }
  function csvButton(what, name, rows) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "csv";
    button.textContent = "CSV";
    button.setAttribute("aria-label", `Download as CSV: ${what}`);
    button.addEventListener("click", () => download(name, rows()));
    return button;
  }

