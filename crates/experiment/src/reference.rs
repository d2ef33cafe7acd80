//! The reference of every key, from doc comments.

use crate::Sections;

/// Markdown reference of every key that an experiment file may have.
pub fn options_markdown(_sections: &Sections) -> String {
    todo!()
}
