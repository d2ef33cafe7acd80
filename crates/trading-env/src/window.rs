//! The last few values of a growing series, as one slice.

/// Keeps the last `capacity` values pushed. Holds twice that many, so that the last ones always lie side by side and
/// a push costs no allocation.
#[derive(Debug, Clone)]
pub(crate) struct Window<T> {
    values: Vec<T>,
    capacity: usize,
}

impl<T: Copy> Window<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { values: Vec::with_capacity(2 * capacity), capacity }
    }

    pub(crate) fn clear(&mut self) {
        self.values.clear();
    }

    pub(crate) fn push(&mut self, value: T) {
        if self.capacity == 0 {
            return;
        }
        if self.values.len() == 2 * self.capacity {
            self.values.copy_within(self.capacity.., 0);
            self.values.truncate(self.capacity);
        }
        self.values.push(value);
    }

    /// The kept values, oldest first.
    pub(crate) fn as_slice(&self) -> &[T] {
        &self.values[self.values.len().saturating_sub(self.capacity)..]
    }
}

#[cfg(test)]
mod tests;
