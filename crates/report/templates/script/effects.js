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

  // Means with whiskers over the values of one setting; single seeds as dots beside them.
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
      grid: { ...grid, right: 8, top: 14 },
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
        formatter: (item) => pointTold(`${effect.axis} = ${effect.labels[Math.round(item.value[0])]}`, metric.label, metric.points[Math.round(item.value[0])], metric.unit),
      },
      series,
    };
  }

  // A mean over seeds with its interval, for tooltips.
  function pointTold(title, label, point, unit) {
    const range = point.interval ? `<br>95%: ${write(point.interval[0], unit)} to ${write(point.interval[1], unit)}` : "";
    const s = point.seeds.length === 1 ? "" : "s";
    return `${escape(title)}<br><b>${escape(label)} ${write(point.mean, unit)}</b>${range}<br>${point.seeds.length} seed${s}`;
  }

  // One row per value and score.
  function effectRows(effect) {
    const rows = [[effect.axis, "score", "seeds", "mean", "low", "high"]];
    effect.metrics.forEach((metric) => metric.points.forEach((p, i) => {
      const [low, high] = p.interval || [null, null];
      rows.push([effect.labels[i], metric.label, p.seeds.length, p.mean, low, high]);
    }));
    return rows;
  }

