//! Sizes: a page with 200 runs, and one with 1,000.

use std::path::Path;

use serde_json::{Value, json};
use trading_env::Role;

use super::demo::many;
use crate::arm_page::arm_page;
use crate::groups::groups;
use crate::render::html;
use crate::{ReportInput, render};

const MEGABYTE: usize = 1_000_000;

fn input(arms: usize, seeds: u64, days: usize, updates: u32) -> ReportInput {
    let (demo, plan) = many(arms, seeds, days, updates);
    demo.input(&plan)
}

fn data(html: &str) -> Value {
    let begin = html.find("id=\"data\">").unwrap() + "id=\"data\">".len();
    serde_json::from_str(&html[begin..begin + html[begin..].find("</script>").unwrap()]).unwrap()
}

#[test]
fn a_page_with_200_runs_is_below_3_megabytes_and_lists_them_all() {
    // 36 arms and 4 baselines, 5 seeds each.
    let input = input(36, 5, 504, 150);
    assert_eq!(input.runs.len(), 200);
    let html = html(&input).unwrap();
    assert!(html.len() < 3 * MEGABYTE, "{} bytes", html.len());
    assert_eq!(html.matches("href=\"runs/").count(), 200, "every run is linked");
    let data = data(&html);
    assert_eq!(data["groups"][0]["accounts"]["lines"].as_array().unwrap().len(), 40);
    assert_eq!(data["groups"][0]["training"]["lines"].as_array().unwrap().len(), 36);
}

#[test]
fn with_more_runs_arms_have_pages_of_their_own() {
    let input = input(60, 4, 60, 4);
    let out = tempfile::tempdir().unwrap();
    let index = render(&input, out.path()).unwrap();
    let html = std::fs::read_to_string(&index).unwrap();
    assert_eq!(
        html.matches("href=\"arms/").count(),
        2 * 64,
        "two tables of scores name every arm and baseline"
    );
    assert!(!html.contains("href=\"runs/"));
    let drawn = data(&html);
    let lines = drawn["groups"][0]["accounts"]["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 48 + 4, "the first arms and all baselines");
    assert_eq!(drawn["groups"][0]["training"], json!(null));
    assert!(html.contains("12 further arms are drawn on their own pages"));
    // Every link leads somewhere.
    let folder = index.parent().unwrap();
    links(&html).for_each(|link| assert!(folder.join(&link).is_file(), "{link}"));
    let arm = std::fs::read_to_string(folder.join("arms/01.html")).unwrap();
    let to_runs: Vec<String> = links(&arm).filter(|l| l.starts_with("../runs/")).collect();
    assert_eq!(to_runs.len(), 4);
    // Both kinds of charts have switches: beyond the sixth, seeds are not drawn at first.
    let seeds = |section: &str| {
        let rest = arm.split(&format!("<section id=\"{section}\">")).nth(1).unwrap();
        rest.split("</section>").next().unwrap().matches("<button type=\"button\" aria-pressed").count()
    };
    assert_eq!((seeds("accounts"), seeds("training")), (4 + 1, 4), "all seeds, and Buy & Hold");
    assert!(arm.contains("The charts of training need scripts"));
    for link in links(&arm) {
        assert!(folder.join("arms").join(&link).is_file(), "{link}");
    }
    let run = std::fs::read_to_string(folder.join("arms").join(&to_runs[0])).unwrap();
    for link in links(&run) {
        assert!(folder.join("runs").join(&link).is_file(), "{link}");
    }
}

/// Files that a page links.
fn links(html: &str) -> impl Iterator<Item = String> {
    let attributes = ["href=\"", "src=\""];
    let found = attributes.map(|attribute| html.split(attribute).skip(1));
    let all = found.into_iter().flatten().filter_map(|rest| rest.split('"').next());
    all.filter(|link| link.ends_with(".html") || link.starts_with("../"))
        .map(str::to_owned)
        .collect::<Vec<_>>()
        .into_iter()
}

#[test]
fn rendering_1000_runs_writes_them_all() {
    let input = input(196, 5, 252, 20);
    assert_eq!(input.runs.len(), 1_000);
    assert_eq!(input.plan.arms.iter().filter(|a| a.role == Role::Arm).count(), 196);
    let out = tempfile::tempdir().unwrap();
    let start = std::time::Instant::now();
    let index = render(&input, out.path()).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!("1,000 runs in {seconds:.2} s");
    let count = |folder: &str| std::fs::read_dir(index.parent().unwrap().join(folder)).unwrap().count();
    assert_eq!((count("runs"), count("arms")), (1_000, 200));
    assert!(size(&index) < 3 * MEGABYTE, "{} bytes", size(&index));
}

fn size(path: &Path) -> usize {
    usize::try_from(std::fs::metadata(path).unwrap().len()).unwrap()
}

#[test]
fn seeds_beyond_the_sixth_are_one_click_away_in_the_charts_of_training() {
    let input = input(1, 8, 30, 2);
    let (page, charts) = arm_page(&input, &groups(&input)[0], 0, None, Vec::new());
    let shown: Vec<bool> = page.training_legend.iter().map(|item| item.shown).collect();
    assert_eq!((shown.len(), page.training_hidden), (8, 2));
    // In the order of the lines, which the script goes by.
    let lines = charts.training.unwrap().lines;
    assert!(lines.iter().zip(&page.training_legend).all(|(line, item)| line.name == item.name));
    assert_eq!(shown, lines.iter().map(|line| line.shown).collect::<Vec<_>>());
}
