//! What the cache is asked for: a shared part, which own parts continue, or a prompt that nothing continues.

use super::{Boundaries, Key};
use crate::LlmError;
use crate::body::{Body, SharedPart};

/// A request.
pub(super) struct Ask<'a> {
    pub body: &'a Body,
    /// Tokens to be read.
    pub ids: &'a [u32],
    /// What stands before them and has been read: with it they are a whole prompt, of which no keys and values are kept.
    beginning: Option<&'a SharedPart>,
    expected: &'a Boundaries,
}

impl<'a> Ask<'a> {
    /// For a shared part.
    pub fn shared(body: &'a Body, ids: &'a [u32], expected: &'a Boundaries) -> Self {
        Self { body, ids, beginning: None, expected }
    }

    /// For what follows the beginning of a whole prompt.
    pub fn whole(
        body: &'a Body,
        beginning: &'a SharedPart,
        ids: &'a [u32],
        expected: &'a Boundaries,
    ) -> Self {
        Self { body, ids, beginning: Some(beginning), expected }
    }

    /// Under which it is held.
    pub fn key(&self) -> Key {
        let backbone = self.body.backbone();
        match self.beginning {
            None => Key::new(backbone, self.ids),
            // No token has this number, so no shared part has these tokens.
            Some(beginning) => Key::new(backbone, &[beginning.ids(), &[u32::MAX], self.ids].concat()),
        }
    }

    /// The tokens as no layer has read them yet.
    pub fn unread(&self) -> Result<SharedPart, LlmError> {
        self.body.unread_after(self.beginning.map_or(0, |beginning| beginning.ids().len()), self.ids)
    }

    /// Whether `part` holds all that the body reads of it.
    pub fn is_covered_by(&self, part: &SharedPart) -> bool {
        match self.beginning {
            None => self.body.is_covered_by(part),
            Some(_) => part.has_hidden(self.body.boundary()),
        }
    }

    /// The part with all that the body reads of it, and what is expected of it on the way.
    pub fn extend(&self, part: SharedPart) -> SharedPart {
        if self.is_covered_by(&part) {
            return part;
        }
        let expected = self.expected.get();
        match self.beginning {
            None => self.body.extend_shared(part, &expected),
            Some(beginning) => self.body.extend_whole(part, beginning, &expected),
        }
    }
}
