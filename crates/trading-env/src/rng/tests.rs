//! Streams are reproducible and differ by seed and by purpose.

use rand::Rng;

use super::rng;

#[test]
fn a_stream_is_a_function_of_seed_and_purpose() {
    let first = |seed, purpose| rng(seed, purpose).next_u64();
    assert_eq!(first(7, "init"), first(7, "init"));
    assert_ne!(first(7, "init"), first(8, "init"));
    assert_ne!(first(7, "init"), first(7, "action"));
}

#[test]
fn the_key_is_the_digest_of_seed_and_purpose() {
    // printf '7:init' | sha256sum
    let key = "b837e6325ce4b0d83a1adb299226e03b";
    let hex: String = rng(7, "init").get_seed().iter().take(16).map(|b| format!("{b:02x}")).collect();
    assert_eq!(hex, key);
}
