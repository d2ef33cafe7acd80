//! Scores decisions under trading rules.
