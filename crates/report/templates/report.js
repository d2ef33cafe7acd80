"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const minus = "\u2212";
  const charts = [];

  // Values as in the tables: a real minus sign, percent with one decimal.
  function number(value, decimals) {
    const text = Math.abs(value).toFixed(decimals).replace(/\B(?=(\d{3})+(?!\d))/g, ",");
    return (value < 0 && Number(text) !== 0 ? minus : "") + text;
  }
  function write(value, unit) {
    if (value === null || value === undefined) return "–";
    return unit === "fraction" ? number(value * 100, 1) + "%" : number(value, 2);
  }
  // For axis labels, where decimals that say nothing are noise.
  function tick(value, unit) {
    const shown = unit === "fraction" ? value * 100 : value;
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

  // Bands of many arms on top of each other are mud: the more there are, the fainter each.
  const accountCrowd = (group, shown) => group.accounts.lines.filter((line, i) => shown[i] && line.growth.low).length;

  // A line per arm; its spread is a polygon from the lowest seed up to the highest.
  function accountOption(group, key, state, t, element) {
    const { shown, focus } = state;
    const crowd = accountCrowd(group, shown);
    const unit = key === "growth" ? "ratio" : "fraction";
    const accounts = group.accounts;
    const series = [];
    accounts.lines.forEach((line, i) => {
      if (!shown[i] && focus !== i) return;
      const dimmed = focus !== null && focus !== i;
      const band = line[key];
      const base = { type: "line", showSymbol: false, silent: true, z: line.look.hue === null ? 2 : 3 };
      if (band.low && !dimmed) {
        const bottom = { ...base, z: 1, lineStyle: { width: 0 }, stack: "band" + i, stackStrategy: "all", tooltip: { show: false } };
        series.push({ ...bottom, data: band.low });
        series.push({ ...bottom, data: band.high.map((h, k) => h - band.low[k]), areaStyle: { color: colour(line.look, t), opacity: focus === i ? 0.24 : crowd > 3 ? 0.07 : 0.16 } });
      }
      series.push({
        ...base, name: line.name, data: band.mean,
        lineStyle: { color: colour(line.look, t), width: focus === i ? 2.6 : line.look.hue === null ? 1.5 : 1.9, opacity: dimmed ? 0.22 : 1, type: dash(line.look).length ? dash(line.look) : "solid" },
        itemStyle: { color: colour(line.look, t) },
      });
    });
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
      tooltip: {
        ...frame(t).tooltip, trigger: "axis", axisPointer: { type: "line", lineStyle: { color: t.faint, type: "solid" } },
        formatter: (items) => {
          const k = items[0].dataIndex;
          const rows = accounts.lines.map((line, i) => [line, i]).filter(([, i]) => shown[i] || focus === i)
            .sort((a, b) => b[0][key].mean[k] - a[0][key].mean[k])
            .map(([line]) => {
              const band = line[key];
              const range = band.low && !isNarrow(element) ? ` <span style="color:${t.faint}">${write(band.low[k], unit)} to ${write(band.high[k], unit)}</span>` : "";
              return `<tr><td style="padding:0 10px 0 0;border:0"><span style="color:${colour(line.look, t)}">\u25CF</span> ${escape(line.name)}</td>` +
                `<td style="padding:0;border:0;text-align:right">${write(band.mean[k], unit)}${range}</td></tr>`;
            });
          return `<div style="color:${t.soft}">${escape(accounts.dates[k])}</div><table style="width:auto;font-size:12px;line-height:1.5">${rows.join("")}</table>`;
        },
      },
      series,
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

  document.querySelectorAll(".charts").forEach((box) => {
    const group = data.groups[Number(box.dataset.group)];
    const state = { shown: group.accounts.lines.map((line) => line.shown), focus: null };
    const both = [["growth", ".equity"], ["drawdown", ".drawdown"]].map(([key, selector]) => {
      const element = box.querySelector(selector);
      return mount(element, (t) => accountOption(group, key, state, t, element));
    });
    echarts.connect(both.map((b) => { b.chart.group = group.id; return b.chart; }));
    box.querySelectorAll(".legend button").forEach((button, i) => {
      button.addEventListener("click", () => {
        state.shown[i] = !state.shown[i];
        state.focus = null;
        button.setAttribute("aria-pressed", String(state.shown[i]));
        both.forEach((b) => b.draw());
      });
      // Pointing at a name brings its line and its spread forward.
      const point = (focus) => () => { state.focus = focus; both.forEach((b) => b.draw()); };
      button.addEventListener("mouseenter", point(i));
      button.addEventListener("mouseleave", point(null));
    });
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
