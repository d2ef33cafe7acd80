use super::*;

use std::collections::HashMap;

use proptest::prelude::*;

fn key(i: u8) -> Key {
    Key([i; 32])
}

/// A store of so many blocks of 16 bytes.
fn store(blocks: u64) -> Spill {
    Spill::with(16 * blocks, 16, None)
}

#[test]
fn pieces_come_back_until_others_need_their_room() {
    let store = store(5);
    store.put(key(1), b"shorter");
    store.put(key(2), b"exactly 16 bytes");
    store.put(key(3), b"longer than a block of 16 bytes is");
    assert_eq!(store.size(), SpillSize { entries: 3, bytes: 5 * 16 });
    assert_eq!(store.get(key(1)).unwrap(), b"shorter", "now 2 is the oldest");
    store.put(key(4), b"in the place of 2");
    assert_eq!(store.get(key(2)), None);
    assert_eq!(store.get(key(3)), None, "2 has one block, two were needed");
    assert_eq!(store.get(key(4)).unwrap(), b"in the place of 2");
    assert_eq!(store.get(key(1)).unwrap(), b"shorter");
    store.put(key(1), b"of another length");
    assert_eq!(store.get(key(1)).unwrap(), b"of another length");
    assert_eq!(store.size(), SpillSize { entries: 2, bytes: 4 * 16 });
    assert!(store.takes(5 * 16) && !store.takes(5 * 16 + 1));
    store.put(key(5), &[0; 5 * 16 + 1]);
    assert_eq!((store.get(key(5)), store.size().entries), (None, 2));
}

#[test]
fn without_room_there_is_no_file() {
    let store = store(0);
    assert!(!store.takes(1));
    store.put(key(1), b"x");
    assert_eq!(store.get(key(1)), None);
    assert!(store.file().is_none() && store.failure().is_none());
}

#[test]
fn a_file_that_cannot_be_written_turns_it_off() {
    let store = store(5);
    store.put(key(1), b"written");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "").unwrap();
    store.replace_file(File::open(&path).unwrap());
    store.put(key(2), b"not written");
    let failure = store.failure().unwrap();
    assert_eq!((store.size(), store.takes(1)), (SpillSize { entries: 0, bytes: 0 }, false));
    // It stays off, with what it failed with first.
    store.put(key(3), b"after that");
    assert_eq!((store.get(key(1)), store.get(key(3))), (None, None));
    assert_eq!(store.failure().unwrap(), failure);
    assert!(store.file().is_none());
}

proptest! {
    /// What comes back is what was put in last, and a store without neighbours loses nothing that fits.
    #[test]
    fn what_comes_back_is_what_went_in(
        steps in prop::collection::vec((0u8..6, prop::option::of(0usize..70)), 1..60), blocks in 0u64..12,
    ) {
        let store = store(blocks);
        let mut last: HashMap<u8, Vec<u8>> = HashMap::new();
        for (n, (i, length)) in steps.into_iter().enumerate() {
            match length {
                Some(length) => {
                    let bytes: Vec<u8> = (0..length).map(|at| (at * 7 + n) as u8).collect();
                    store.put(key(i), &bytes);
                    if store.takes(length) {
                        prop_assert_eq!(store.get(key(i)), Some(bytes.clone()));
                        last.insert(i, bytes);
                    }
                }
                None => {
                    if let Some(found) = store.get(key(i)) {
                        prop_assert_eq!(&found, &last[&i]);
                    }
                }
            }
            prop_assert!(store.size().bytes <= 16 * blocks);
        }
        prop_assert_eq!(store.failure(), None);
    }
}
