//! Downloads against a server on this machine that cuts off, ignores ranges, or sends other bytes.
#![cfg(feature = "fetch")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use kd_data::digest::sha256_hex;
use kd_data::fetch::{FetchError, FetchOptions, FetchOutcome, fetch, remove};
use kd_data::{Manifest, Root};

/// How the server answers.
#[derive(Clone, Copy)]
struct Answer {
    body: &'static [u8],
    tag: &'static str,
    /// Sends this many bytes of what it promised, then closes.
    cut_after: Option<usize>,
    ranges: bool,
    status: &'static str,
}

const BODY: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyz";
const GOOD: Answer = Answer { body: BODY, tag: "\"v1\"", cut_after: None, ranges: true, status: "200 OK" };

/// Serves one answer a connection, in order; remembers the requests.
fn serve(answers: Vec<Answer>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/set.npz", listener.local_addr().unwrap());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let requests = Arc::clone(&seen);
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap().to_lowercase();
            let value =
                |name: &str| head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned));
            let start = value("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
            let same = value("if-range").is_none_or(|tag| tag == answer.tag);
            let start: usize = start.filter(|_| answer.ranges && same).unwrap_or(0);
            requests.lock().unwrap().push(head);
            let rest = &answer.body[start..];
            let status = if start > 0 { "206 Partial Content" } else { answer.status };
            let range = format!("Content-Range: bytes {start}-{}/{}\r\n", answer.body.len() - 1, answer.body.len());
            let range = if start > 0 { range } else { String::new() };
            let (tag, length) = (answer.tag, rest.len());
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nETag: {tag}\r\n{range}Connection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            let _ = stream.write_all(&rest[..answer.cut_after.unwrap_or(length).min(length)]);
        }
    });
    (url, seen)
}

fn manifest(url: &str, of: &[u8]) -> Manifest {
    let text = format!(
        "name = \"my-set\"\ntitle = \"x\"\ntask = \"multi-class\"\nclasses = [\"a\", \"b\"]\n\
         [image]\nchannels = 1\nsize = [2, 2]\nintensity = \"stored\"\nbits = 8\n\
         [license]\nspdx = \"MIT\"\n[citation]\ntext = \"x\"\n[split]\npolicy = \"official\"\n\
         [source]\nlayout = \"medmnist-npz\"\n[[source.file]]\nname = \"set.npz\"\nurl = \"{url}\"\nsha256 = \"{}\"\n",
        sha256_hex(of)
    );
    Manifest::parse(&text, "dataset.toml").unwrap()
}

struct Place {
    _folder: tempfile::TempDir,
    root: Root,
    file: PathBuf,
    part: PathBuf,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path().join("artifacts"));
    let file = root.raw_set("my-set").join("set.npz");
    let part = root.raw_set("my-set").join("set.npz.part");
    Place { _folder: folder, root, file, part }
}

fn get(place: &Place, manifest: &Manifest) -> Result<FetchOutcome, FetchError> {
    fetch(&place.root, manifest, FetchOptions::default(), &mut |_| {}).map(|outcomes| outcomes[0].1)
}

#[test]
fn a_whole_download_is_verified_and_reports_its_progress() {
    let (url, seen) = serve(vec![GOOD]);
    let place = place();
    let set = manifest(&url, BODY);
    let mut steps = Vec::new();
    let outcomes =
        fetch(&place.root, &set, FetchOptions::default(), &mut |step| steps.push((step.done, step.total))).unwrap();
    assert_eq!(outcomes, [("set.npz".into(), FetchOutcome::Downloaded { bytes: 36, resumed_from: 0 })]);
    assert_eq!(std::fs::read(&place.file).unwrap(), BODY);
    assert_eq!((steps.first(), steps.last()), (Some(&(0, Some(36))), Some(&(36, Some(36)))));
    assert_eq!(std::fs::read_dir(place.root.raw_set("my-set")).unwrap().count(), 1);
    // The server answers once: a second request would find nobody.
    assert_eq!(get(&place, &set).unwrap(), FetchOutcome::AlreadyThere);
    assert_eq!(seen.lock().unwrap().len(), 1);
}

#[test]
fn an_interrupted_download_goes_on_where_it_stopped() {
    let (url, seen) = serve(vec![Answer { cut_after: Some(10), ..GOOD }, GOOD]);
    let place = place();
    let set = manifest(&url, BODY);
    let refused = get(&place, &set).unwrap_err();
    assert!(matches!(refused, FetchError::Interrupted { done: 10, total: Some(36), .. }), "{refused}");
    assert!(refused.to_string().contains("\nhint: run the same command again"));
    assert!(place.part.exists() && !place.file.exists());
    assert_eq!(get(&place, &set).unwrap(), FetchOutcome::Downloaded { bytes: 36, resumed_from: 10 });
    assert_eq!(std::fs::read(&place.file).unwrap(), BODY);
    let second = seen.lock().unwrap()[1].clone();
    assert!(second.contains("range: bytes=10-") && second.contains("if-range: \"v1\""), "{second}");
}

#[test]
fn a_file_replaced_between_two_calls_is_fetched_whole() {
    let new = Answer { body: b"another version of the file", tag: "\"v2\"", ..GOOD };
    let (url, _) = serve(vec![Answer { cut_after: Some(10), ..GOOD }, new]);
    let place = place();
    let set = manifest(&url, new.body);
    get(&place, &set).unwrap_err();
    assert_eq!(get(&place, &set).unwrap(), FetchOutcome::Downloaded { bytes: 27, resumed_from: 0 });
    assert_eq!(std::fs::read(&place.file).unwrap(), new.body);
}

#[test]
fn a_server_that_ignores_ranges_sends_the_whole_file() {
    let (url, _) = serve(vec![Answer { cut_after: Some(10), ..GOOD }, Answer { ranges: false, ..GOOD }]);
    let place = place();
    let set = manifest(&url, BODY);
    get(&place, &set).unwrap_err();
    assert_eq!(get(&place, &set).unwrap(), FetchOutcome::Downloaded { bytes: 36, resumed_from: 0 });
}

#[test]
fn a_server_that_names_no_version_is_never_asked_for_the_rest() {
    let (url, seen) = serve(vec![Answer { cut_after: Some(10), tag: "W/\"v1\"", ..GOOD }, GOOD]);
    let place = place();
    let set = manifest(&url, BODY);
    get(&place, &set).unwrap_err();
    assert_eq!(get(&place, &set).unwrap(), FetchOutcome::Downloaded { bytes: 36, resumed_from: 0 });
    assert!(!seen.lock().unwrap()[1].contains("range"));
}

#[test]
fn wrong_bytes_are_thrown_away_with_both_checksums_named() {
    let (url, _) = serve(vec![Answer { body: b"something else", ..GOOD }]);
    let place = place();
    let refused = get(&place, &manifest(&url, BODY)).unwrap_err();
    let text = refused.to_string();
    assert!(text.contains(&sha256_hex(b"something else")) && text.contains(&sha256_hex(BODY)), "{text}");
    assert!(text.contains("\nhint: "), "{text}");
    assert!(!place.part.exists() && !place.file.exists());
}

#[test]
fn a_missing_file_is_told_by_its_status() {
    let (url, _) = serve(vec![Answer { status: "404 Not Found", ..GOOD }]);
    let place = place();
    let refused = get(&place, &manifest(&url, BODY)).unwrap_err();
    assert!(matches!(refused, FetchError::Status { status: 404, .. }), "{refused}");
    assert!(refused.to_string().contains("--mirror"));
    assert!(!place.file.exists());
}

#[test]
fn no_network_leads_to_the_mirror() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let place = place();
    let refused = get(&place, &manifest(&format!("http://{free}/set.npz"), BODY)).unwrap_err();
    assert!(matches!(refused, FetchError::Network { .. }), "{refused}");
    assert!(refused.to_string().contains("hint: check network and proxy (HTTPS_PROXY)"));
    assert!(refused.to_string().contains("--mirror DIR"));
}

#[test]
fn a_mirror_serves_the_same_bytes_and_only_those() {
    let place = place();
    let set = manifest("https://localhost/set.npz", BODY);
    let mirror = tempfile::tempdir().unwrap();
    let options = FetchOptions { mirror: Some(mirror.path()) };
    let get = || fetch(&place.root, &set, options, &mut |_| {}).map(|outcomes| outcomes[0].1);
    assert!(matches!(get().unwrap_err(), FetchError::NotInMirror { .. }));
    std::fs::write(mirror.path().join("set.npz"), b"damaged").unwrap();
    let refused = get().unwrap_err();
    assert!(matches!(refused, FetchError::Checksum { .. }) && refused.to_string().contains("mirror"), "{refused}");
    assert!(!place.file.exists());
    std::fs::write(mirror.path().join("set.npz"), BODY).unwrap();
    assert_eq!(get().unwrap(), FetchOutcome::Mirrored { bytes: 36 });
    assert_eq!(std::fs::read(&place.file).unwrap(), BODY);
}

#[test]
fn a_file_that_somebody_put_there_is_checked_and_left_alone() {
    let place = place();
    std::fs::create_dir_all(place.root.raw_set("my-set")).unwrap();
    std::fs::write(&place.file, b"mine").unwrap();
    let refused = get(&place, &manifest("http://127.0.0.1:1/set.npz", BODY)).unwrap_err();
    assert!(matches!(refused, FetchError::Present { .. }), "{refused}");
    assert_eq!(std::fs::read(&place.file).unwrap(), b"mine");
}

#[test]
fn only_a_data_sets_own_folder_can_be_removed() {
    let place = place();
    std::fs::create_dir_all(place.root.raw_set("my-set")).unwrap();
    assert!(matches!(remove(&place.root, "..").unwrap_err(), FetchError::NotADataSet { .. }));
    assert!(remove(&place.root, "my-set").unwrap());
    assert!(!remove(&place.root, "my-set").unwrap());
}
