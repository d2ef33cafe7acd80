//! Parity
