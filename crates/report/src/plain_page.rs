//! Pages of tables without charts: the look of the report, and its tables that sort, filter and save as CSV.

use std::path::PathBuf;

use serde::Serialize;
use tera::{Context, Tera};

use crate::ReportError;
use crate::publish::publish;

const COMPONENTS: &str = include_str!("../templates/components.html");
const STYLE: &str = include_str!("../templates/report.css");
const SCRIPT: &str = concat!(
    "\"use strict\";\n(function () {\n",
    include_str!("../templates/script/numbers.js"),
    include_str!("../templates/script/tables.js"),
    "  wireTables(document.body.dataset.name);\n})();\n",
);

/// Writes a page of tables to `path` and returns it: the Tera `template` with `page`, `style` and `script` in its
/// context and the report's components at hand. It replaces an older page at once, when it is complete.
///
/// # Errors
/// When the template does not fit `page` or the file cannot be written.
pub fn publish_page(path: PathBuf, template: &str, page: &impl Serialize) -> Result<PathBuf, ReportError> {
    publish(path, &plain_page(template, page)?)
}

/// `template` with `page`, `style` and `script`.
pub(crate) fn plain_page(template: &str, page: &impl Serialize) -> Result<String, ReportError> {
    let mut tera = Tera::default();
    tera.add_raw_templates([("components.html", COMPONENTS), ("page.html", template)])?;
    let mut context = Context::new();
    context.insert("page", page);
    context.insert("style", STYLE);
    context.insert("script", SCRIPT);
    Ok(tera.render("page.html", &context)?)
}
