//! The page of a made-up sweep, and its parts.

mod claims;
mod demo;
mod many;
mod numbers;
mod page;
mod run_page;
mod tables;
mod training;
mod verdict;
mod warnings;
