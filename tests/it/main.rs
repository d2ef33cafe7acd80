//! End-to-end tests: the command line in a temporary folder, from arguments to exit code, output and files.

mod bad_input;
mod dataset;
mod evaluate;
mod failures;
mod folder;
mod metrics;
mod plugins;
mod sweep;
