//! Round trips, crashes, locks and attempts, on real folders.

mod attempts;
mod files;
mod leases;
mod resume;
mod sample;
mod summary;
