  // Arms under one another, each with its mean and interval; baselines in grey, Buy & Hold as a line.
  const shorten = (text, n) => (text.length > n ? text.slice(0, n - 1) + "…" : text);
  function forestOption(forest, t, element) {
    const rows = forest.rows;
    const look = (row) => (row.role === "arm" ? t.hue[0] : t.grey);
    const whiskers = rows.flatMap((row, i) => (row.interval ? [{
      type: "line", silent: true, symbol: "rect", symbolSize: [2, 9], data: row.interval.map((v) => [v, i]),
      lineStyle: { color: look(row), width: 2 }, itemStyle: { color: look(row) }, z: 3,
    }] : []));
    const seeds = {
      type: "scatter", silent: true, symbolSize: 4, z: 2,
      data: rows.flatMap((row, i) => row.seeds.map((v) => ({ value: [v, i], itemStyle: { color: look(row), opacity: 0.35 } }))),
    };
    const means = {
      type: "scatter", z: 4, symbolSize: 9,
      data: rows.map((row, i) => ({ value: [row.mean, i], symbol: row.role === "arm" ? "circle" : row.role === "control" ? "triangle" : "diamond", itemStyle: { color: look(row), opacity: 1 } })),
    };
    if (forest.reference) {
      means.markLine = { silent: true, symbol: "none", animation: false, z: 1, data: [{ xAxis: forest.reference[1], lineStyle: { color: t.grey, type: [6, 4], width: 1.3 }, label: { show: false } }] };
    }
    const all = rows.flatMap((row) => [...row.seeds, ...(row.interval || [])]).concat(forest.reference ? [forest.reference[1]] : []);
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const room = (high - low || Math.abs(high) || 1) * 0.05;
    const letters = isNarrow(element) ? 15 : 28;
    return {
      ...frame(t), grid: { ...grid, left: 2, top: 6 },
      xAxis: { ...valueAxis(t, forest.unit), min: low - room, max: high + room, axisLabel: { color: t.soft, fontSize: 11, hideOverlap: true, showMinLabel: false, showMaxLabel: false, formatter: (v) => tick(v, forest.unit) } },
      yAxis: {
        type: "category", inverse: true, data: rows.map((row) => row.name),
        axisLabel: { color: t.ink, fontSize: 11, interval: 0, formatter: (name) => shorten(name, letters) },
        axisLine: { show: false }, axisTick: { show: false },
      },
      tooltip: { ...frame(t).tooltip, trigger: "item", formatter: (item) => pointTold(rows[item.value[1]].name, forest.title, rows[item.value[1]], forest.unit) },
      series: [...whiskers, seeds, means],
    };
  }
  function forestRows(forest) {
    const row = (r) => [r.name, r.role, r.seeds.length, r.mean, ...(r.interval || [null, null])];
    return [["name", "role", "seeds", "mean", "low", "high"], ...forest.rows.map(row)];
  }

