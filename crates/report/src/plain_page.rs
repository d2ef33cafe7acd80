//! Pages of tables without charts: the look of the report, and its tables that sort, filter and save as CSV.

use serde::Serialize;
use tera::{Context, Tera};

use crate::ReportError;

const COMPONENTS: &str = include_str!("../templates/components.html");
const STYLE: &str = include_str!("../templates/report.css");
const SCRIPT: &str = concat!(
    "\"use strict\";\n(function () {\n",
    include_str!("../templates/script/numbers.js"),
    include_str!("../templates/script/tables.js"),
    "  wireTables(document.body.dataset.name);\n})();\n",
);

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
