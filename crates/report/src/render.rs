//! Writes the page.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use tera::{Context, Tera};

use crate::page::page;
use crate::{ReportError, ReportInput};

const TEMPLATE: &str = include_str!("../templates/report.html");
const STYLE: &str = include_str!("../templates/report.css");
const SCRIPT: &str = include_str!("../templates/report.js");
const CHARTS: &str = include_str!("../vendor/echarts/echarts.common.min.js");

/// Writes `<out>/<experiment>/index.html` and returns its path. The file replaces an older one at once, when it is
/// complete.
pub fn render(input: &ReportInput, out: &Path) -> Result<PathBuf, ReportError> {
    let html = html(input)?;
    let dir = out.join(&input.plan.experiment);
    let path = dir.join("index.html");
    let io = |source| ReportError::Io { path: path.clone(), source };
    fs::create_dir_all(&dir).map_err(io)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix("index.html.").suffix(".tmp");
    // The umask decides who may read a report, not the temporary file's default of 0600.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(&dir).map_err(io)?;
    file.write_all(html.as_bytes()).map_err(io)?;
    file.persist(&path).map_err(|e| io(e.error))?;
    Ok(path)
}

pub(crate) fn html(input: &ReportInput) -> Result<String, ReportError> {
    let (page, charts) = page(input);
    let mut tera = Tera::default();
    tera.add_raw_template("report.html", TEMPLATE)?;
    let mut context = Context::new();
    context.insert("page", &page);
    context.insert("chart_data", &script_json(&serde_json::to_string(&charts)?));
    context.insert("style", STYLE);
    context.insert("script", SCRIPT);
    context.insert("charts", CHARTS);
    Ok(tera.render("report.html", &context)?)
}

/// JSON that may stand in a script element: no character of it can end the element or begin a comment or entity, and
/// every parser of JSON reads the same text from it.
pub(crate) fn script_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out
}
