//! One module per command: its arguments and what it does.

pub(crate) mod completions;
pub(crate) mod dataset;
pub(crate) mod diff;
pub(crate) mod evaluate;
pub(crate) mod export;
pub(crate) mod gc;
pub(crate) mod init;
pub(crate) mod metrics;
pub(crate) mod model;
pub(crate) mod new;
pub(crate) mod options;
pub(crate) mod paper;
pub(crate) mod plugins;
pub(crate) mod report;
pub(crate) mod status;
pub(crate) mod sweep;
pub(crate) mod why;
