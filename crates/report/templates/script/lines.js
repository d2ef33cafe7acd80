  // Charts of lines. A figure has lines with bands, and either one row of places for all of them (labels or numbers) or,
  // where arms differ in it, one per line. Which lines are on goes by name: charts of one legend may lack some.
  const firstState = (lines) => ({ shown: new Map(lines.map((line) => [line.name, line.shown])), focus: null });
  const isOn = (state, line) => state.shown.get(line.name) || state.focus === line.name;

  // A line per arm; its spread is a polygon from the lowest seed up to the highest.
  function lineSeries(figure, width, state, t) {
    const { focus } = state;
    // Bands of many arms on top of each other are mud: the more there are, the fainter each.
    const crowd = figure.lines.filter((line) => state.shown.get(line.name) && line.band && line.band.low).length;
    const series = [];
    figure.lines.forEach((line, i) => {
      const { band, look } = line;
      if (!band || !isOn(state, line)) return;
      const dimmed = focus !== null && focus !== line.name;
      const places = line.places || figure.numbers;
      // Stacks add up along the first dimension that holds numbers: the value, so the place comes second.
      const points = (values) => (places ? values.map((v, k) => [v, places[k]]) : values);
      const base = { type: "line", showSymbol: false, silent: true, z: isAbsent(look.hue) ? 2 : 3 };
      if (places) base.encode = { x: 1, y: 0 };
      if (figure.steps) base.step = "end";
      if (band.low && !dimmed) {
        const bottom = { ...base, z: 1, lineStyle: { width: 0 }, stack: "band" + i, stackStrategy: "all", tooltip: { show: false } };
        series.push({ ...bottom, data: points(band.low) });
        series.push({ ...bottom, data: points(band.high.map((h, k) => (h === null ? null : h - band.low[k]))), areaStyle: { color: colour(look, t), opacity: focus === line.name ? 0.24 : crowd > 3 ? 0.07 : 0.16 } });
      }
      // A value between two gaps is no line: it is drawn as a dot.
      const alone = band.mean.map((v, k) => v !== null && isAbsent(band.mean[k - 1]) && isAbsent(band.mean[k + 1]));
      series.push({
        ...base, name: line.name, data: points(band.mean),
        showSymbol: alone.includes(true), symbol: "circle", symbolSize: (_, item) => (alone[item.dataIndex] ? 4 : 0),
        lineStyle: { color: colour(look, t), width: (focus === line.name ? 1.35 : isAbsent(look.hue) ? 0.8 : 1) * width, opacity: dimmed ? 0.22 : 1, type: dash(look).length ? dash(look) : "solid" },
        itemStyle: { color: colour(look, t), opacity: dimmed ? 0.22 : 1 },
      });
    });
    return series;
  }

  // A tooltip's table, largest value first; `rows`: lines with the point to tell of.
  const MOST_TOLD = 14;
  function tooltipTable(title, rows, unit, t, hasRoom) {
    const value = ({ line, k }) => (isAbsent(line.band.mean[k]) ? -Infinity : line.band.mean[k]);
    const sorted = rows.sort((a, b) => value(b) - value(a));
    const cells = sorted.slice(0, MOST_TOLD).map(({ line: { band, name, look }, k }) => {
      const range = band.low && !isAbsent(band.low[k]) && hasRoom ? ` <span style="color:${t.faint}">${write(band.low[k], unit)} to ${write(band.high[k], unit)}</span>` : "";
      return `<tr><td style="padding:0 10px 0 0;border:0"><span style="color:${colour(look, t)}">\u25CF</span> ${escape(name)}</td>` +
        `<td style="padding:0;border:0;text-align:right">${write(band.mean[k], unit)}${range}</td></tr>`;
    });
    const more = sorted.length > MOST_TOLD ? `<div style="color:${t.soft}">and ${sorted.length - MOST_TOLD} more</div>` : "";
    return `<div style="color:${t.soft}">${escape(title)}</div><table style="width:auto;font-size:12px;line-height:1.5">${cells.join("")}</table>${more}`;
  }
  const onLines = (figure, state) => figure.lines.filter((line) => line.band && isOn(state, line));

  // The place nearest to `at`; none beyond the ends.
  function nearest(places, at) {
    let best = 0;
    places.forEach((place, k) => { if (Math.abs(place - at) < Math.abs(places[best] - at)) best = k; });
    const room = places.length > 1 ? places[1] - places[0] : Infinity;
    return Math.abs(places[best] - at) < room ? best : null;
  }

  function linesOption(figure, state, t, element) {
    const hasRoom = !isNarrow(element) || innerWidth > 720;
    const small = element.clientWidth < 420;
    const byLabel = Boolean(figure.labels);
    const tooltip = byLabel
      ? axisTooltip(t, (items) => {
        const k = items[0].dataIndex;
        return tooltipTable(figure.labels[k], onLines(figure, state).map((line) => ({ line, k })), figure.unit, t, hasRoom);
      })
      : axisTooltip(t, (items) => {
        const at = items[0].value[1];
        const rows = onLines(figure, state)
          .map((line) => ({ line, k: nearest(line.places || figure.numbers, at) })).filter((row) => row.k !== null);
        return tooltipTable(figure.told(at), rows, figure.unit, t, hasRoom);
      });
    if (small) {
      // Below the chart, which is too small to be covered, and within the window.
      tooltip.confine = false;
      tooltip.position = (point, items, dom, rect, { contentSize, viewSize }) => {
        const left = element.getBoundingClientRect().left;
        const room = document.documentElement.clientWidth - 8 - left - contentSize[0];
        return [Math.max(8 - left, Math.min(0, room)), viewSize[1] + 4];
      };
    }
    const numbers = figure.numbers || [0, figure.last];
    return {
      ...frame(t), grid, tooltip,
      xAxis: byLabel ? dateAxis(figure.labels, t, element) : {
        type: "value", min: numbers[0], max: numbers[numbers.length - 1], splitNumber: small ? 3 : 5,
        axisLabel: { color: t.soft, fontSize: 11, hideOverlap: true, showMaxLabel: false, showMinLabel: !figure.numbers, formatter: (v) => (figure.numbers ? tick(v, figure.xUnit) : number(v, 0)) },
        axisLine: { lineStyle: { color: t.faint }, onZero: false }, axisTick: { show: false }, splitLine: { show: false },
      },
      // A share has its ends.
      yAxis: { ...valueAxis(t, figure.unit), splitNumber: small ? 3 : 4, ...(figure.steps ? { min: 0, max: 1 } : {}) },
      series: lineSeries(figure, element.classList.contains("diagnostic") ? 1.4 : 1.9, state, t),
    };
  }

  // One row per line and place.
  function lineRows(figure) {
    const rows = [[figure.xLabel, "line", "seeds", "mean", "low", "high"]];
    figure.lines.filter((line) => line.band).forEach((line) => {
      const places = figure.labels || line.places || figure.numbers;
      const at = (values, k) => (values ? values[k] : null);
      line.band.mean.forEach((mean, k) => rows.push([places[k], line.name, line.n, mean, at(line.band.low, k), at(line.band.high, k)]));
    });
    return rows;
  }

  // Figures from what the page's data hold.
  const ofAccounts = (accounts, key) => ({
    xLabel: "date", labels: accounts.dates, unit: key === "growth" ? "ratio" : "fraction",
    lines: accounts.lines.map((line) => ({ ...line, band: line[key] })),
  });
  const ofDiagnostic = (training, d) => ({
    xLabel: "step", last: training.last_step, unit: training.diagnostics[d].unit, told: (at) => `after ${number(at, 0)} steps`,
    lines: training.lines.map((line) => ({ ...line, places: line.steps, band: line.bands[d] })),
  });
  function ofFigure(figure) {
    const isText = typeof figure.x.places[0] === "string";
    return {
      xLabel: figure.x.label, xUnit: figure.x.unit, unit: figure.unit, steps: figure.steps, lines: figure.lines,
      labels: isText ? figure.x.places : undefined, numbers: isText ? undefined : figure.x.places,
      told: (at) => `${figure.x.label} ${write(at, figure.x.unit)}`,
    };
  }
  const mountLines = (element, figure, state, name) =>
    mount(element, (t) => linesOption(figure, state, t, element), name, () => lineRows(figure));

  // The buttons of a legend switch lines on and off in all charts below it.
  function wireLegend(box, state, all) {
    const names = [...state.shown.keys()];
    const draw = () => all.forEach((entry) => entry.draw());
    box.querySelectorAll(".legend button").forEach((button, i) => {
      button.addEventListener("click", () => {
        state.shown.set(names[i], !state.shown.get(names[i]));
        state.focus = null;
        button.setAttribute("aria-pressed", String(state.shown.get(names[i])));
        draw();
      });
      // Pointing at a name brings its line and its spread forward.
      const point = (focus) => () => { state.focus = focus; draw(); };
      button.addEventListener("mouseenter", point(names[i]));
      button.addEventListener("mouseleave", point(null));
    });
  }

