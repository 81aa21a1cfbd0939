//! Property tests of chunked bodies.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// The result of reading a body: its bytes and its trailing header.
type Read = Result<(Vec<u8>, Option<String>), String>;

fn read(pieces: Vec<Vec<u8>>, signed: bool) -> Read {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let pieces = pieces.into_iter().map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));
        let body = Body::from_stream(futures::stream::iter(pieces));
        let signer = signed.then(ChunkSigner::for_tests);
        let mut incoming = Incoming::Chunked(Box::new(Chunked::new(body, signer)));
        let all = incoming.collect(1 << 20).await.map_err(|error| error.to_string())?.expect("short enough");
        Ok((all.to_vec(), incoming.trailer("x-amz-checksum-crc32").map(str::to_owned)))
    })
}

/// Encodes a body as clients do.
fn write(chunks: &[Vec<u8>], trailer: Option<&str>, signed: bool) -> Vec<u8> {
    let mut signer = ChunkSigner::for_tests();
    let mut body = Vec::new();
    // An empty chunk is the last one.
    for chunk in chunks.iter().filter(|chunk| !chunk.is_empty()).chain([&Vec::new()]) {
        body.extend(format!("{:x}", chunk.len()).bytes());
        if signed {
            body.extend(format!(";chunk-signature={}", signer.sign(chunk)).bytes());
        }
        body.extend(b"\r\n");
        if !chunk.is_empty() {
            body.extend(chunk);
            body.extend(b"\r\n");
        }
    }
    if let Some(value) = trailer {
        body.extend(format!("x-amz-checksum-crc32:{value}\r\n").bytes());
        if signed {
            let signature = signer.sign_trailer(&format!("x-amz-checksum-crc32:{value}\n"));
            body.extend(format!("x-amz-trailer-signature:{signature}\r\n").bytes());
        }
    }
    body.extend(b"\r\n");
    body
}

/// Cuts bytes at these places.
fn cut(bytes: &[u8], places: &[usize]) -> Vec<Vec<u8>> {
    let mut places: Vec<usize> = places.iter().map(|place| place % (bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_was_written_is_read_however_it_arrives(
        chunks in vec(vec(any::<u8>(), 0..200), 0..6),
        trailer in proptest::option::of("[A-Za-z0-9+/]{1,8}="),
        signed in any::<bool>(),
        places in vec(any::<usize>(), 0..8),
    ) {
        let body = write(&chunks, trailer.as_deref(), signed);
        let whole = read(vec![body.clone()], signed);
        prop_assert_eq!(&whole, &Ok((chunks.concat(), trailer)));
        prop_assert_eq!(read(cut(&body, &places), signed), whole.clone());
        prop_assert_eq!(read(body.iter().map(|byte| vec![*byte]).collect(), signed), whole);
    }

    #[test]
    fn anything_at_all_is_read_or_refused_the_same_however_it_arrives(
        bytes in prop_oneof![vec(any::<u8>(), 0..300), "([0-9a-f+;\r\n]|chunk-signature=|\r\n|0\r\n){0,40}".prop_map(String::into_bytes)],
        signed in any::<bool>(),
        places in vec(any::<usize>(), 0..8),
    ) {
        prop_assert_eq!(read(cut(&bytes, &places), signed), read(vec![bytes], signed));
    }

    #[test]
    fn one_changed_byte_of_a_signed_body_is_noticed(
        chunk in vec(any::<u8>(), 1..100),
        at in any::<prop::sample::Index>(),
        change in 1..=255u8,
    ) {
        let place = at.index(chunk.len());
        let mut body = write(&[chunk], None, true);
        // Behind the line that announces the chunk.
        let start = body.windows(2).position(|pair| pair == b"\r\n").expect("a line") + 2;
        body[start + place] ^= change;
        prop_assert!(read(vec![body], true).is_err());
    }

    #[test]
    fn a_body_that_is_cut_short_is_noticed(
        chunks in vec(vec(any::<u8>(), 1..100), 1..4),
        signed in any::<bool>(),
        at in any::<prop::sample::Index>(),
    ) {
        let body = write(&chunks, None, signed);
        // All but the empty line at the very end, which some clients leave out.
        let end = body.len() - 2;
        prop_assert!(read(vec![body[..at.index(end - 1)].to_vec()], signed).is_err());
    }
}
