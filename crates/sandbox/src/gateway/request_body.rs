//! [`BodyReader`]: reads request bodies into memory, with limits on the size, the total and the time.
//!
//! S3 and the registry stream their bodies to disk instead.

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

/// Bodies up to this size need no reservation, so that small calls never wait for large ones.
const SMALL: usize = 64 * 1024;

/// The most memory for larger bodies together before their signatures are checked.
const UNVERIFIED: usize = 4 * MAX_BODY;

/// The timeout for a body to arrive, including the wait for its reservation.
const DEADLINE: Duration = Duration::from_secs(60);

/// How long the rest of a rejected request is read, so that the client gets the response and not a broken connection.
const DISCARD: Duration = Duration::from_secs(2);

/// Why a body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyRejection {
    #[error("the body is larger than 16 MB")]
    TooLarge,
    #[error("the body did not arrive in time")]
    TooSlow,
    #[error("too many large bodies are being read")]
    Busy,
    #[error("the client hung up")]
    HungUp,
}

/// A reservation of memory for a body, released when dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    _permit: Option<OwnedSemaphorePermit>,
}

/// Reads bodies within the limits.
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
    /// Reads a body whose head is authenticated.
    pub(crate) async fn read_verified(&self, parts: &Parts, body: Body) -> Result<Bytes, BodyRejection> {
        let length = declared_length(parts)?;
        let read = collect(Incoming::Plain(body), BytesMut::new(), length.unwrap_or(MAX_BODY));
        timeout(self.deadline, read).await.unwrap_or(Err(BodyRejection::TooSlow))
    }

    /// Reads an unauthenticated body. The reservation must be held until the signature is checked.
    pub(crate) async fn read_unverified(
        &self,
        parts: &Parts,
        body: Body,
    ) -> Result<(Bytes, Reservation), BodyRejection> {
        let read = async {
            let mut body = Incoming::Plain(body);
            let mut received = BytesMut::new();
            let size = match declared_length(parts)? {
                Some(length) => length,
                // Only a large body needs a reservation.
                None => {
                    while received.len() <= SMALL {
                        match body.next().await.map_err(|_| BodyRejection::HungUp)? {
                            Some(piece) => received.extend_from_slice(&piece),
                            None => return Ok((received.freeze(), Reservation { _permit: None })),
                        }
                    }
                    MAX_BODY
                }
            };
            let permit = if size > SMALL { Some(self.reserve(size).await?) } else { None };
            Ok((collect(body, received, size).await?, Reservation { _permit: permit }))
        };
        timeout(self.deadline, read).await.unwrap_or(Err(BodyRejection::TooSlow))
    }

    /// Reserves the whole size at once, since partial reservations could deadlock.
    async fn reserve(&self, size: usize) -> Result<OwnedSemaphorePermit, BodyRejection> {
        let size = u32::try_from(size).map_err(|_| BodyRejection::TooLarge)?;
        let reserved = timeout(self.deadline / 2, self.unverified.clone().acquire_many_owned(size)).await;
        reserved.ok().and_then(Result::ok).ok_or(BodyRejection::Busy)
    }
}

/// Reads and discards the rest of a rejected request.
pub(crate) async fn discard(parts: &Parts, body: Body) {
    // The client has not sent the body: it waits for `100 Continue`.
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
    // After the timeout the connection ends with the response.
    let _ = timeout(DISCARD, rest).await;
}

/// The length in the head, if it is within the limit.
fn declared_length(parts: &Parts) -> Result<Option<usize>, BodyRejection> {
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match length {
        Some(length) if length > MAX_BODY as u64 => Err(BodyRejection::TooLarge),
        Some(length) => Ok(usize::try_from(length).ok()),
        None => Ok(None),
    }
}

/// Reads the rest of a body up to a total of `limit` bytes.
async fn collect(mut body: Incoming, mut bytes: BytesMut, limit: usize) -> Result<Bytes, BodyRejection> {
    if bytes.len() > limit {
        return Err(BodyRejection::TooLarge);
    }
    while let Some(piece) = body.next().await.map_err(|_| BodyRejection::HungUp)? {
        if bytes.len() + piece.len() > limit {
            return Err(BodyRejection::TooLarge);
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
            let rejected = reader.read_unverified(&parts(announced), body(MAX_BODY + 1)).await.unwrap_err();
            assert_eq!(rejected, BodyRejection::TooLarge);
            let rejected = reader.read_verified(&parts(announced), body(MAX_BODY + 1)).await.unwrap_err();
            assert_eq!(rejected, BodyRejection::TooLarge);
        }
        assert_eq!(reader.unverified.available_permits(), UNVERIFIED);
    }

    #[tokio::test]
    async fn body_that_does_not_arrive_is_rejected() {
        for announced in [None, Some(10), Some(MAX_BODY)] {
            let rejected = reader(20).read_unverified(&parts(announced), silent()).await.unwrap_err();
            assert_eq!(rejected, BodyRejection::TooSlow);
            let rejected = reader(20).read_verified(&parts(announced), silent()).await.unwrap_err();
            assert_eq!(rejected, BodyRejection::TooSlow);
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
            let rejected = reader.read_unverified(&self::parts(announced), body(MAX_BODY)).await.unwrap_err();
            assert_eq!(rejected, BodyRejection::Busy);
        }
        let (small, _) = reader.read_unverified(&self::parts(Some(SMALL)), body(SMALL)).await.unwrap();
        assert_eq!(small.len(), SMALL);
        assert_eq!(reader.read_verified(&parts, body(MAX_BODY)).await.unwrap().len(), MAX_BODY);
        // A released reservation goes to a waiting body.
        let waiting = reader.read_unverified(&parts, body(MAX_BODY));
        let (read, ()) = tokio::join!(waiting, async { drop(held.pop()) });
        assert_eq!(read.unwrap().0.len(), MAX_BODY);
    }

    #[tokio::test]
    async fn rest_of_rejected_request_is_read_but_not_requested() {
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
