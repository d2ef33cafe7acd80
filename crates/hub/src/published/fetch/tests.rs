use std::net::TcpListener;
use std::time::Instant;

use tempfile::TempDir;

use super::*;
use crate::loopback::Loopback;

const NOTICE: &[u8] = b"You may.\n";
const ONE: &[u8] = b"{\"day\": 1}\n";
const TWO: &[u8] = b"{\"day\": 2, \"news\": [\"none\"]}\n";

/// A made-up data set of a notice and two files.
fn set() -> Published {
    let file = |path, bytes: &[u8]| PublishedFile {
        path,
        sha256: hex(&Sha256::digest(bytes)).leak(),
        size: bytes.len() as u64,
    };
    Published {
        name: "made-up",
        repository: "org/made-up",
        revision: "1111111111111111111111111111111111111111",
        licence: "MIT",
        notice: "LICENSE",
        files: vec![file("LICENSE", NOTICE), file("data/one.json", ONE), file("data/two.json", TWO)].leak(),
    }
}

fn serve() -> Loopback {
    Loopback::plain(&[("LICENSE", NOTICE), ("data/one.json", ONE), ("data/two.json", TWO)])
}

/// A folder that is not there yet.
fn folder() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("data/made-up");
    (dir, folder)
}

/// Names of what was fetched.
fn fetch(from: &str, folder: &Path) -> Result<Vec<&'static str>, PublishedError> {
    let mut announced = Vec::new();
    let fetched = set().fetch(folder, Some(from), |file| announced.push(file.name()))?;
    let fetched: Vec<&str> = fetched.into_iter().map(PublishedFile::name).collect();
    assert_eq!(announced, fetched);
    Ok(fetched)
}

/// Names in the folder, temporary ones included; none when it is not there.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn requests(server: &Loopback) -> Vec<String> {
    std::mem::take(&mut server.content().requests)
}

#[test]
fn a_data_set_arrives_once() {
    let (server, (_dir, folder)) = (serve(), folder());
    // With or without a slash at its end.
    let from = format!("{}/", server.endpoint);
    assert_eq!(fetch(&from, &folder).unwrap(), ["LICENSE", "one.json", "two.json"]);
    assert_eq!(requests(&server), ["/LICENSE", "/data/one.json", "/data/two.json"]);
    assert_eq!(names(&folder), ["LICENSE", "one.json", "two.json"]);
    assert_eq!(fs::read(folder.join("two.json")).unwrap(), TWO);
    assert_eq!(sha256_of(&folder.join("two.json")).unwrap(), set().files[2].sha256);

    assert_eq!(fetch(&from, &folder).unwrap(), [""; 0]);
    assert_eq!(requests(&server), [""; 0]);
}

#[test]
fn what_is_missing_is_fetched_and_redirects_are_followed() {
    let (server, (_dir, folder)) = (serve(), folder());
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("one.json"), ONE).unwrap();
    let from = format!("{}/moved", server.endpoint);
    assert_eq!(fetch(&from, &folder).unwrap(), ["LICENSE", "two.json"]);
    assert_eq!(requests(&server), ["/moved/LICENSE", "/LICENSE", "/moved/data/two.json", "/data/two.json"]);
    assert_eq!(names(&folder), ["LICENSE", "one.json", "two.json"]);
}

#[test]
fn wrong_bytes_never_reach_the_folder() {
    let (server, (_dir, folder)) = (serve(), folder());
    server.content().corrupt = Some("LICENSE".to_owned());
    fetch(&server.endpoint, &folder).unwrap_err();
    assert!(!folder.parent().unwrap().exists(), "not even a folder is made for them");

    server.content().corrupt = Some("data/one.json".to_owned());
    let error = fetch(&server.endpoint, &folder).unwrap_err();
    assert!(error.is_input(), "{error:?}");
    let mut wrong = ONE.to_vec();
    wrong[0] ^= 1;
    let (expected, found) = (set().files[1].sha256, hex(&Sha256::digest(&wrong)));
    assert_eq!(
        error.to_string(),
        format!(
            "one.json: expected 11 bytes with sha256 {expected}, found 11 bytes with sha256 {found} at \
             {}/data/one.json; nothing of it was kept",
            server.endpoint
        )
    );
    assert_eq!(names(&folder), ["LICENSE"]);

    // The next call goes on from there.
    server.content().corrupt = None;
    assert_eq!(fetch(&server.endpoint, &folder).unwrap(), ["one.json", "two.json"]);
}

#[test]
fn a_file_of_another_size_is_another_file() {
    for (body, found) in [
        (&ONE[..4], "found 4 bytes with sha256 "),
        (b"", "found 0 bytes with sha256 e3b0c442"),
        (&[b' '; 10_000_000][..], "found more bytes than these at "),
    ] {
        let (server, (_dir, folder)) = (serve(), folder());
        server.content().plain.insert("data/one.json".to_owned(), body.to_vec());
        let error = fetch(&server.endpoint, &folder).unwrap_err();
        assert!(error.is_input() && error.to_string().contains(found), "{error}");
        assert_eq!(names(&folder), ["LICENSE"]);
    }
}

#[test]
fn a_download_that_broke_off_is_made_again() {
    let (server, (_dir, folder)) = (serve(), folder());
    server.content().cut = Some(("data/two.json".to_owned(), 7));
    let error = fetch(&server.endpoint, &folder).unwrap_err();
    assert!(matches!(error, PublishedError::Connection { .. }) && !error.is_input(), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with(&format!("two.json: {}/data/two.json: ", server.endpoint)), "{text}");
    assert!(text.contains("after 7 of 29 bytes"), "{text}");
    assert_eq!(names(&folder), ["LICENSE", "one.json"]);
    requests(&server);

    assert_eq!(fetch(&server.endpoint, &folder).unwrap(), ["two.json"]);
    assert_eq!(requests(&server), ["/data/two.json"]);
}

#[test]
fn a_server_without_the_file_is_named() {
    let (server, (_dir, folder)) = (serve(), folder());
    server.content().plain.remove("data/two.json");
    let error = fetch(&server.endpoint, &folder).unwrap_err();
    assert!(error.is_input(), "{error:?}");
    let expected = format!("two.json: expected {}/data/two.json, the server answers 404", server.endpoint);
    assert_eq!(error.to_string(), expected);

    let status = |status| PublishedError::Status { name: "", url: String::new(), status };
    assert!(status(403).is_input() && !status(429).is_input() && !status(503).is_input());
}

#[test]
fn another_file_is_refused_before_anything_is_downloaded() {
    let (server, (_dir, folder)) = (serve(), folder());
    fs::create_dir_all(&folder).unwrap();
    let mine = folder.join("two.json");
    fs::write(&mine, "mine").unwrap();
    let error = fetch(&server.endpoint, &folder).unwrap_err();
    assert!(error.is_input(), "{error:?}");
    let (expected, found) = (set().files[2].sha256, sha256_of(&mine).unwrap());
    assert_eq!(
        error.to_string(),
        format!(
            "{}: expected 29 bytes with sha256 {expected}, found 4 bytes with sha256 {found}; it was left as it \
             is, move it away or fetch into another folder",
            mine.display()
        )
    );
    assert_eq!(requests(&server), [""; 0]);
    assert_eq!((names(&folder), fs::read(&mine).unwrap()), (vec!["two.json".to_owned()], b"mine".to_vec()));
}

#[test]
fn a_file_is_no_folder() {
    let (server, (dir, _folder)) = (serve(), folder());
    fs::write(dir.path().join("file"), "").unwrap();
    let error = fetch(&server.endpoint, &dir.path().join("file/made-up")).unwrap_err();
    assert!(matches!(error, PublishedError::Io { .. }) && error.is_input(), "{error:?}");
    assert_eq!(requests(&server), [""; 0]);
}

/// Two processes fetch at once: whoever comes second keeps what is there.
#[test]
fn a_file_that_appears_meanwhile_is_not_overwritten() {
    let (_dir, folder) = folder();
    fs::create_dir_all(&folder).unwrap();
    let file = &set().files[1];
    let path = folder.join("one.json");
    file.write(&folder, ONE).unwrap();
    file.write(&folder, ONE).unwrap();
    fs::write(&path, "mine").unwrap();
    let error = file.write(&folder, ONE).unwrap_err();
    assert!(matches!(error, PublishedError::Occupied { .. }), "{error:?}");
    assert_eq!((names(&folder), fs::read(&path).unwrap()), (vec!["one.json".to_owned()], b"mine".to_vec()));
}

#[cfg(unix)]
#[test]
fn the_umask_decides_who_reads() {
    use std::os::unix::fs::PermissionsExt;

    let (server, (dir, folder)) = (serve(), folder());
    fetch(&server.endpoint, &folder).unwrap();
    fs::write(dir.path().join("plain"), "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&folder.join("one.json")), mode(&dir.path().join("plain")));
}

#[test]
fn no_server_and_a_silent_one_are_problems_of_the_connection() {
    let (_dir, folder) = folder();
    // Port 9 is `discard`, which nobody serves.
    let error = fetch("http://127.0.0.1:9", &folder).unwrap_err();
    assert!(matches!(error, PublishedError::Connection { .. }) && !error.is_input(), "{error:?}");
    assert!(error.to_string().starts_with("LICENSE: http://127.0.0.1:9/LICENSE: "), "{error}");

    // Connections are taken by the system and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let from = format!("http://{}", silent.local_addr().unwrap());
    let start = Instant::now();
    let client = client(Duration::from_millis(200));
    let error = set().fetch_with(&client, &folder, &[from], |_| ()).unwrap_err();
    assert!(matches!(error, PublishedError::Connection { .. }), "{error:?}");
    assert!(error.to_string().contains("timeout"), "{error}");
    assert!(start.elapsed() < PATIENCE);
    assert!(!folder.exists());
}

#[test]
fn what_one_place_lacks_comes_from_the_next() {
    let (pinned, (_dir, folder)) = (Loopback::plain(&[("LICENSE", NOTICE)]), folder());
    let later = serve();
    let places = [pinned.endpoint, later.endpoint.clone()];
    let fetched = set().fetch_with(&client(PATIENCE), &folder, &places, |_| ()).unwrap();
    assert_eq!(fetched.len(), 3);
    assert_eq!(requests(&later), ["/data/one.json", "/data/two.json"]);
    assert_eq!(fs::read(folder.join("one.json")).unwrap(), ONE);
    // Where the first place refuses for another reason, nothing else is asked.
    assert_eq!(set().places(Some("http://mirror/")), ["http://mirror"]);
    assert_eq!(set().places(None).len(), 2);
}
