//! Things that several runs of one process use together, such as a frozen backbone.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

type Slot = Arc<Mutex<Weak<dyn Any + Send + Sync>>>;

/// Values shared by content key while somebody holds them.
#[derive(Default)]
pub struct SharedPool {
    slots: Mutex<HashMap<String, Slot>>,
}

impl SharedPool {
    /// The value under `key`, made by `make` if nobody holds one. Different keys are made side by side.
    ///
    /// # Panics
    /// When `key` is in use with another type.
    pub fn get_or_try_init<T, E>(&self, key: &str, make: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E>
    where
        T: Any + Send + Sync,
    {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(|e| e.into_inner());
            let empty = || Arc::new(Mutex::new(Weak::<()>::new() as Weak<dyn Any + Send + Sync>));
            slots.entry(key.to_owned()).or_insert_with(empty).clone()
        };
        let mut held = slot.lock().unwrap_or_else(|e| e.into_inner());
        if let Some(value) = held.upgrade() {
            return Ok(value.downcast().expect("invariant: one type per key"));
        }
        let value = Arc::new(make()?);
        let erased: Arc<dyn Any + Send + Sync> = value.clone();
        *held = Arc::downgrade(&erased);
        Ok(value)
    }
}
