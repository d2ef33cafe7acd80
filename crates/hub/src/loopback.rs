//! A server on the loopback interface, for tests: a hub with one repository, which answers the requests that `hf-hub`
//! makes as huggingface.co answers them, or plain files by their paths; with the faults that a test asks for.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::json;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What the hub serves and how; tests change it between requests.
#[derive(Default)]
pub struct Content {
    /// Files of each commit, by name.
    pub commits: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// Commit that `main` stands for.
    pub main: String,
    /// Files by path; the same path behind `moved/` redirects to them.
    pub plain: BTreeMap<String, Vec<u8>>,
    /// Token without which requests are refused.
    pub token: Option<String>,
    /// A file, by name or plain path, that is sent with its first byte changed.
    pub corrupt: Option<String>,
    /// A file of which only so many bytes are sent before the connection closes, once.
    pub cut: Option<(String, usize)>,
    /// `PATH` or `PATH RANGE` of all requests so far.
    pub requests: Vec<String>,
}

/// A running server. Its thread ends with the process.
pub struct Loopback {
    /// What `HF_ENDPOINT` is to say.
    pub endpoint: String,
    content: Arc<Mutex<Content>>,
}

/// Id of the repository.
pub const ID: &str = "org/tiny";

impl Loopback {
    /// Serves `files` as the only commit.
    pub fn serve(commit: &str, files: &[(&str, &[u8])]) -> Self {
        let server = Self::start();
        server.commit(commit, files);
        server
    }

    /// Serves `files` by their paths.
    pub fn plain(files: &[(&str, &[u8])]) -> Self {
        let server = Self::start();
        server.content().plain = owned(files);
        server
    }

    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let content = Arc::new(Mutex::new(Content::default()));
        let server = Self { endpoint, content };
        let (content, endpoint) = (server.content.clone(), server.endpoint.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is what some tests are about.
                let _ = answer(stream, &content, &endpoint);
            }
        });
        server
    }

    /// Adds a commit, to which `main` moves.
    pub fn commit(&self, commit: &str, files: &[(&str, &[u8])]) {
        let mut content = self.content();
        content.commits.insert(commit.to_owned(), owned(files));
        content.main = commit.to_owned();
    }

    /// What is served, to look at or change.
    pub fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap()
    }
}

fn owned(files: &[(&str, &[u8])]) -> BTreeMap<String, Vec<u8>> {
    files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect()
}

struct Request {
    path: String,
    /// First byte asked for, and the last one.
    range: Option<(usize, Option<usize>)>,
    token: Option<String>,
}

fn read_request(stream: &TcpStream) -> std::io::Result<Request> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let path = first.split(' ').nth(1).unwrap_or("/").to_owned();
    let mut request = Request { path, range: None, token: None };
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "range" => {
                let (from, to) = value.trim_start_matches("bytes=").split_once('-').unwrap();
                request.range = Some((from.parse().unwrap(), to.parse().ok()));
            }
            "authorization" => request.token = value.strip_prefix("Bearer ").map(str::to_owned),
            _ => {}
        }
    }
    Ok(request)
}

fn answer(mut stream: TcpStream, content: &Mutex<Content>, endpoint: &str) -> std::io::Result<()> {
    let request = read_request(&stream)?;
    let mut content = content.lock().unwrap();
    let range =
        request.range.map(|(from, to)| format!(" {from}-{}", to.map_or(String::new(), |n| n.to_string())));
    content.requests.push(request.path.clone() + &range.unwrap_or_default());
    let path = request.path.trim_start_matches('/');
    if let Some(bytes) = content.plain.get(path).cloned() {
        return send(&mut stream, &mut content, "", path, &bytes, request.range);
    }
    let parts: Vec<&str> = path.split('/').collect();
    let is_cdn = parts[0] == "cdn";
    if !is_cdn && content.token.is_some() && content.token != request.token {
        return whole(&mut stream, "401 Unauthorized", &[], b"");
    }
    let commit = |revision: &str| if revision == "main" { content.main.clone() } else { revision.to_owned() };
    let repository =
        |a: &str, b: &str, commit: &str| content.commits.get(commit).filter(|_| format!("{a}/{b}") == ID);
    match parts[..] {
        ["api", "models", owner, name, "revision", revision] => {
            let sha = commit(revision);
            let Some(files) = repository(owner, name, &sha) else {
                return whole(&mut stream, "404 Not Found", &[], b"");
            };
            let siblings: Vec<_> = files.keys().map(|name| json!({ "rfilename": name })).collect();
            let body = json!({ "id": ID, "sha": sha, "siblings": siblings }).to_string();
            whole(&mut stream, "200 OK", &[("Content-Type", "application/json".to_owned())], body.as_bytes())
        }
        [owner, name, "resolve", revision, file] => {
            let sha = commit(revision);
            let Some(bytes) = repository(owner, name, &sha).and_then(|files| files.get(file)) else {
                return whole(&mut stream, "404 Not Found", &[], b"");
            };
            // Large files are elsewhere; small ones behind a redirect on the same host.
            let headers = if file.ends_with(".safetensors") {
                let etag = hex(&Sha256::digest(bytes));
                vec![
                    ("Location", format!("{endpoint}/cdn/{sha}/{file}")),
                    ("X-Linked-ETag", format!("\"{etag}\"")),
                ]
            } else {
                vec![("Location", format!("/cache/{sha}/{file}"))]
            };
            let headers: Vec<_> = headers.into_iter().chain([("X-Repo-Commit", sha)]).collect();
            whole(&mut stream, "302 Found", &headers, b"")
        }
        ["moved", ..] => {
            let location = ("Location", request.path.replacen("/moved", "", 1));
            whole(&mut stream, "302 Found", &[location], b"")
        }
        ["cdn" | "cache", commit, file] => {
            let bytes = content.commits[commit][file].clone();
            send(&mut stream, &mut content, commit, file, &bytes, request.range)
        }
        _ => whole(&mut stream, "404 Not Found", &[], b""),
    }
}

/// The bytes that are asked for, with a file's faults.
fn send(
    stream: &mut TcpStream,
    content: &mut Content,
    commit: &str,
    file: &str,
    bytes: &[u8],
    range: Option<(usize, Option<usize>)>,
) -> std::io::Result<()> {
    let git = Sha1::new_with_prefix(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize();
    let etag = [("ETag", format!("\"{}\"", hex(&git))), ("X-Repo-Commit", commit.to_owned())];
    let total = bytes.len();
    let mut sent = bytes.to_vec();
    if content.corrupt.as_deref() == Some(file) {
        sent[0] ^= 1;
    }
    let part = match range {
        Some((from, _)) if from >= total => {
            return whole(stream, "416 Range Not Satisfiable", &etag, b"");
        }
        Some((from, to)) => from..to.map_or(total, |to| total.min(to + 1)),
        None => 0..total,
    };
    let mut headers = etag.to_vec();
    if range.is_some() {
        headers.push(("Content-Range", format!("bytes {}-{}/{total}", part.start, part.end - 1)));
    }
    headers.push(("Content-Length", part.len().to_string()));
    let mut body = &sent[part];
    // The request for one byte is that for the size.
    if let Some((name, length)) = content.cut.clone()
        && name == file
        && body.len() > 1
    {
        content.cut = None;
        body = &body[..length];
    }
    let status = if range.is_some() { "206 Partial Content" } else { "200 OK" };
    raw(stream, status, &headers, body)
}

/// A whole answer.
fn whole(
    stream: &mut TcpStream,
    status: &str,
    headers: &[(&str, String)],
    body: &[u8],
) -> std::io::Result<()> {
    let mut headers = headers.to_vec();
    headers.push(("Content-Length", body.len().to_string()));
    raw(stream, status, &headers, body)
}

fn raw(stream: &mut TcpStream, status: &str, headers: &[(&str, String)], body: &[u8]) -> std::io::Result<()> {
    let mut text = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    stream.write_all((text + "\r\n").as_bytes())?;
    stream.write_all(body)?;
    stream.flush()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
