//! The page of a single run.

use serde_json::Value;

use super::demo::{Demo, HOSTILE};
use super::page::{ablation, input};
use crate::{ReportInput, render};

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
