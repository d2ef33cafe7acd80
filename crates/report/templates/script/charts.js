  // Charts are made when they come near the window, and all of them before the page is printed.
  const charts = [];
  function theme() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(name).trim();
    return {
      ink: read("--ink"), soft: read("--soft"), faint: read("--faint"), rule: read("--rule"), paper: read("--paper"),
      wash: read("--wash"), grey: read("--grey"), sans: read("--sans"),
      hue: [0, 1, 2, 3, 4, 5].map((i) => read("--hue-" + i)),
    };
  }
  const colour = (look, t) => (isAbsent(look.hue) ? t.grey : t.hue[look.hue]);
  const dash = (look) => [[], [7, 4], [2, 3], [10, 3, 2, 3]][look.dash];
  const isNarrow = (element) => element.clientWidth < 480;

  function frame(t) {
    return {
      animation: false,
      textStyle: { fontFamily: t.sans, color: t.soft },
      tooltip: {
        confine: true, backgroundColor: t.paper, borderColor: t.rule, borderWidth: 1, padding: [8, 12],
        textStyle: { color: t.ink, fontSize: 12, fontFamily: t.sans }, extraCssText: "box-shadow:0 2px 10px rgba(0,0,0,.12)",
      },
    };
  }
  const grid = { left: 4, right: 14, top: 12, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" };
  const valueAxis = (t, unit) => ({
    type: "value", scale: true, splitNumber: 4,
    axisLabel: { color: t.soft, fontSize: 11, formatter: (v) => tick(v, unit) },
    axisLine: { show: false }, axisTick: { show: false }, splitLine: { lineStyle: { color: t.rule, width: 1 } },
  });
  function dateAxis(dates, t, element) {
    return {
      type: "category", data: dates, boundaryGap: false,
      axisLabel: {
        color: t.soft, fontSize: 11, hideOverlap: true, showMinLabel: true, alignMinLabel: "left",
        interval: Math.max(1, Math.floor(dates.length / (isNarrow(element) ? 3 : 8))),
        formatter: (d) => (d === "next close" ? "" : d),
      },
      axisLine: { lineStyle: { color: t.faint }, onZero: false }, axisTick: { show: false },
    };
  }
  const axisTooltip = (t, formatter) => ({
    ...frame(t).tooltip, trigger: "axis", axisPointer: { type: "line", lineStyle: { color: t.faint, type: "solid" } }, formatter,
  });

  // The drawing is decoration for assistive software: the element's label and the tables say it in words.
  // `rows`: the chart's data for its CSV file, header first.
  function mount(element, option, name, rows) {
    const entry = { element, chart: null };
    entry.draw = () => { if (entry.chart) entry.chart.setOption(option(theme()), true); };
    entry.show = () => {
      if (entry.chart) return;
      entry.chart = echarts.init(element, null, { renderer: "svg" });
      if (entry.group) entry.chart.group = entry.group;
      entry.draw();
      new ResizeObserver(() => { entry.chart.resize(); entry.draw(); }).observe(element);
    };
    charts.push(entry);
    const caption = element.closest("figure").querySelector("figcaption");
    caption.append(" ", csvButton(caption.querySelector("b").textContent, name, rows));
    return entry;
  }
  const showAll = () => charts.forEach((entry) => entry.show());
  function watch() {
    const near = new IntersectionObserver((seen) => {
      seen.filter((s) => s.isIntersecting).forEach((s) => {
        near.unobserve(s.target);
        charts.find((entry) => entry.element === s.target).show();
      });
    }, { rootMargin: "800px 0px" });
    charts.forEach((entry) => near.observe(entry.element));
    const redraw = () => charts.filter((entry) => entry.chart).forEach((entry) => { entry.chart.resize(); entry.draw(); });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    matchMedia("print").addEventListener("change", (query) => { if (query.matches) showAll(); redraw(); });
    const opened = [];
    addEventListener("beforeprint", () => {
      document.querySelectorAll("details:not([open])").forEach((d) => { d.open = true; opened.push(d); });
      showAll();
      redraw();
    });
    addEventListener("afterprint", () => {
      opened.splice(0).forEach((d) => { d.open = false; });
      redraw();
    });
  }

