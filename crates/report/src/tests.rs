//! The page of a made-up sweep, and its parts.

mod claims;
mod compare;
mod demo;
mod effects;
mod evidence;
mod gate;
mod index;
mod judged;
mod many;
mod numbers;
mod page;
mod run_page;
mod tables;
mod text;
mod training;
mod verdict;
mod warnings;
