//! The page of a single run.

use serde_json::Value;
use trading_env::Action;

use super::demo::{Demo, HOSTILE};
use super::page::{ablation, input};
use crate::groups::groups;
use crate::run_page::run_page;
use crate::{Curve, ReportInput, render};

/// The rendered page of a run, and its data.
fn rendered(input: &ReportInput, run: usize) -> (String, Value) {
    let out = tempfile::tempdir().unwrap();
    let index = render(input, out.path()).unwrap();
    let page = index.parent().unwrap().join(format!("runs/{}.html", input.runs[run].run_id));
    let html = std::fs::read_to_string(page).unwrap();
    let begin = html.find("id=\"data\">").unwrap() + "id=\"data\">".len();
    let data = serde_json::from_str(&html[begin..begin + html[begin..].find("</script>").unwrap()]).unwrap();
    (html, data)
}

fn with_news() -> ReportInput {
    let demo = Demo { troubled: false, rescored: true, ..ablation(3) };
    demo.input(&demo.plan())
}

#[test]
fn the_timeline_has_a_price_and_an_action_for_every_day() {
    let input = with_news();
    let (html, data) = rendered(&input, 0);
    let account = &data["account"];
    let n = input.runs[0].curve.as_ref().unwrap().dates.len();
    let length = |key: &str| account[key].as_array().unwrap().len();
    assert_eq!(
        (length("dates"), length("prices"), length("growth"), length("positions")),
        (n + 1, n + 1, n + 1, n)
    );
    assert_eq!(account["actions"].as_str().unwrap().len(), n);
    assert_eq!(account["prices"][0], 100.0, "the market knows the first close");
    assert_eq!(length("hold"), n + 1);
    for part in [
        "Tear sheet",
        "The deepest falls",
        "Returns by month",
        "Freeze receipt",
        "Every setting",
        "under other rules",
        "market-1.js",
        "../index.html",
    ] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn news_stay_text() {
    let input = with_news();
    let out = tempfile::tempdir().unwrap();
    let index = render(&input, out.path()).unwrap();
    let folder = index.parent().unwrap();
    let news = std::fs::read_to_string(folder.join("assets/market-1.js")).unwrap();
    assert!(!news.contains('<') && news.contains("\\u003cscript\\u003e"), "no element can begin in the file");
    let html = std::fs::read_to_string(folder.join(format!("runs/{}.html", input.runs[0].run_id))).unwrap();
    assert!(!html.contains(HOSTILE) && !html.contains("<script>alert") && !html.contains("<img"));
    assert!(html.contains("&lt;script&gt;alert"), "it is shown as text");
    // Eight headlines are six and a word on the rest.
    assert!(news.contains("and 2 more"));
}

#[test]
fn without_a_market_the_first_price_and_all_news_are_absent() {
    let input = ReportInput { markets: Vec::new(), ..with_news() };
    let (html, data) = rendered(&input, 0);
    assert_eq!(data["account"]["prices"][0], Value::Null);
    assert!(data["account"]["prices"][1].is_number());
    assert!(!html.contains("market-1.js") && !html.contains("<th scope=\"col\">News</th>"));
}

#[test]
fn a_failed_run_has_a_page_with_its_reason_and_its_training_so_far() {
    let input = input(5);
    let failed = input.runs.iter().position(|r| r.state.word() == "failed").unwrap();
    let (html, data) = rendered(&input, failed);
    assert!(html.contains("diverged at update 17: policy_loss is NaN"));
    assert_eq!(data["account"], Value::Null);
    let last = data["training"]["lines"][0]["steps"].as_array().unwrap().last().unwrap().as_u64();
    assert_eq!(last, Some(17 * 40 * 8), "17 updates of 40 steps in 8 environments");
    assert!(!html.contains("Tear sheet"));
}

/// Dates of the changes of position of an account with these actions, positions, marks and equities.
fn changes(actions: &[Action], positions: &[f64], prices: &[f64], growth: &[f64]) -> Vec<usize> {
    let mut input = with_news();
    let curve = input.runs[0].curve.as_mut().unwrap();
    curve.dates.truncate(actions.len());
    let dates: Vec<String> = curve.dates.iter().map(ToString::to_string).collect();
    let growth = std::iter::once(1.0).chain(growth.iter().copied()).collect();
    let (actions, positions, prices) = (actions.to_vec(), positions.to_vec(), prices.to_vec());
    *curve = Curve { actions, positions, prices, growth, ..curve.clone() };
    let (page, _) = run_page(&input, &groups(&input)[0], &input.runs[0], None, None).unwrap();
    page.decisions.iter().map(|row| dates.iter().position(|date| *date == row.date).unwrap()).collect()
}

#[test]
fn a_position_that_only_drifts_with_the_price_has_not_changed() {
    // Three whole shares of 30 and 10 in cash: the share of equity follows the price. Then two are bought, then all sold.
    let prices = [30.0, 33.0, 27.0, 5.0, 5.0, 6.0];
    let shares = [3.0, 3.0, 3.0, 5.0, 0.0, 0.0];
    let cash = [10.0, 10.0, 10.0, 0.0, 25.0, 25.0];
    let equity: Vec<f64> = (0..6).map(|t| shares[t] * prices[t] + cash[t]).collect();
    let positions: Vec<f64> = (0..6).map(|t| shares[t] * prices[t] / equity[t]).collect();
    let growth: Vec<f64> = equity.iter().map(|e| e / 100.0).collect();
    let [buy, hold, sell] = [Action::Buy, Action::Hold, Action::Sell];
    assert_eq!(changes(&[buy, hold, hold, buy, sell, hold], &positions, &prices, &growth), [0, 3, 4]);
}

#[test]
fn a_short_position_that_is_written_anew_every_day_has_not_changed() {
    // Short at 100, 110, 99 under investor-bench: equity falls and rises, and the shares with it.
    let (prices, growth) = ([110.0, 99.0, 99.0], [100.0 / 110.0, 100.0 / 99.0, 100.0 / 99.0]);
    let actions = [Action::Sell, Action::Sell, Action::Hold];
    assert_eq!(changes(&actions, &[-1.0, -1.0, 0.0], &prices, &growth), [0, 2]);
}

#[test]
fn buy_and_hold_is_named_beside_the_equity_only_where_it_is_drawn() {
    let mut input = with_news();
    let told = "as a multiple of the start, beside Buy &amp; Hold in grey.";
    assert!(rendered(&input, 0).0.contains(told));
    let hold = input.plan.arms.iter().position(|arm| arm.name == "buy-and-hold").unwrap();
    input.runs.iter_mut().filter(|run| run.arm == hold).for_each(|run| run.curve = None);
    let (html, data) = rendered(&input, 0);
    assert_eq!(data["account"]["hold"], Value::Null);
    assert!(html.contains("as a multiple of the start.") && !html.contains("in grey"));
}
