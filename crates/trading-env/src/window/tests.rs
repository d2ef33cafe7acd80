//! A window against the tail of a plain vector.

use proptest::prelude::*;

use super::Window;

proptest! {
    #[test]
    fn is_the_tail_of_what_was_pushed(capacity in 0usize..7, values in prop::collection::vec(any::<i32>(), 0..40)) {
        let mut window = Window::new(capacity);
        for (i, value) in values.iter().enumerate() {
            window.push(*value);
            let pushed = &values[..=i];
            prop_assert_eq!(window.as_slice(), &pushed[pushed.len().saturating_sub(capacity)..]);
            prop_assert!(window.values.capacity() <= 2 * capacity);
        }
        window.clear();
        prop_assert!(window.as_slice().is_empty());
    }
}
