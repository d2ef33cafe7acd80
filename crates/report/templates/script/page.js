  // The page: what its data hold is drawn where its elements stand.
  const data = JSON.parse(document.getElementById("data").textContent);
  const all = (selector, box = document) => [...box.querySelectorAll(selector)];

  function wireTraining(training, box, prefix) {
    const state = firstState(training.lines);
    wireLegend(box, state, all(".diagnostic", box).map((element) => {
      const d = Number(element.dataset.diagnostic);
      return mountLines(element, ofDiagnostic(training, d), state, `${prefix}-training-${training.diagnostics[d].label}`);
    }));
  }

  function wireFigures(figures, box, state, prefix) {
    return all(".line-chart", box).map((element) => {
      const figure = figures[Number(element.dataset.figure)];
      return mountLines(element, ofFigure(figure), state, `${prefix}-${figure.key}`);
    });
  }

  function wireGroup(group, index) {
    const prefix = `${data.experiment}-${group.heading}`;
    const own = (selector) => all(`${selector}[data-group="${index}"]`);
    own(".charts").forEach((box) => {
      const state = firstState(group.accounts.lines);
      const both = [["growth", ".equity"], ["drawdown", ".drawdown"]].map(([key, selector]) =>
        mountLines(box.querySelector(selector), ofAccounts(group.accounts, key), state, `${prefix}-${key}`));
      both.forEach((entry) => { entry.group = group.id; });
      echarts.connect(group.id);
      wireLegend(box, state, [...both, ...wireFigures(group.figures, box, state, prefix)]);
    });
    own(".forest").forEach((element) => {
      const forest = group.forests[Number(element.dataset.forest)];
      mount(element, (t) => forestOption(forest, t, element), `${prefix}-${forest.key}`, () => forestRows(forest));
    });
    own(".training").forEach((box) => wireTraining(group.training, box, prefix));
    let metric = 0;
    const effects = own(".effect").map((element) => {
      const effect = group.effects[Number(element.dataset.effect)];
      return mount(element, (t) => effectOption(effect, effect.metrics[metric], t, element), `${prefix}-${effect.axis}`, () => effectRows(effect));
    });
    own(".switch").forEach((box) => {
      const buttons = all("button", box);
      buttons.forEach((button, i) => button.addEventListener("click", () => {
        metric = i;
        buttons.forEach((b, k) => b.setAttribute("aria-pressed", String(k === i)));
        effects.forEach((entry) => entry.draw());
      }));
    });
  }

  function wireRun(run) {
    if (run.account) {
      const { account } = run;
      const timeline = document.querySelector(".timeline");
      mount(timeline, (t) => timelineOption(account, t, timeline), `${run.name}-timeline`, () => timelineRows(account));
      const line = (name, hue, values) => ({ name, look: { hue, dash: 0 }, shown: true, n: 1, band: { mean: values } });
      const figure = (unit, lines) => ({ xLabel: "date", labels: account.dates, unit, lines });
      const lines = [line("this run", 0, account.growth)];
      if (account.hold) lines.push(line("Buy & Hold", null, account.hold));
      const falls = [line("this run", 0, account.drawdown)];
      const state = firstState(lines);
      mountLines(document.querySelector(".equity"), figure("ratio", lines), state, `${run.name}-equity`);
      mountLines(document.querySelector(".drawdown"), figure("fraction", falls), state, `${run.name}-drawdown`);
    }
    if (run.training) all(".training").forEach((box) => wireTraining(run.training, box, run.name));
  }

  function wireArm(arm) {
    all(".charts").forEach((box) => {
      const state = firstState(arm.figures[0].lines);
      wireLegend(box, state, wireFigures(arm.figures, box, state, arm.name));
    });
    if (arm.training) all(".training").forEach((box) => wireTraining(arm.training, box, arm.name));
  }

  if (data.groups) data.groups.forEach(wireGroup);
  else if (data.figures) wireArm(data);
  else wireRun(data);
  wireTables(data.experiment || data.name);
  watch();
