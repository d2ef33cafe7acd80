//! `dataset fetch`: the real catalogue, from a server on loopback.

use std::path::Path;

use crate::folder::{EXPERIMENT, Folder};
use crate::loopback::Loopback;

const NAMES: [&str; 7] = ["LICENSE", "btc.json", "eth.json", "hon.json", "jnj.json", "msft.json", "uvv.json"];

fn args<'a>(server: &'a Loopback, more: &[&'a str]) -> Vec<&'a str> {
    [&["dataset", "fetch", "investor-bench", "--from", &server.endpoint], more].concat()
}

#[test]
fn what_is_not_the_data_set_is_refused_and_nothing_written() {
    let folder = Folder::empty();
    for (licence, expected) in [
        (
            &b"another"[..],
            "LICENSE: expected 1092 bytes with sha256 6dc54f189d8ef19c4a74a7a489ed2de098a70e0764c0",
        ),
        (&[b' '; 5000], "found more bytes than these"),
    ] {
        let server = Loopback::plain(&[("LICENSE", licence)]);
        let message = folder.run(&args(&server, &[])).refused();
        assert!(message.contains(expected), "{message}");
        assert!(message.contains(&format!("{}/LICENSE", server.endpoint)), "{message}");
    }
    let nothing = Loopback::plain(&[]);
    let message = folder.run(&args(&nothing, &["--out", "elsewhere"])).refused();
    let expected = format!("LICENSE: expected {}/LICENSE, the server answers 404", nothing.endpoint);
    assert!(message.contains(&expected), "{message}");

    let message = folder.run(&["dataset", "fetch", "investor-bnch"]).refused();
    assert!(message.contains("known: investor-bench (did you mean \"investor-bench\"?)"), "{message}");
    let message = folder.run(&["dataset", "fetch", "nonsense"]).refused();
    assert!(message.contains("unknown data set \"nonsense\"; known: investor-bench"), "{message}");
    let message = folder.run(&["dataset", "fetch", "investor-bench", "--from", "file:///x"]).refused();
    assert!(message.contains("file:///x") && message.contains("expected http://"), "{message}");
    assert_eq!(folder.names(), [""; 0]);

    let broken = folder.run(&["dataset", "fetch", "investor-bench", "--from", "http://127.0.0.1:9"]);
    assert_eq!((broken.code, broken.stdout.as_str()), (1, ""));
    assert!(broken.stderr.contains("http://127.0.0.1:9/LICENSE"), "{}", broken.stderr);
    assert_eq!(folder.names(), [""; 0]);
}

/// The three places that the data may have, and which of them wins.
#[test]
fn another_file_in_its_place_is_refused_and_nothing_asked_for() {
    let mut folder = Folder::empty();
    let server = Loopback::plain(&[]);
    for (place, more) in [("data", &[][..]), ("set", &[]), ("named", &["--out", "named"])] {
        if place == "set" {
            folder.set("FLAGLAB_DATA", "set");
        }
        std::fs::create_dir_all(folder.path(place).join("investor-bench")).unwrap();
        let file = format!("{place}/investor-bench/uvv.json");
        folder.write(&file, "mine");
        let message = folder.run(&args(&server, more)).refused();
        assert!(message.contains(&file) && message.contains("expected 604569 bytes"), "{message}");
        assert_eq!(std::fs::read(folder.path(&file)).unwrap(), b"mine");
    }
    assert!(server.content().requests.is_empty());
}

#[test]
fn an_experiment_without_its_data_names_the_command() {
    let csv = "kind = \"csv\"\npath = \"prices.csv\"";
    let text = EXPERIMENT.replace(csv, "kind = \"investor-bench\"\nsymbol = \"MSFT\"");
    let message = Folder::with_experiment(&text).run(&["sweep", "small.toml"]).refused();
    assert!(message.contains("`it dataset fetch investor-bench`"), "{message}");
}

/// With `FLAGLAB_DATA`: the true files, served from there.
#[test]
fn the_data_set_arrives() {
    let Some(data) = std::env::var_os("FLAGLAB_DATA") else {
        eprintln!("not checked: FLAGLAB_DATA is not set");
        return;
    };
    let data = Path::new(&data).join("investor-bench");
    if let Some(missing) = NAMES.iter().find(|name| !data.join(name).is_file()) {
        eprintln!("not checked: {missing} is not there");
        return;
    }
    let path = |name: &str| if name == "LICENSE" { name.to_owned() } else { format!("data/{name}") };
    let files = NAMES.map(|name| (path(name), std::fs::read(data.join(name)).unwrap()));
    let files = files.each_ref().map(|(path, bytes)| (path.as_str(), &bytes[..]));
    let server = Loopback::plain(&files);

    let mut folder = Folder::empty();
    let output = folder.run(&args(&server, &[]));
    let end = "data/investor-bench\nlicence MIT, whose text is in LICENSE\n\
        https://github.com/felis33/INVESTOR-BENCH at 3509aeca668824cf2970e3950781d4d09f6c2adb\n\
        `it sweep FILE.toml` finds it there\n";
    let all = |how: &str| NAMES.map(|name| format!("{name}: {how}\n")).concat();
    assert_eq!(output.ok(), all("fetched") + end);
    assert!(output.stderr.contains("fetching msft.json, 3277 kB\n"), "{}", output.stderr);
    assert_eq!(server.content().requests.len(), NAMES.len());
    for name in NAMES {
        let fetched = std::fs::read(folder.path("data/investor-bench").join(name)).unwrap();
        assert!(fetched == std::fs::read(data.join(name)).unwrap(), "{name}");
    }

    // Again: nothing is asked for but what went away.
    let again = folder.run(&args(&server, &[]));
    assert_eq!((again.ok(), again.stderr.as_str()), ((all("already there") + end).as_str(), ""));
    assert_eq!(server.content().requests.len(), NAMES.len());
    std::fs::remove_file(folder.path("data/investor-bench/eth.json")).unwrap();
    folder.set("FLAGLAB_DATA", "data");
    let json = folder.run(&args(&server, &["--format", "json"])).json();
    assert_eq!((&json["folder"], &json["licence"]), (&"data/investor-bench".into(), &"MIT".into()));
    let fetched = json["files"].as_array().unwrap().iter().filter(|f| f["fetched"] == true);
    assert_eq!(fetched.map(|f| &f["name"]).collect::<Vec<_>>(), ["eth.json"]);
    assert_eq!(server.content().requests.len(), NAMES.len() + 1);
    let text = folder.run(&args(&server, &[]));
    assert_eq!(text.last_line(), "`it sweep FILE.toml` finds it there");
}
