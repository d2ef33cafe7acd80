//! End-to-end tests: the command line in a temporary folder, from arguments to exit code, output and files.

// Helpers are part of the tests: what goes wrong in them is the failure of the test.
#![allow(clippy::unwrap_used)]

mod bad_input;
mod completions;
mod dataset;
mod dataset_fetch;
mod evaluate;
mod export;
mod failures;
mod folder;
mod gc;
// The files that the tests of `gguf` read.
#[path = "../../crates/gguf/src/testing.rs"]
mod gguf_file;
mod growth;
mod import;
mod init;
// The server that the tests of `hub` use.
#[path = "../../crates/hub/src/loopback.rs"]
mod loopback;
mod metrics;
mod model;
mod new;
mod paper;
mod plugins;
mod program;
mod report;
mod rescored;
mod search;
mod sharing;
mod slurm;
mod status;
mod sweep;
mod trials;
mod typos;
mod walk_forward;
mod why;
