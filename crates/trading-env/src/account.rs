//! The account.

/// Cash and shares, marked at the last close.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Account {
    /// Cash, in currency.
    pub cash: f64,
    /// Shares held; negative when short.
    pub shares: f64,
    /// Price at which the account is marked.
    pub price: f64,
}

impl Account {
    /// An account of cash only.
    pub fn new(cash: f64, price: f64) -> Self {
        Self { cash, shares: 0.0, price }
    }
    /// Cash + shares at the marking price.
    pub fn equity(&self) -> f64 {
        self.cash + self.shares * self.price
    }
}
