//! One download: range requests that are bound to a version of the file, and every way in which they fail.
//!
//! `If-Range` makes the server send the whole file when its version changed since the bytes in `.part` came. A server
//! that names no version is not asked to go on from the middle: two versions glued together would be found by the
//! checksum, but only after the whole download.

use std::time::Duration;

use ureq::http::{HeaderMap, Response, header};

use super::part::{Part, Stopped};
use super::{FetchError, FetchOutcome, FetchProgress};
use crate::manifest::SourceFile;

pub(super) fn download(
    folder: &std::path::Path,
    file: &SourceFile,
    url: &str,
    progress: &mut dyn FnMut(FetchProgress<'_>),
) -> Result<FetchOutcome, FetchError> {
    let mut part = Part::resume(folder, file)?;
    if part.len() > 0 && part.is_whole() {
        let bytes = part.len();
        part.finish()?;
        return Ok(FetchOutcome::Downloaded { bytes, resumed_from: bytes });
    }
    if part.tag().is_none() {
        part.restart()?;
    }
    let agent = agent(url);
    let mut response = request(&agent, url, &part)?;
    // The range does not fit the file any more: start again.
    if response.status() == 416 {
        part.restart()?;
        response = request(&agent, url, &part)?;
    }
    let resumed_from = match response.status().as_u16() {
        206 if content_range_start(response.headers()) == Some(part.len()) => part.len(),
        200 => {
            part.restart()?;
            0
        }
        status => return Err(FetchError::Status { url: url.into(), status }),
    };
    if resumed_from == 0 {
        part.keep_tag(version_tag(response.headers()).as_deref());
    }
    let rest = content_length(response.headers());
    let total = rest.map(|rest| resumed_from + rest).or(file.bytes);
    let mut body = response.into_body().into_reader();
    match part.append(&mut body, total, progress) {
        Ok(()) => {}
        Err(Stopped::Write(refused)) => return Err(refused.into()),
        Err(Stopped::Read(_)) => {
            return Err(FetchError::Interrupted { file: file.name.clone(), done: part.len(), total });
        }
    }
    let bytes = part.len();
    if total.is_some_and(|total| bytes < total) && !part.is_whole() {
        return Err(FetchError::Interrupted { file: file.name.clone(), done: bytes, total });
    }
    part.finish()?;
    Ok(FetchOutcome::Downloaded { bytes, resumed_from })
}

fn agent(url: &str) -> ureq::Agent {
    let mut config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .user_agent(concat!("kd-data/", env!("CARGO_PKG_VERSION")))
        // A compressed body would be another file.
        .accept_encoding("identity")
        .timeout_connect(Some(Duration::from_secs(30)))
        .timeout_recv_response(Some(Duration::from_secs(60)))
        .timeout_per_read(Some(Duration::from_secs(60)));
    // A proxy cannot know this machine's own addresses.
    let own = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    if own.iter().any(|prefix| url.starts_with(prefix)) {
        config = config.proxy(None);
    }
    config.build().new_agent()
}

fn request(agent: &ureq::Agent, url: &str, part: &Part<'_>) -> Result<Response<ureq::Body>, FetchError> {
    let mut request = agent.get(url);
    if let Some(tag) = part.tag().filter(|_| part.len() > 0) {
        request = request.header(header::RANGE, format!("bytes={}-", part.len())).header(header::IF_RANGE, tag);
    }
    request.call().map_err(|refused| FetchError::Network {
        url: url.into(),
        reason: refused.to_string(),
        kept: part.len(),
    })
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    text(headers, header::CONTENT_LENGTH)?.trim().parse().ok()
}

fn content_range_start(headers: &HeaderMap) -> Option<u64> {
    let range = text(headers, header::CONTENT_RANGE)?.strip_prefix("bytes ")?;
    range.split_once('-')?.0.trim().parse().ok()
}

/// What `If-Range` may hold: a strong tag, else the date of change. A weak tag (`W/"…"`) names files that may differ
/// in bytes and is no use here.
fn version_tag(headers: &HeaderMap) -> Option<String> {
    let strong = text(headers, header::ETAG).filter(|tag| tag.starts_with('"'));
    strong.or_else(|| text(headers, header::LAST_MODIFIED)).map(str::to_owned)
}
