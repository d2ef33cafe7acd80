//! `dataset`: from a file to a canonical data set and a sweep on it.

use crate::folder::{EXPERIMENT, Folder, prices};

const STATED: [&str; 6] = ["--source", "by hand", "--licence", "CC0", "--price-meaning", "USD, unadjusted"];

#[test]
fn an_imported_file_is_sound_listed_and_equal_to_the_original() {
    let folder = Folder::with_experiment(EXPERIMENT);
    let import = [&["dataset", "import", "prices.csv", "--out", "datasets/mine"][..], &STATED].concat();
    folder.run(&import).ok();
    assert!(folder.run(&["dataset", "check", "datasets/mine"]).ok().contains("sound"));
    let listed = folder.run(&["dataset", "list", "--format", "json"]).json();
    assert_eq!(
        (&listed[0]["path"], &listed[0]["metadata"]["licence"]),
        (&"datasets/mine".into(), &"CC0".into())
    );
    // Nothing is overwritten.
    assert!(folder.run(&import).refused().contains("datasets/mine"));

    // The content counts and not the file: a sweep on the data set has the runs of the sweep on the CSV file.
    let ids = |args: &[&str]| {
        let plan =
            folder.run(&[&["sweep", "small.toml", "--plan", "--format", "json"], args].concat()).json();
        plan["runs"].as_array().unwrap().iter().map(|r| r["run_id"].to_string()).collect::<Vec<_>>()
    };
    let original = ids(&[]);
    let imported = ids(&[
        "--set",
        "data.kind=parquet",
        "--set",
        "data.path=datasets/mine/bars.parquet",
        "--set",
        "data.symbol=PRICES",
    ]);
    assert_eq!(original, imported);
}

#[test]
fn columns_dates_and_order_are_mapped() {
    let folder = Folder::empty();
    folder.write("theirs.csv", "Day,Last\n07/01/2021,120\n06/01/2021,99\n05/01/2021,110\n04/01/2021,100\n");
    let mut import = vec![
        "dataset",
        "import",
        "theirs.csv",
        "--out",
        "set",
        "--column",
        "date=Day",
        "--column",
        "close=Last",
    ];
    import.extend([
        "--column", "open=", "--column", "high=", "--column", "low=", "--column", "volume=", "--column",
        "news=",
    ]);
    import.extend(["--date-format", "%d/%m/%Y"]);
    import.extend(STATED);
    let text = folder.run(&import);
    assert!(text.ok().contains("2021-01-04 to 2021-01-07, 4 bars"), "{}", text.stdout);
    let output = folder.run(&["dataset", "import", "theirs.csv", "--out", "other", "--column", "cloze=Last"]);
    output.refused();
}

#[test]
fn a_data_set_whose_content_changed_is_not_sound() {
    let folder = Folder::empty();
    folder.write("prices.csv", prices(30));
    let import = [&["dataset", "import", "prices.csv", "--out", "mine"][..], &STATED].concat();
    folder.run(&import).ok();
    let path = folder.path("mine/metadata.json");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("\"bars\": 30", "\"bars\": 31")).unwrap();
    let output = folder.run(&["dataset", "check", "mine"]);
    assert!(output.refused().contains("bars"), "{}", output.stderr);
    assert!(folder.run(&["dataset", "check", "nowhere"]).refused().contains("nowhere"));
}

#[test]
fn a_synthetic_market_comes_from_its_seed() {
    let folder = Folder::empty();
    let synth = |out: &str, seed: &str| {
        let args = ["dataset", "synth", "--out", out, "--seed", seed, "--set", "bars=300"];
        folder.run(&args).ok().to_owned()
    };
    assert!(synth("a", "1").contains("300 bars"));
    synth("b", "1");
    synth("c", "2");
    let bars = |name: &str| std::fs::read(folder.path(name).join("bars.parquet")).unwrap();
    assert!(bars("a") == bars("b") && bars("a") != bars("c"));
    assert!(folder.run(&["dataset", "check", "a"]).ok().contains("sound"));
    let output = folder.run(&["dataset", "synth", "--out", "d", "--set", "signal_acuracy=0.6"]);
    assert!(output.refused().contains("signal_accuracy"), "{}", output.stderr);
    assert_eq!(folder.names(), ["a", "b", "c"]);
}

/// Sunday to Thursday: a fifth of the bars lie on weekends, and the market closes nevertheless.
#[test]
fn an_import_says_how_many_periods_a_year_has_and_why() {
    let folder = Folder::with_experiment(EXPERIMENT);
    // 2023-01-01 is a Sunday.
    let open = [1, 8, 15, 22].into_iter().flat_map(|sunday| sunday..sunday + 5);
    let rows: String = open.map(|day| format!("2023-01-{day:02},{}\n", 100 + day % 7)).collect();
    folder.write("riyadh.csv", format!("date,close\n{rows}"));
    let import = [&["dataset", "import", "riyadh.csv", "--out", "datasets/riyadh"][..], &STATED].concat();
    let why = "periods per year 252: daily bars, 20.0% of them on Sundays\n";
    assert!(folder.run(&import).ok().ends_with(why));
    assert!(folder.run(&["dataset", "check", "datasets/riyadh"]).ok().contains(why));

    let import = [
        &["dataset", "import", "riyadh.csv", "--out", "datasets/given", "--periods-per-year", "250"][..],
        &STATED,
    ]
    .concat();
    let why = "periods per year 250: as given; the dates alone would give 252: daily bars, 20.0% of them on Sundays\n";
    assert!(folder.run(&import).ok().ends_with(why));
}
