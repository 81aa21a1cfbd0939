//! Request bodies as streams: plain, or `aws-chunked` with signatures and trailers.

use axum::body::Body;
use bytes::{Buf, Bytes, BytesMut};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};

use crate::authz::signature::ChunkSigner;
use crate::storage::blobs::hex;

/// The longest line of a chunk's head or a trailer, in bytes.
const MAX_LINE: usize = 8 * 1024;

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The client disconnected, or sent fewer bytes than declared.
    #[error("the body ended early")]
    Incomplete,
    /// It is not valid `aws-chunked`.
    #[error("the body is not well-formed: {0}")]
    Malformed(&'static str),
    /// A chunk's or the trailer's signature is wrong.
    #[error("a chunk's signature does not match")]
    Signature,
}

/// A request body.
pub(crate) enum Incoming {
    /// Without framing.
    Plain(Body),
    /// With `aws-chunked` framing.
    Chunked(Box<Chunked>),
}

impl Incoming {
    /// Returns the next bytes, or nothing at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        match self {
            Self::Plain(body) => next_data(body).await,
            Self::Chunked(chunked) => chunked.next().await,
        }
    }

    /// A trailing header, known after the end of the body.
    pub(crate) fn trailer(&self, name: &str) -> Option<&str> {
        match self {
            Self::Plain(_) => None,
            Self::Chunked(chunked) => {
                chunked.trailers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
            }
        }
    }

    /// Reads the whole body; nothing if it is longer than `limit`.
    pub(crate) async fn collect(&mut self, limit: usize) -> Result<Option<Bytes>, BodyError> {
        let mut all = BytesMut::new();
        while let Some(bytes) = self.next().await? {
            if all.len() + bytes.len() > limit {
                return Ok(None);
            }
            all.extend_from_slice(&bytes);
        }
        Ok(Some(all.freeze()))
    }
}

async fn next_data(body: &mut Body) -> Result<Option<Bytes>, BodyError> {
    loop {
        match body.frame().await {
            None => return Ok(None),
            Some(Err(_)) => return Err(BodyError::Incomplete),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data()
                    && !data.is_empty()
                {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// A decoder of `aws-chunked`: `LENGTH[;chunk-signature=…]\r\n`, the bytes, `\r\n`, …, a chunk of length 0, trailing headers.
pub(crate) struct Chunked {
    body: Body,
    buffer: BytesMut,
    /// Bytes left of the current chunk.
    left: u64,
    /// Whether a chunk has started and its line end is due.
    open: bool,
    hash: Sha256,
    declared_signature: Option<String>,
    signer: Option<ChunkSigner>,
    trailers: Vec<(String, String)>,
    done: bool,
}

impl Chunked {
    /// Creates a decoder; with a `signer` if the chunks are signed.
    pub(crate) fn new(body: Body, signer: Option<ChunkSigner>) -> Self {
        Self {
            body,
            buffer: BytesMut::new(),
            left: 0,
            open: false,
            hash: Sha256::new(),
            declared_signature: None,
            signer,
            trailers: Vec::new(),
            done: false,
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        if self.done {
            return Ok(None);
        }
        if self.left == 0 {
            self.close_chunk().await?;
            let head = self.line().await?;
            let (length, extension) = head.split_once(';').unwrap_or((&head, ""));
            let length = length.trim();
            // Rust's parser would accept a sign.
            self.left = Some(length)
                .filter(|length| length.bytes().all(|digit| digit.is_ascii_hexdigit()))
                .and_then(|length| u64::from_str_radix(length, 16).ok())
                .ok_or(BodyError::Malformed("a chunk's length is not a number"))?;
            self.declared_signature = extension.trim().strip_prefix("chunk-signature=").map(str::to_owned);
            if self.signer.is_some() && self.declared_signature.is_none() {
                return Err(BodyError::Malformed("a chunk has no signature"));
            }
            if self.left == 0 {
                self.check_chunk()?;
                self.read_trailers().await?;
                self.done = true;
                return Ok(None);
            }
            self.open = true;
        }
        if self.buffer.is_empty() {
            self.fill().await?;
        }
        let take = usize::try_from(self.left).unwrap_or(usize::MAX).min(self.buffer.len());
        let bytes = self.buffer.split_to(take).freeze();
        self.left -= bytes.len() as u64;
        if self.signer.is_some() {
            self.hash.update(&bytes);
        }
        Ok(Some(bytes))
    }

    async fn close_chunk(&mut self) -> Result<(), BodyError> {
        if !self.open {
            return Ok(());
        }
        self.open = false;
        while self.buffer.len() < 2 {
            self.fill().await?;
        }
        if &self.buffer[..2] != b"\r\n" {
            return Err(BodyError::Malformed("a chunk is longer than declared"));
        }
        self.buffer.advance(2);
        self.check_chunk()
    }

    fn check_chunk(&mut self) -> Result<(), BodyError> {
        let hash = hex(&std::mem::take(&mut self.hash).finalize());
        if let (Some(signer), Some(signature)) = (&mut self.signer, self.declared_signature.take())
            && !signer.accepts(&hash, &signature)
        {
            return Err(BodyError::Signature);
        }
        Ok(())
    }

    async fn read_trailers(&mut self) -> Result<(), BodyError> {
        let mut signature = None;
        loop {
            // Some clients omit the empty line at the end.
            let line = match self.line().await {
                Ok(line) => line,
                Err(BodyError::Incomplete) if self.buffer.is_empty() => String::new(),
                Err(error) => return Err(error),
            };
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').ok_or(BodyError::Malformed("a trailing header has no colon"))?;
            let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().to_owned());
            if name == "x-amz-trailer-signature" {
                signature = Some(value);
            } else if self.trailers.len() < 16 {
                self.trailers.push((name, value));
            } else {
                return Err(BodyError::Malformed("there are too many trailing headers"));
            }
        }
        if let (Some(signer), false) = (&mut self.signer, self.trailers.is_empty()) {
            let mut sorted = self.trailers.clone();
            sorted.sort();
            let text: String = sorted.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
            if !signer.accepts_trailer(&text, signature.as_deref().unwrap_or_default()) {
                return Err(BodyError::Signature);
            }
        }
        Ok(())
    }

    async fn line(&mut self) -> Result<String, BodyError> {
        let mut searched = 0;
        loop {
            if let Some(end) = self.buffer[searched..].windows(2).position(|pair| pair == b"\r\n") {
                let line = self.buffer.split_to(searched + end);
                self.buffer.advance(2);
                return String::from_utf8(line.to_vec()).map_err(|_| BodyError::Malformed("a line is not text"));
            }
            searched = self.buffer.len().saturating_sub(1);
            if searched > MAX_LINE {
                return Err(BodyError::Malformed("a line is too long"));
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), BodyError> {
        let bytes = next_data(&mut self.body).await?.ok_or(BodyError::Incomplete)?;
        self.buffer.extend_from_slice(&bytes);
        Ok(())
    }
}

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(pieces: &[&'static [u8]]) -> Result<(Vec<u8>, Option<String>), BodyError> {
        let pieces: Vec<Result<Bytes, std::io::Error>> =
            pieces.iter().map(|piece| Ok(Bytes::from_static(piece))).collect();
        let body = Body::from_stream(futures::stream::iter(pieces));
        let mut incoming = Incoming::Chunked(Box::new(Chunked::new(body, None)));
        let all = incoming.collect(1 << 20).await?.expect("short enough");
        Ok((all.to_vec(), incoming.trailer("x-amz-checksum-crc32").map(str::to_owned)))
    }

    #[tokio::test]
    async fn framing_is_removed_and_trailers_are_read() {
        let (bytes, trailer) =
            read(&[b"4\r\nwi", b"ki\r", b"\n5\r\npedia\r\n0\r\nx-amz-check", b"sum-crc32:abc=\r\n\r\n"]).await.unwrap();
        assert_eq!(bytes, b"wikipedia");
        assert_eq!(trailer.as_deref(), Some("abc="));
    }

    #[tokio::test]
    async fn empty_body_is_empty() {
        assert_eq!(read(&[b"0\r\n\r\n"]).await.unwrap().0, b"");
    }

    #[tokio::test]
    async fn truncated_or_malformed_body_is_rejected() {
        assert!(matches!(read(&[b"4\r\nwi"]).await, Err(BodyError::Incomplete)));
        assert!(matches!(read(&[b"zz\r\nwi"]).await, Err(BodyError::Malformed(_))));
        assert!(matches!(read(&[b"2\r\nwiki\r\n0\r\n\r\n"]).await, Err(BodyError::Malformed(_))));
    }
}
