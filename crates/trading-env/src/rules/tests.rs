//! Rules by hand on two or three bars, and the properties of their arithmetic.

use market_data::Bar;
use proptest::prelude::*;
use serde_json::json;

use super::{Fill, InvestorBench, Paper, RULES, Rules};
use crate::testing::{actions, all_rules, bar, bars, realistic};
use crate::{Account, Action, ActionMask};

fn closes(prices: &[f64]) -> Vec<Bar> {
    prices.iter().map(|p| bar(None, *p)).collect()
}

fn mask(sell: bool, buy: bool) -> ActionMask {
    ActionMask([sell, true, buy])
}

/// The account after each step of `decisions` from `cash`, without regard to masks.
fn play(rules: &dyn Rules, cash: f64, bars: &[Bar], decisions: &[Action]) -> Vec<(Account, Fill)> {
    let mut account = Account::new(cash, bars[0].close);
    let step = |(pair, action): (&[Bar], &Action)| {
        let fill = rules.advance(&mut account, *action, &pair[0], &pair[1]);
        (account, fill)
    };
    bars.windows(2).zip(decisions).map(step).collect()
}

#[test]
fn paper_buys_and_sells_at_the_next_price() {
    // 100 cash at price 10. Buy fills at 20: 5 shares, worth 100. Hold to 25: 125. Sell fills at 30: 150 cash.
    let steps =
        play(&Paper, 100.0, &closes(&[10.0, 20.0, 25.0, 30.0]), &[Action::Buy, Action::Hold, Action::Sell]);
    let (bought, fill) = steps[0];
    assert_eq!(bought, Account { cash: 0.0, shares: 5.0, price: 20.0 });
    assert_eq!(fill, Fill { traded: 100.0, cost: 0.0 });
    assert_eq!(steps[1], (Account { cash: 0.0, shares: 5.0, price: 25.0 }, Fill::default()));
    assert_eq!(steps[1].0.equity(), 125.0);
    assert_eq!(
        steps[2],
        (Account { cash: 150.0, shares: 0.0, price: 30.0 }, Fill { traded: 150.0, cost: 0.0 })
    );
}

#[test]
fn paper_masks_a_buy_without_cash_and_a_sell_without_shares() {
    assert_eq!(Paper.mask(&Account { cash: 1.0, shares: 0.0, price: 2.0 }), mask(false, true));
    assert_eq!(Paper.mask(&Account { cash: 0.0, shares: 1.0, price: 2.0 }), mask(true, false));
    assert_eq!(Paper.mask(&Account { cash: 1.0, shares: 1.0, price: 2.0 }), ActionMask::ALL);
}

#[test]
fn paper_ignores_orders_that_have_nothing_to_trade() {
    let steps =
        play(&Paper, 100.0, &closes(&[10.0, 20.0, 40.0, 80.0]), &[Action::Sell, Action::Buy, Action::Buy]);
    assert_eq!(steps[0], (Account::new(100.0, 20.0), Fill::default()));
    assert_eq!(steps[2], (Account { cash: 0.0, shares: 2.5, price: 80.0 }, Fill::default()));
}

#[test]
fn investor_bench_earns_the_position_times_the_log_return() {
    // 100 at price 10. Long to 12: 100 * 12/10 = 120, 10 shares and no cash. Short from 12 to 15: 120 * 12/15 = 96;
    // 96/15 = 6.4 shares short against 192 cash; position 1 -> -1 trades 2 * 120. Flat to 30: 96; -1 -> 0 trades 96.
    let steps = play(
        &InvestorBench,
        100.0,
        &closes(&[10.0, 12.0, 15.0, 30.0]),
        &[Action::Buy, Action::Sell, Action::Hold],
    );
    let expected = [
        (Account { cash: 0.0, shares: 10.0, price: 12.0 }, 100.0),
        (Account { cash: 192.0, shares: -6.4, price: 15.0 }, 240.0),
        (Account { cash: 96.0, shares: 0.0, price: 30.0 }, 96.0),
    ];
    for ((account, fill), (wanted, traded)) in steps.iter().zip(expected) {
        assert!((account.cash - wanted.cash).abs() < 1e-9, "{account:?}");
        assert!((account.shares - wanted.shares).abs() < 1e-9, "{account:?}");
        assert!((account.equity() - wanted.equity()).abs() < 1e-9, "{account:?}");
        assert!((fill.traded - traded).abs() < 1e-9, "{fill:?}");
        assert_eq!(fill.cost, 0.0);
    }
    assert_eq!(steps.iter().map(|(a, _)| a.exposure()).collect::<Vec<_>>(), [1.0, -1.0, 0.0]);
}

#[test]
fn investor_bench_allows_everything_and_repeats_without_trading() {
    let steps = play(&InvestorBench, 100.0, &closes(&[10.0, 12.0, 15.0]), &[Action::Sell, Action::Sell]);
    assert_eq!(steps[1].1.traded, 0.0);
    assert_eq!(InvestorBench.mask(&steps[0].0), ActionMask::ALL);
    let (now, next) = (bar(None, 10.0), bar(None, 5.0));
    assert_eq!(InvestorBench.log_return(Action::Sell, &now, &next, 0.0, 0.0), 2f64.ln());
    assert!(InvestorBench.log_return(Action::Hold, &now, &next, 0.0, 0.0).is_sign_positive());
}

#[test]
fn realistic_pays_fee_and_slippage_at_the_next_open() {
    // Fee 10%, slippage 25%. Open 8: a share costs 8 * 1.25 * 1.1 = 11, so 110 cash buy 10 shares; the fill price is 10,
    // traded 100, cost 10 * (11 - 8) = 30; at the close of 12 equity is 120 = 110 + 10 * (12 - 8) - 30.
    // Sell at open 20: fill price 15, 13.5 after the fee: 135 cash, traded 150, cost 10 * (20 - 13.5) = 65.
    let rules = realistic(1000.0, 2500.0, false);
    let bars = [bar(None, 9.0), bar(Some(8.0), 12.0), bar(Some(20.0), 21.0)];
    let steps = play(&rules, 110.0, &bars, &[Action::Buy, Action::Sell]);
    let close = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-9, "{found} is not {wanted}");
    let (account, fill) = steps[0];
    assert_eq!((account.cash, account.price), (0.0, 12.0));
    close(account.shares, 10.0);
    close(fill.traded, 100.0);
    close(fill.cost, 30.0);
    let (account, fill) = steps[1];
    assert_eq!((account.shares, account.price), (0.0, 21.0));
    close(account.cash, 135.0);
    close(fill.traded, 150.0);
    close(fill.cost, 65.0);
}

#[test]
fn realistic_whole_shares_leave_the_rest_as_cash() {
    // 100 cash at 30 buy 3 shares and leave 10, with which a second buy at 9 adds one.
    let bars = [bar(None, 30.0), bar(None, 30.0), bar(Some(9.0), 8.0), bar(None, 8.0)];
    let rules = realistic(0.0, 0.0, true);
    let steps = play(&rules, 100.0, &bars, &[Action::Buy, Action::Buy, Action::Buy]);
    assert_eq!(
        steps[0],
        (Account { cash: 10.0, shares: 3.0, price: 30.0 }, Fill { traded: 90.0, cost: 0.0 })
    );
    assert_eq!(steps[1], (Account { cash: 1.0, shares: 4.0, price: 8.0 }, Fill { traded: 9.0, cost: 0.0 }));
    assert_eq!(steps[2].1.traded, 0.0);
    assert_eq!(rules.mask(&steps[0].0), mask(true, false));
    assert_eq!(rules.mask(&Account { price: 10.0, ..steps[0].0 }), mask(true, true));
    assert_eq!(realistic(1.0, 0.0, true).mask(&Account { price: 10.0, ..steps[0].0 }), mask(true, false));
}

#[test]
fn plugins_reject_what_is_out_of_range() {
    let realistic = RULES.iter().find(|p| p.name() == "realistic").unwrap();
    for (params, key) in [
        (json!({"fee_bps": -1.0}), "rules.fee_bps"),
        (json!({"slippage_bps": 10000.0}), "rules.slippage_bps"),
        (json!({"fees": 1.0}), "fees"),
    ] {
        let error = realistic.build(&params, ()).err().expect("out of range").to_string();
        assert!(error.contains(key), "{error}");
    }
    let schema = realistic.schema();
    assert_eq!(schema["properties"]["slippage_bps"]["exclusiveMaximum"], 10000.0);
    assert_eq!(schema["properties"]["fee_bps"]["default"], 0.0);
}

#[test]
fn every_rule_set_keeps_the_contract() {
    for plugin in RULES {
        crate::contract::rules(*plugin, &json!({}));
    }
}

/// Final equity of a realistic account without whole shares.
fn final_equity(fee_bps: f64, slippage_bps: f64, bars: &[Bar], decisions: &[Action]) -> f64 {
    play(&realistic(fee_bps, slippage_bps, false), 1e5, bars, decisions).last().unwrap().0.equity()
}

fn to_bars(prices: &[(Option<f64>, f64)]) -> Vec<Bar> {
    prices.iter().map(|(open, close)| bar(*open, *close)).collect()
}

proptest! {
    #[test]
    fn equity_changes_by_profit_minus_cost(
        prices in bars(12), decisions in actions(11), fee in 0.0..300.0, slippage in 0.0..300.0, whole: bool,
    ) {
        let bars = to_bars(&prices);
        let mut before = Account::new(1e5, bars[0].close);
        for ((after, fill), pair) in
            play(&realistic(fee, slippage, whole), 1e5, &bars, &decisions).into_iter().zip(bars.windows(2))
        {
            let open = pair[1].open.unwrap_or(pair[1].close);
            let profit = before.shares * (open - pair[0].close) + after.shares * (pair[1].close - open);
            let change = after.equity() - before.equity();
            let tolerance = 1e-9 * before.equity().max(1e5);
            prop_assert!(tolerance < 0.01 || before.equity() > 1e7);
            prop_assert!((change - (profit - fill.cost)).abs() <= tolerance, "{change} is not {profit} - {}", fill.cost);
            before = after;
        }
    }

    #[test]
    fn nothing_is_held_on_credit(prices in bars(12), decisions in actions(11), fee in 0.0..10_000.0, whole: bool) {
        let rules = realistic(fee, 20.0, whole);
        for (account, fill) in play(&rules, 1e5, &to_bars(&prices), &decisions) {
            prop_assert!(account.cash >= 0.0 && account.shares >= 0.0);
            prop_assert!(fill.traded >= 0.0 && fill.cost >= 0.0);
            prop_assert!(!whole || account.shares.fract() == 0.0);
        }
    }

    #[test]
    fn more_cost_never_raises_wealth(
        prices in bars(12), decisions in actions(11), fee in 0.0..500.0, slippage in 0.0..500.0, more in 0.0..500.0,
    ) {
        let bars = to_bars(&prices);
        let least = final_equity(fee, slippage, &bars, &decisions);
        let rounding = 1e-9 * least;
        prop_assert!(final_equity(fee + more, slippage, &bars, &decisions) <= least + rounding);
        prop_assert!(final_equity(fee, slippage + more, &bars, &decisions) <= least + rounding);
    }

    #[test]
    fn without_opens_and_costs_realistic_is_paper(prices in bars(12), decisions in actions(11)) {
        let bars: Vec<Bar> = prices.iter().map(|(_, close)| bar(None, *close)).collect();
        let realistic = play(&realistic(0.0, 0.0, false), 1e5, &bars, &decisions);
        for ((one, fill), (two, other)) in realistic.iter().zip(play(&Paper, 1e5, &bars, &decisions)) {
            prop_assert_eq!(one, &two);
            prop_assert!((fill.traded - other.traded).abs() <= 1e-9 * other.traded);
        }
    }

    #[test]
    fn what_the_mask_forbids_changes_no_position(prices in bars(12), decisions in actions(11)) {
        let bars = to_bars(&prices);
        for rules in all_rules().iter().filter(|r| r.name() != "realistic") {
            let mut before = Account::new(1e5, bars[0].close);
            for ((after, fill), action) in play(&**rules, 1e5, &bars, &decisions).iter().zip(&decisions) {
                if !rules.mask(&before).allows(*action) {
                    prop_assert_eq!((after.cash, after.shares, fill.traded), (before.cash, before.shares, 0.0));
                }
                before = *after;
            }
        }
    }

    #[test]
    fn investor_bench_wealth_is_the_exponential_of_the_summed_log_returns(
        prices in bars(12), decisions in actions(11),
    ) {
        let bars = to_bars(&prices);
        let summed: f64 =
            bars.windows(2).zip(&decisions).map(|(p, a)| f64::from(a.sign()) * (p[1].close / p[0].close).ln()).sum();
        let equity = play(&InvestorBench, 1e5, &bars, &decisions).last().unwrap().0.equity();
        prop_assert!((equity / (1e5 * summed.exp()) - 1.0).abs() < 1e-9);
    }
}
