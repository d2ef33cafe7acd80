"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const minus = "\u2212";
  const charts = [];

  // Values as in the tables: a real minus sign, percent with one decimal.
  function number(value, decimals) {
    const [whole, fraction] = Math.abs(value).toFixed(decimals).split(".");
    const text = whole.replace(/\B(?=(\d{3})+$)/g, ",") + (fraction ? "." + fraction : "");
    return (value < 0 && /[1-9]/.test(text) ? minus : "") + text;
  }
  function write(value, unit) {
    if (value === null || value === undefined) return "–";
    if (unit === "number") return digits(value, 3);
    return unit === "fraction" ? number(value * 100, 1) + "%" : number(value, 2);
  }
  // Significant digits, with an exponent below a thousandth and from a million on.
  function digits(value, n) {
    if (value === 0) return "0";
    const [mantissa, exponent] = value.toExponential(n - 1).split("e");
    const e = Number(exponent);
    return e >= -3 && e < 6 ? number(value, Math.max(0, n - 1 - e)) : `${mantissa}e${e}`.replace(/-/g, minus);
  }
  // For axis labels, where decimals that say nothing are noise.
  function tick(value, unit) {
    const shown = unit === "fraction" ? value * 100 : value;
    if (unit === "number") return digits(Number(shown.toPrecision(4)), 4).replace(/(\.\d*?)0+(?=e|$)/, "$1").replace(/\.(?=e|$)/, "");
    const text = number(Number(shown.toPrecision(6)), 2).replace(/\.?0+$/, "");
    return unit === "fraction" ? text + "%" : text;
  }
  function escape(text) {
    const span = document.createElement("span");
    span.textContent = text;
    return span.innerHTML;
  }

  function theme() {
    const style = getComputedStyle(document.documentElement);
    const read = (name) => style.getPropertyValue(name).trim();
    return {
      ink: read("--ink"), soft: read("--soft"), faint: read("--faint"), rule: read("--rule"), paper: read("--paper"),
      wash: read("--wash"), grey: read("--grey"), sans: read("--sans"),
      hue: [0, 1, 2, 3, 4, 5].map((i) => read("--hue-" + i)),
    };
  }
  const colour = (look, t) => (look.hue === null ? t.grey : t.hue[look.hue]);
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
  const valueAxis = (t, unit) => ({
    type: "value", scale: true, splitNumber: 4,
    axisLabel: { color: t.soft, fontSize: 11, formatter: (v) => tick(v, unit) },
    axisLine: { show: false }, axisTick: { show: false }, splitLine: { lineStyle: { color: t.rule, width: 1 } },
  });

  // A line per arm; its spread is a polygon from the lowest seed up to the highest. `bandOf`: a line's band in this
  // chart, if it has one. `placesOf`: where a line's points stand on an axis of numbers; absent on one of categories.
  function lineSeries(lines, bandOf, placesOf, width, state, t) {
    const { shown, focus } = state;
    // Bands of many arms on top of each other are mud: the more there are, the fainter each.
    const crowd = lines.filter((line, i) => shown[i] && bandOf(line) && bandOf(line).low).length;
    const series = [];
    lines.forEach((line, i) => {
      const band = bandOf(line);
      if (!band || (!shown[i] && focus !== i)) return;
      const dimmed = focus !== null && focus !== i;
      const places = placesOf && placesOf(line);
      // Stacks add up along the first dimension that holds numbers: the value, so the place comes second.
      const points = (values) => (places ? values.map((v, k) => [v, places[k]]) : values);
      const base = { type: "line", showSymbol: false, silent: true, z: line.look.hue === null ? 2 : 3 };
      if (places) base.encode = { x: 1, y: 0 };
      if (band.low && !dimmed) {
        const bottom = { ...base, z: 1, lineStyle: { width: 0 }, stack: "band" + i, stackStrategy: "all", tooltip: { show: false } };
        series.push({ ...bottom, data: points(band.low) });
        series.push({ ...bottom, data: points(band.high.map((h, k) => (h === null ? null : h - band.low[k]))), areaStyle: { color: colour(line.look, t), opacity: focus === i ? 0.24 : crowd > 3 ? 0.07 : 0.16 } });
      }
      // A value between two gaps is no line: it is drawn as a dot.
      const missing = (k) => band.mean[k] === null || band.mean[k] === undefined;
      const alone = band.mean.map((v, k) => v !== null && missing(k - 1) && missing(k + 1));
      series.push({
        ...base, name: line.name, data: points(band.mean),
        showSymbol: alone.includes(true), symbol: "circle", symbolSize: (_, item) => (alone[item.dataIndex] ? 4 : 0),
        lineStyle: { color: colour(line.look, t), width: (focus === i ? 1.35 : line.look.hue === null ? 0.8 : 1) * width, opacity: dimmed ? 0.22 : 1, type: dash(line.look).length ? dash(line.look) : "solid" },
        itemStyle: { color: colour(line.look, t), opacity: dimmed ? 0.22 : 1 },
      });
    });
    return series;
  }

  // A tooltip's table, largest value first; `rows`: lines with their band and the point to tell of.
  function tooltipTable(title, rows, unit, t, hasRoom) {
    const value = ({ band, k }) => (band.mean[k] === null ? -Infinity : band.mean[k]);
    const cells = rows.sort((a, b) => value(b) - value(a)).map(({ line, band, k }) => {
      const range = band.low && band.low[k] !== null && hasRoom ? ` <span style="color:${t.faint}">${write(band.low[k], unit)} to ${write(band.high[k], unit)}</span>` : "";
      return `<tr><td style="padding:0 10px 0 0;border:0"><span style="color:${colour(line.look, t)}">\u25CF</span> ${escape(line.name)}</td>` +
        `<td style="padding:0;border:0;text-align:right">${write(band.mean[k], unit)}${range}</td></tr>`;
    });
    return `<div style="color:${t.soft}">${escape(title)}</div><table style="width:auto;font-size:12px;line-height:1.5">${cells.join("")}</table>`;
  }
  const axisTooltip = (t, formatter) => ({
    ...frame(t).tooltip, trigger: "axis", axisPointer: { type: "line", lineStyle: { color: t.faint, type: "solid" } }, formatter,
  });
  const visible = (lines, { shown, focus }) => lines.filter((_, i) => shown[i] || focus === i);

  function accountOption(group, key, state, t, element) {
    const unit = key === "growth" ? "ratio" : "fraction";
    const accounts = group.accounts;
    return {
      ...frame(t),
      grid: { left: 4, right: 14, top: 12, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
      xAxis: {
        type: "category", data: accounts.dates, boundaryGap: false,
        axisLabel: { color: t.soft, fontSize: 11, hideOverlap: true, showMinLabel: true, interval: Math.max(1, Math.floor(accounts.dates.length / (isNarrow(element) ? 3 : 8))),
          formatter: (d) => (d === "next close" ? "" : d) , alignMinLabel: "left" },
        axisLine: { lineStyle: { color: t.faint }, onZero: false }, axisTick: { show: false },
      },
      yAxis: valueAxis(t, unit),
      tooltip: axisTooltip(t, (items) => {
        const k = items[0].dataIndex;
        const rows = visible(accounts.lines, state).map((line) => ({ line, band: line[key], k }));
        return tooltipTable(accounts.dates[k], rows, unit, t, !isNarrow(element));
      }),
      series: lineSeries(accounts.lines, (line) => line[key], null, 1.9, state, t),
    };
  }

  // A diagnostic of training. Arms may differ in how many steps an update takes, so that places are numbers.
  function diagnosticOption(training, d, state, t, element) {
    const unit = training.diagnostics[d].unit;
    const bandOf = (line) => line.bands[d];
    // The point of a line that is nearest to a step; none beyond the line's ends.
    const nearest = (steps, at) => {
      let best = 0;
      steps.forEach((step, k) => { if (Math.abs(step - at) < Math.abs(steps[best] - at)) best = k; });
      const room = steps.length > 1 ? steps[1] - steps[0] : Infinity;
      return Math.abs(steps[best] - at) < room ? best : null;
    };
    return {
      ...frame(t),
      grid: { left: 4, right: 12, top: 10, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
      xAxis: {
        type: "value", min: 0, max: training.last_step, splitNumber: 3,
        axisLabel: { color: t.soft, fontSize: 11, hideOverlap: true, showMaxLabel: false, formatter: (v) => number(v, 0) },
        axisLine: { lineStyle: { color: t.faint }, onZero: false }, axisTick: { show: false }, splitLine: { show: false },
      },
      yAxis: { ...valueAxis(t, unit), splitNumber: 3 },
      tooltip: {
        ...axisTooltip(t, (items) => {
          const at = items[0].value[1];
          const rows = visible(training.lines, state).filter(bandOf)
            .map((line) => ({ line, band: bandOf(line), k: nearest(line.steps, at) })).filter((row) => row.k !== null);
          return tooltipTable(`after ${number(at, 0)} steps`, rows, unit, t, innerWidth > 720);
        }),
        // Below the chart, which is too small to be covered, and within the window.
        confine: false,
        position: (point, items, dom, rect, { contentSize, viewSize }) => {
          const left = element.getBoundingClientRect().left;
          const room = document.documentElement.clientWidth - 8 - left - contentSize[0];
          return [Math.max(8 - left, Math.min(0, room)), viewSize[1] + 4];
        },
      },
      series: lineSeries(training.lines, bandOf, (line) => line.steps, 1.4, state, t),
    };
  }

  // Names break after a hyphen, underscore or equals sign, not inside a word.
  function wrap(text, width) {
    const room = Math.floor(width / 6.2);
    let [out, line] = ["", ""];
    for (const part of text.split(/(?<=[-_=., ])/)) {
      if (line && line.length + part.length > room) { out += line + "\n"; line = ""; }
      line += part;
    }
    return out + line;
  }

  // Means with whiskers; single seeds as dots beside them.
  function effectOption(effect, metric, t, element) {
    const last = effect.labels.length - 1;
    const x = effect.labels.map((_, i) => i);
    const series = [];
    const main = t.hue[0];
    metric.points.forEach((point, i) => {
      if (point.interval) {
        series.push({ type: "line", silent: true, symbol: "rect", symbolSize: [11, 2], data: point.interval.map((v) => [i, v]), lineStyle: { color: main, width: 2 }, itemStyle: { color: main }, z: 3 });
      }
    });
    series.push({
      type: "scatter", silent: true, symbolSize: 5, z: 2, itemStyle: { color: main, opacity: 0.4 },
      data: metric.points.flatMap((p, i) => p.seeds.map((v) => [i + 0.17, v])),
    });
    const means = {
      type: "scatter", z: 4, symbolSize: 10,
      data: metric.points.map((p, i) => ({ value: [i, p.mean], itemStyle: { color: i === effect.base ? t.paper : main, borderColor: main, borderWidth: 2.5, opacity: 1 } })).filter((d) => d.value[1] !== null),
    };
    const marks = [];
    if (metric.reference) {
      marks.push({ yAxis: metric.reference[1], lineStyle: { color: t.grey, type: [6, 4], width: 1.3 }, label: { show: false } });
    }
    if (effect.base !== null && metric.points[effect.base].mean !== null) {
      marks.push({ yAxis: metric.points[effect.base].mean, lineStyle: { color: main, type: "solid", width: 1, opacity: 0.35 }, label: { show: false } });
    }
    if (marks.length) means.markLine = { silent: true, symbol: "none", animation: false, data: marks, z: 1 };
    series.push(means);
    const all = metric.points.flatMap((p) => [...p.seeds, ...(p.interval || [])]).concat(marks.map((m) => m.yAxis));
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const room = (high - low || Math.abs(high) || 1) * 0.08;
    return {
      ...frame(t),
      grid: { left: 4, right: 8, top: 14, bottom: 4, outerBoundsMode: "same", outerBoundsContain: "axisLabel" },
      xAxis: {
        type: "value", min: -0.5, max: last + 0.5, interval: 1,
        axisLabel: { color: t.soft, fontSize: 11, customValues: x, hideOverlap: false, lineHeight: 14,
          interval: 0,
          formatter: (v) => wrap(effect.labels[v] || "", (element.clientWidth - 50) / (last + 1) - 6) + (v === effect.base ? "\n(base)" : "") },
        axisTick: { show: true, customValues: x, lineStyle: { color: t.faint } }, axisLine: { lineStyle: { color: t.faint }, onZero: false }, splitLine: { show: false },
      },
      yAxis: { ...valueAxis(t, metric.unit), splitLine: { showMinLine: false, showMaxLine: false, lineStyle: { color: t.rule, width: 1 } }, min: (v) => (isFinite(low) ? low - room : v.min), max: (v) => (isFinite(high) ? high + room : v.max), axisLabel: { color: t.soft, fontSize: 11, showMinLabel: false, showMaxLabel: false, formatter: (v) => tick(v, metric.unit) } },
      tooltip: {
        ...frame(t).tooltip, trigger: "item",
        formatter: (item) => {
          const point = metric.points[Math.round(item.value[0])];
          const range = point.interval ? `<br>95%: ${write(point.interval[0], metric.unit)} to ${write(point.interval[1], metric.unit)}` : "";
          return `${escape(effect.axis)} = ${escape(effect.labels[Math.round(item.value[0])])}<br><b>${escape(metric.label)} ${write(point.mean, metric.unit)}</b>${range}<br>${point.seeds.length} seeds`;
        },
      },
      series,
    };
  }

  // The drawing is decoration for assistive software: the element's label and the tables say it in words.
  function mount(element, option) {
    const chart = echarts.init(element, null, { renderer: "svg" });
    const draw = () => chart.setOption(option(theme()), true);
    draw();
    charts.push({ chart, draw });
    new ResizeObserver(() => { chart.resize(); draw(); }).observe(element);
    return { chart, draw };
  }

  // The buttons of a legend switch lines on and off in all charts below it.
  function wireLegend(box, state, charts) {
    box.querySelectorAll(".legend button").forEach((button, i) => {
      button.addEventListener("click", () => {
        state.shown[i] = !state.shown[i];
        state.focus = null;
        button.setAttribute("aria-pressed", String(state.shown[i]));
        charts.forEach((c) => c.draw());
      });
      // Pointing at a name brings its line and its spread forward.
      const point = (focus) => () => { state.focus = focus; charts.forEach((c) => c.draw()); };
      button.addEventListener("mouseenter", point(i));
      button.addEventListener("mouseleave", point(null));
    });
  }
  const firstState = (lines) => ({ shown: lines.map((line) => line.shown), focus: null });

  document.querySelectorAll(".charts").forEach((box) => {
    const group = data.groups[Number(box.dataset.group)];
    const state = firstState(group.accounts.lines);
    const both = [["growth", ".equity"], ["drawdown", ".drawdown"]].map(([key, selector]) => {
      const element = box.querySelector(selector);
      return mount(element, (t) => accountOption(group, key, state, t, element));
    });
    echarts.connect(both.map((b) => { b.chart.group = group.id; return b.chart; }));
    wireLegend(box, state, both);
  });

  document.querySelectorAll(".training").forEach((box) => {
    const training = data.groups[Number(box.dataset.group)].training;
    const state = firstState(training.lines);
    const all = [...box.querySelectorAll(".diagnostic")].map((element) =>
      mount(element, (t) => diagnosticOption(training, Number(element.dataset.diagnostic), state, t, element)));
    wireLegend(box, state, all);
  });

  const metricOf = data.groups.map(() => 0);
  const effectCharts = data.groups.map(() => []);
  document.querySelectorAll(".effect").forEach((element) => {
    const g = Number(element.dataset.group);
    const effect = data.groups[g].effects[Number(element.dataset.effect)];
    effectCharts[g].push(mount(element, (t) => effectOption(effect, effect.metrics[metricOf[g]], t, element)));
  });
  document.querySelectorAll(".switch").forEach((box) => {
    const g = Number(box.dataset.group);
    const buttons = [...box.querySelectorAll("button")];
    buttons.forEach((button, i) => button.addEventListener("click", () => {
      metricOf[g] = i;
      buttons.forEach((b, k) => b.setAttribute("aria-pressed", String(k === i)));
      effectCharts[g].forEach((c) => c.draw());
    }));
  });

  const redraw = () => charts.forEach((c) => { c.chart.resize(); c.draw(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  matchMedia("print").addEventListener("change", redraw);
  const opened = [];
  addEventListener("beforeprint", () => {
    document.querySelectorAll("details:not([open])").forEach((d) => { d.open = true; opened.push(d); });
    redraw();
  });
  addEventListener("afterprint", () => {
    opened.splice(0).forEach((d) => { d.open = false; });
    redraw();
  });
})();
