use std::path::PathBuf;

use super::*;

/// Real prices, where they are on this machine.
fn real() -> Option<Audit> {
    let data = std::env::var_os("FLAGLAB_DATA").map(PathBuf::from)?;
    let load = |asset: &Asset| {
        let path = data.join("investor-bench").join(format!("{}.json", asset.symbol.to_lowercase()));
        path.is_file().then(|| market_data::load_prices(&path).unwrap())
    };
    Some(Audit::new(load))
}

#[test]
fn look() {
    let audit = real().unwrap();
    for v in Verdict::ALL { println!("{} {}", audit.count(v), v); }
    for a in &audit.assets {
        for b in &a.bounds { println!("{:?} {} {:?} cr {:.3} av {:.3?} found {:.3?} mdd {:.3}", b.window, b.n_prices, b.positions, b.cr, b.av, b.av_found, b.mdd); }
        for r in &a.rows {
            println!("{} {} [{}] {:?} {} ranks {:?}", a.asset.symbol, r.row.label(), r.cells.iter().map(|c| format!("{} {}", c.metric.name(), c.verdict)).collect::<Vec<_>>().join(", "), r.window, r.scale.days, r.ranks);
            for c in &r.cells { println!("     {} {} {:?} {}", c.metric.name(), c.published, c.recomputed, c.reason); }
            println!("     {:?}", r.luck);
            for f in &r.feasible { println!("     {:?}", f); }
        }
    }
}
