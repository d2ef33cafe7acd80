// Draws what `cargo xtask bench --growth` measured: `node growth.js FILE.svg < POINTS`, where each line of the points is
// `panel TAB curve TAB x TAB value`. Values are multiples of a curve's first point, x too; the axes of a panel are
// logarithmic with the same base, so that growth in proportion is the dashed diagonal. Chart library: the one of the
// reports. The background is transparent, and all colours have contrast with white as with near black.

const fs = require("fs");
const path = require("path");
const echarts = require(path.join(__dirname, "../crates/report/vendor/echarts/echarts.common.min.js"));

const TEXT = "#767676";
const COLOURS = ["#3b82f6", "#d97706", "#16a34a", "#a855f7", "#ef4444", "#0d9488"];
const SYMBOLS = ["circle", "triangle", "rect", "diamond", "emptyCircle", "emptyTriangle"];
const DIAGONAL = "- - -  in proportion";
const SIZE = { width: 1020, height: 400 };

/** Curves of each panel by name, in order of appearance, with points relative to their first. */
function parse(text) {
  const panels = new Map();
  for (const line of text.split("\n").filter((line) => line !== "")) {
    const words = line.split("\t");
    const [x, value] = words.slice(2).map(Number);
    if (words.length !== 4 || !(x > 0 && value > 0)) {
      throw new Error(`expected \`panel TAB curve TAB x TAB value\` with numbers above 0, found \`${line}\``);
    }
    const [panel, curve] = words;
    if (!panels.has(panel)) panels.set(panel, new Map());
    const curves = panels.get(panel);
    if (!curves.has(curve)) curves.set(curve, []);
    const points = curves.get(curve);
    points.push({ x, value });
  }
  for (const curves of panels.values()) {
    for (const [curve, points] of curves) {
      curves.set(curve, points.map(({ x, value }) => [x / points[0].x, value / points[0].value]));
    }
  }
  return panels;
}

function options(panels) {
  const names = [...panels.keys()];
  const width = 100 / names.length;
  const option = { animation: false, title: [], legend: [], grid: [], xAxis: [], yAxis: [], series: [] };
  option.textStyle = { fontFamily: "sans-serif" };
  names.forEach((name, i) => {
    const curves = [...panels.get(name)];
    const points = curves.flatMap(([, points]) => points);
    const widest = Math.max(...points.map(([x]) => x));
    const base = widest > 10 ? 10 : 2;
    const whole = (round, value) => base ** round(Math.log(value) / Math.log(base));
    const right = whole(Math.round, widest);
    const top = whole(Math.ceil, Math.max(right, ...points.map(([, y]) => y)) * 0.99);
    const bottom = whole(Math.floor, Math.min(1, ...points.map(([, y]) => y)) * 1.01);
    const axis = (min, max) => ({
      type: "log",
      logBase: base,
      min,
      max,
      gridIndex: i,
      axisLabel: { color: TEXT, formatter: (value) => `×${Number(value.toPrecision(3))}` },
      axisLine: { show: true, lineStyle: { color: TEXT } },
      splitLine: { lineStyle: { color: TEXT, opacity: 0.25 } },
    });
    option.title.push({ text: name, left: `${width * (i + 0.55)}%`, textAlign: "center", top: 4, textStyle: { color: TEXT, fontSize: 14 } });
    option.grid.push({ left: `${width * i + 5}%`, width: `${width - 7}%`, top: 36, height: 230 });
    option.xAxis.push(axis(1, right));
    option.yAxis.push(axis(bottom, top));
    const drawn = curves.map(([curve, data], c) => ({
      name: curve,
      type: "line",
      xAxisIndex: i,
      yAxisIndex: i,
      data,
      symbol: SYMBOLS[c % SYMBOLS.length],
      symbolSize: 8,
      lineStyle: { width: 2 },
      color: COLOURS[c % COLOURS.length],
    }));
    drawn.push({
      name: DIAGONAL,
      type: "line",
      xAxisIndex: i,
      yAxisIndex: i,
      data: [[1, 1], [right, right]],
      symbol: "none",
      lineStyle: { width: 1, type: "dashed" },
      color: TEXT,
    });
    option.series.push(...drawn);
  });
  // Panels of the same curves share their legend.
  const groups = new Map();
  names.forEach((name, i) => {
    const key = [...panels.get(name).keys()].join();
    groups.set(key, [...(groups.get(key) ?? []), i]);
  });
  for (const places of groups.values()) {
    const data = [...panels.get(names[places[0]]).keys(), { name: DIAGONAL, icon: "none" }];
    const left = `${width * places[0] + 4}%`;
    option.legend.push({ data, left, top: 305, width: `${width * places.length - 6}%`, itemGap: 14, textStyle: { color: TEXT, fontSize: 13 } });
  }
  return option;
}

const [file] = process.argv.slice(2);
const chart = echarts.init(null, null, { renderer: "svg", ssr: true, ...SIZE });
chart.setOption(options(parse(fs.readFileSync(0, "utf8"))));
fs.writeFileSync(file, `${chart.renderToSVGString()}\n`);
// Its clock would keep the process alive.
chart.dispose();
