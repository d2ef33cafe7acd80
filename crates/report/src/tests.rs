//! The page of a made-up sweep, and its parts.

mod demo;
mod numbers;
mod page;
mod training;
mod warnings;
