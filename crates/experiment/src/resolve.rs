//! From a section as written to a section with every key, and what is wrong with it.

use plugin::ParamError;
use serde_json::Value;

use crate::sections::Section;

/// A section with defaults filled.
pub(crate) struct Resolved {
    pub value: Value,
    pub errors: Vec<ParamError>,
}

pub(crate) fn section(_section: &Section, _written: Option<&Value>) -> Resolved {
    todo!()
}
