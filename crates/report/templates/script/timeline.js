  // Decisions over the price, with the day's news in the tooltip. News are text of others: they are escaped.
  const WORDS = { s: "sell", h: "hold", b: "buy" };
  const newsOf = (date) => (window.flaglabNews && Object.hasOwn(window.flaglabNews, date) ? window.flaglabNews[date] : []);

  function timelineOption(account, t, element) {
    const { dates, prices, actions, positions } = account;
    // Only where the decision is another one than the day before: a position that is kept needs no mark.
    const at = (letter) => [...actions].flatMap((a, i) => (a === letter && a !== actions[i - 1] && !isAbsent(prices[i]) ? [[i, prices[i]]] : []));
    const marker = (name, letter, symbol, color, offset) => ({
      type: "scatter", name, data: at(letter), symbol, symbolSize: isNarrow(element) ? 6 : 8, symbolOffset: [0, offset],
      itemStyle: { color, opacity: 0.9 }, z: 4, silent: true,
    });
    const said = dates.flatMap((date, i) => (newsOf(date).length && !isAbsent(prices[i]) ? [[i, prices[i]]] : []));
    const share = { ...valueAxis(t, "fraction"), gridIndex: 1, splitNumber: 2, min: Math.min(0, ...positions), max: Math.max(1, ...positions) };
    return {
      ...frame(t),
      grid: [{ left: 58, right: 14, top: 12, height: "62%" }, { left: 58, right: 14, top: "74%", height: "12%" }],
      xAxis: [dateAxis(dates, t, element), { ...dateAxis(dates, t, element), gridIndex: 1, axisLabel: { show: false } }],
      yAxis: [valueAxis(t, "number"), share],
      axisPointer: { link: [{ xAxisIndex: "all" }] },
      dataZoom: [
        { type: "inside", xAxisIndex: [0, 1], zoomOnMouseWheel: "ctrl" },
        { type: "slider", xAxisIndex: [0, 1], height: 16, bottom: 4, borderColor: t.rule, fillerColor: "rgba(128,128,128,.16)", handleStyle: { color: t.grey }, textStyle: { color: t.soft, fontSize: 10 }, brushSelect: false, showDataShadow: false },
      ],
      tooltip: axisTooltip(t, (items) => {
        const i = items[0].dataIndex;
        const line = (label, text) => `<div><span style="color:${t.soft}">${label}</span> ${text}</div>`;
        const parts = [`<div style="color:${t.soft}">${escape(dates[i])}</div>`, line("close", isAbsent(prices[i]) ? "–" : digits(prices[i], 6))];
        if (i < actions.length) parts.push(line("decision", `<b>${WORDS[actions[i]]}</b>, position then ${number(positions[i], 2)}`));
        newsOf(dates[i]).forEach((text) => parts.push(`<div style="max-width:26rem;white-space:normal;overflow-wrap:anywhere;margin-top:4px">${escape(text)}</div>`));
        return parts.join("");
      }),
      series: [
        { type: "line", name: "close", data: prices, showSymbol: false, silent: true, lineStyle: { color: t.grey, width: 1.4 }, itemStyle: { color: t.grey }, z: 2 },
        marker("buy", "b", "triangle", t.hue[0], 9),
        { ...marker("sell", "s", "triangle", t.hue[1], -9), symbolRotate: 180 },
        { ...marker("hold", "h", "rect", t.hue[2], 0), symbolSize: 5 },
        { type: "scatter", name: "news", data: said, symbol: "circle", symbolSize: 4, itemStyle: { color: t.paper, borderColor: t.ink, borderWidth: 1 }, z: 3, silent: true },
        { type: "line", name: "position", xAxisIndex: 1, yAxisIndex: 1, data: positions, step: "end", showSymbol: false, silent: true, lineStyle: { color: t.hue[2], width: 1.2 }, areaStyle: { color: t.hue[2], opacity: 0.18 }, itemStyle: { color: t.hue[2] } },
      ],
    };
  }
  function timelineRows({ dates, prices, actions, positions, growth }) {
    const row = (date, i) => [date, prices[i], i < actions.length ? WORDS[actions[i]] : null, isAbsent(positions[i]) ? null : positions[i], growth[i], newsOf(date).join(" | ")];
    return [["date", "close", "action", "position", "equity", "news"], ...dates.map(row)];
  }

