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
    /// Value of the shares as a share of equity: 1 fully invested, 0 flat, -1 fully short; 0 without equity.
    ///
    /// Numbers within 1e-12 of a whole one are that one: the rounding of a price times a quotient is no exposure.
    pub fn exposure(&self) -> f64 {
        let equity = self.equity();
        if equity <= 0.0 || !equity.is_finite() {
            return 0.0;
        }
        let exposure = self.shares * self.price / equity;
        let whole = exposure.round();
        if (exposure - whole).abs() <= 1e-12 { whole } else { exposure }
    }
}
