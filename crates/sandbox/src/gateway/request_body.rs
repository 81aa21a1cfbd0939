//! Bodies that are read into memory before a call is worked on: bounded each, bounded together, bounded in time.
//!
//! S3 and the registry stream theirs to disk; theirs do not come here.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT};
use http::request::Parts;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::gateway::chunked::Incoming;

/// The largest body of a call to any service but S3.
pub(crate) const MAX_BODY: usize = 16 * 1024 * 1024;

/// Bodies up to this size are read whoever sends them, so that small calls never wait for large ones.
const SMALL: usize = 64 * 1024;

/// What larger bodies may hold in memory together before their signatures are checked.
const UNVERIFIED: usize = 4 * MAX_BODY;

/// The longest that a body may take to arrive, and to wait for its place in memory.
const DEADLINE: Duration = Duration::from_secs(60);

/// How long the rest of a refused request is read, so that its sender sees the answer and not a broken connection.
const DISCARD: Duration = Duration::from_secs(2);

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyRefused {
    #[error("the body is larger than 16 MB")]
    TooLarge,
    #[error("the body did not arrive in time")]
    TooSlow,
    #[error("too many large bodies are being read")]
    Busy,
    #[error("the client hung up")]
    HungUp,
}

/// A body's place in memory, given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    _permit: Option<OwnedSemaphorePermit>,
}

/// Reads bodies within the bounds.
#[derive(Debug, Clone)]
pub(crate) struct BodyReader {
    unverified: Arc<Semaphore>,
    deadline: Duration,
}

impl Default for BodyReader {
    fn default() -> Self {
        Self { unverified: Arc::new(Semaphore::new(UNVERIFIED)), deadline: DEADLINE }
    }
}

impl BodyReader {
    /// Reads a body whose sender is known by the request's head.
    pub(crate) async fn read_verified(&self, parts: &Parts, body: Body) -> Result<Bytes, BodyRefused> {
        let length = announced(parts)?;
        let read = collect(Incoming::Plain(body), BytesMut::new(), length.unwrap_or(MAX_BODY));
        timeout(self.deadline, read).await.unwrap_or(Err(BodyRefused::TooSlow))
    }

    /// Reads a body that anyone may have sent. The reservation is to be kept until the signature is checked.
    pub(crate) async fn read_unverified(&self, parts: &Parts, body: Body) -> Result<(Bytes, Reservation), BodyRefused> {
        let read = async {
            let mut body = Incoming::Plain(body);
            let mut begun = BytesMut::new();
            let size = match announced(parts)? {
                Some(length) => length,
                // Only a body that turns out to be large needs a place.
                None => {
                    while begun.len() <= SMALL {
                        match body.next().await.map_err(|_| BodyRefused::HungUp)? {
                            Some(piece) => begun.extend_from_slice(&piece),
                            None => return Ok((begun.freeze(), Reservation { _permit: None })),
                        }
                    }
                    MAX_BODY
                }
            };
            let permit = if size > SMALL { Some(self.reserve(size).await?) } else { None };
            Ok((collect(body, begun, size).await?, Reservation { _permit: permit }))
        };
        timeout(self.deadline, read).await.unwrap_or(Err(BodyRefused::TooSlow))
    }

    /// All of the place at once: bodies that each hold a part and wait for the rest would wait for each other.
    async fn reserve(&self, size: usize) -> Result<OwnedSemaphorePermit, BodyRefused> {
        let size = u32::try_from(size).map_err(|_| BodyRefused::TooLarge)?;
        let place = timeout(self.deadline / 2, self.unverified.clone().acquire_many_owned(size)).await;
        place.ok().and_then(Result::ok).ok_or(BodyRefused::Busy)
    }
}

/// Reads what is left of a request that is refused, and keeps nothing of it.
pub(crate) async fn discard(parts: &Parts, body: Body) {
    // Who waits to be asked for the body is not asked.
    if parts.headers.contains_key(EXPECT) {
        return;
    }
    let mut body = Incoming::Plain(body);
    let rest = async {
        let mut length = 0;
        while let Ok(Some(piece)) = body.next().await {
            length += piece.len();
            if length > MAX_BODY {
                return;
            }
        }
    };
    // Past its time, the connection ends with the answer.
    let _ = timeout(DISCARD, rest).await;
}

/// The length that the head announces, if it may be that long.
fn announced(parts: &Parts) -> Result<Option<usize>, BodyRefused> {
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length > MAX_BODY as u64 => Err(BodyRefused::TooLarge),
        Some(length) => Ok(usize::try_from(length).ok()),
        None => Ok(None),
    }
}

/// Reads the rest of a body of at most `limit` bytes, of which some are there.
async fn collect(mut body: Incoming, mut bytes: BytesMut, limit: usize) -> Result<Bytes, BodyRefused> {
    if bytes.len() > limit {
        return Err(BodyRefused::TooLarge);
    }
    while let Some(piece) = body.next().await.map_err(|_| BodyRefused::HungUp)? {
        if bytes.len() + piece.len() > limit {
            return Err(BodyRefused::TooLarge);
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.freeze())
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;

    use super::*;

    fn parts(length: Option<usize>) -> Parts {
        let mut request = http::Request::new(());
        if let Some(length) = length {
            request.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        request.into_parts().0
    }

    /// A body that sends `length` bytes in pieces and then ends.
    fn body(length: usize) -> Body {
        let pieces = (0..length)
            .step_by(SMALL)
            .map(move |at| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; SMALL.min(length - at)])));
        Body::from_stream(futures::stream::iter(pieces))
    }

    /// A body that never sends anything.
    fn silent() -> Body {
        Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>())
    }

    fn reader(deadline: u64) -> BodyReader {
        BodyReader { deadline: Duration::from_millis(deadline), ..BodyReader::default() }
    }

    #[tokio::test]
    async fn body_is_read_up_to_its_limit() {
        let reader = BodyReader::default();
        for length in [0, 1, SMALL, SMALL + 1, MAX_BODY] {
            for announced in [None, Some(length)] {
                let (bytes, _) = reader.read_unverified(&parts(announced), body(length)).await.unwrap();
                assert_eq!(bytes.len(), length);
                assert_eq!(reader.read_verified(&parts(announced), body(length)).await.unwrap().len(), length);
            }
        }
        for announced in [None, Some(MAX_BODY + 1)] {
            let refused = reader.read_unverified(&parts(announced), body(MAX_BODY + 1)).await.unwrap_err();
            assert_eq!(refused, BodyRefused::TooLarge);
            let refused = reader.read_verified(&parts(announced), body(MAX_BODY + 1)).await.unwrap_err();
            assert_eq!(refused, BodyRefused::TooLarge);
        }
        assert_eq!(reader.unverified.available_permits(), UNVERIFIED);
    }

    #[tokio::test]
    async fn body_that_does_not_arrive_is_refused() {
        for announced in [None, Some(10), Some(MAX_BODY)] {
            let refused = reader(20).read_unverified(&parts(announced), silent()).await.unwrap_err();
            assert_eq!(refused, BodyRefused::TooSlow);
            let refused = reader(20).read_verified(&parts(announced), silent()).await.unwrap_err();
            assert_eq!(refused, BodyRefused::TooSlow);
        }
    }

    #[tokio::test]
    async fn large_unverified_bodies_are_bounded_together_and_small_ones_never_wait() {
        let reader = reader(200);
        let parts = parts(Some(MAX_BODY));
        let mut held = Vec::new();
        for _ in 0..UNVERIFIED / MAX_BODY {
            held.push(reader.read_unverified(&parts, body(MAX_BODY)).await.unwrap());
        }
        // Whether its length is announced or not.
        for announced in [Some(MAX_BODY), None] {
            let refused = reader.read_unverified(&self::parts(announced), body(MAX_BODY)).await.unwrap_err();
            assert_eq!(refused, BodyRefused::Busy);
        }
        let (small, _) = reader.read_unverified(&self::parts(Some(SMALL)), body(SMALL)).await.unwrap();
        assert_eq!(small.len(), SMALL);
        assert_eq!(reader.read_verified(&parts, body(MAX_BODY)).await.unwrap().len(), MAX_BODY);
        // A place that is given back goes to whoever waits for one.
        let waiting = reader.read_unverified(&parts, body(MAX_BODY));
        let (read, ()) = tokio::join!(waiting, async { drop(held.pop()) });
        assert_eq!(read.unwrap().0.len(), MAX_BODY);
    }

    #[tokio::test]
    async fn rest_of_refused_request_is_read_but_not_asked_for() {
        let read = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = |read: Arc<std::sync::atomic::AtomicUsize>| {
            let pieces = futures::stream::iter(vec![Ok::<_, std::io::Error>(Bytes::from_static(b"abc"))]);
            Body::from_stream(pieces.inspect(move |_| {
                read.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }))
        };
        let mut expecting = parts(None);
        expecting.headers.insert(EXPECT, http::HeaderValue::from_static("100-continue"));
        discard(&expecting, counted(read.clone())).await;
        assert_eq!(read.load(std::sync::atomic::Ordering::Relaxed), 0);
        discard(&parts(None), counted(read.clone())).await;
        assert_eq!(read.load(std::sync::atomic::Ordering::Relaxed), 1);
    }
}
