//! The page of a made-up sweep, and its parts.

mod claims;
mod compare;
pub(crate) mod demo;
mod effects;
mod evidence;
mod gate;
mod index;
mod judged;
mod many;
mod numbers;
pub(crate) mod page;
mod pooled;
mod run_page;
mod selection;
mod tables;
mod text;
mod training;
pub(crate) mod twins;
mod verdict;
mod warnings;
