//! What every rule set promises.

use market_data::Bar;
use plugin::Plugin;
use plugin::contract::{edges, settings, who};
use serde_json::Value;

use super::market;
use crate::{Account, Action, Rules, RulesKind};

/// Cash at the start.
const CASH: f64 = 100_000.0;

/// Largest gain of an account that is rounding, as a share of it.
const ROUNDING: f64 = 1e-9;

/// Checks a plugin of trading rules with the settings `given`: its settings as [`plugin::contract::settings`] does; with
/// them, and with each number at its bounds: the rules bear the plugin's name; Hold is legal; a step marks the account at
/// the next close and leaves it finite; no cost is negative; while the price stands still,
/// something is traded exactly when the position changes, an action outside the mask changes nothing and nobody gains; the same steps lead
/// to the same account.
///
/// # Panics
/// When a promise is broken.
pub fn rules(plugin: &dyn Plugin<RulesKind>, given: &Value) {
    let params = settings(plugin, given, |p| plugin.build(p, ()).map(drop));
    for params in std::iter::once(params.clone()).chain(edges(plugin, &params)) {
        // A number at its bound may not go with the others; that is for the plugin to say.
        let Ok(rules) = plugin.build(&params, ()) else { continue };
        let who = format!("{} with {params}", who(plugin));
        assert_eq!(rules.name(), plugin.name(), "{who}: the rules bear the plugin's name");
        let series = market(3, 60);
        let bars: Vec<Bar> = (0..series.len()).map(|i| series.bar(i)).collect();
        let without_opens: Vec<Bar> = bars.iter().map(|bar| Bar { open: None, ..*bar }).collect();
        let still: Vec<Bar> = bars.iter().map(|bar| Bar { open: Some(50.0), close: 50.0, ..*bar }).collect();
        for choose in 0..6 {
            for bars in [&bars, &without_opens, &still] {
                let end = walk(&who, &*rules, bars, choose, bars == &still);
                assert_eq!(
                    walk(&who, &*rules, bars, choose, false),
                    end,
                    "{who}: the same steps lead to the same account"
                );
            }
        }
    }
}

/// Decides by a fixed pattern among all actions; the account at the end.
fn walk(who: &str, rules: &dyn Rules, bars: &[Bar], choose: usize, still: bool) -> Account {
    let mut account = Account::new(CASH, bars[0].close);
    for (i, pair) in bars.windows(2).enumerate() {
        let (now, next) = (&pair[0], &pair[1]);
        let before = account;
        let action = Action::ALL[(i * (choose + 1) / 2 + choose) % 3];
        let mask = rules.mask(&account);
        assert!(mask.allows(Action::Hold), "{who}: Hold is legal");
        let fill = rules.advance(&mut account, action, now, next);
        let word = action.word();
        assert_eq!(account.price, next.close, "{who}: the account is marked at the next close");
        let equity = account.equity();
        assert!(equity.is_finite() && account.shares.is_finite(), "{who}: {word} leaves {account:?}");
        assert!(fill.cost >= 0.0 && fill.traded >= 0.0, "{who}: {word} fills with {fill:?}");
        if still {
            let changed = account.shares != before.shares;
            assert_eq!(
                fill.traded > 0.0,
                changed,
                "{who}: something is traded when the position changes, found {fill:?} from {before:?} to {account:?}"
            );
            let gain = equity - before.equity();
            assert!(gain <= ROUNDING * CASH, "{who}: {word} gains {gain} while the price stands still");
            let kept = (account.cash, account.shares) == (before.cash, before.shares);
            assert!(
                mask.allows(action) || kept,
                "{who}: {word} is illegal and changes {before:?} to {account:?}"
            );
        }
        if equity <= 0.0 {
            break; // An episode ends where the account does.
        }
        let log_return = rules.log_return(action, now, next, before.equity(), equity);
        assert!(!log_return.is_nan(), "{who}: a log return is a number");
    }
    account
}
