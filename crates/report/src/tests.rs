//! The page of a made-up sweep, and its parts.

mod compare;
mod demo;
mod gate;
mod index;
mod numbers;
mod page;
mod text;
mod training;
mod warnings;
