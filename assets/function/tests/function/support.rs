//! Test support: an HTTP server, an S3 in memory, and test pictures.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// A complete request.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    /// The undecoded path without the query.
    pub path: String,
    pub query: String,
    /// Headers with lower-case names.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// A response; the content length is added.
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    pub fn header(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }
}

/// Starts a server for the rest of the test, and returns its address.
pub fn serve(answer: impl Fn(Request) -> Response + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            thread::spawn(move || while exchange(&stream, &*answer).is_some() {});
        }
    });
    address
}

fn exchange(stream: &TcpStream, answer: &dyn Fn(Request) -> Response) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split(' ');
    let method = words.next()?.to_owned();
    let (path, query) = words.next().map(|target| target.split_once('?').unwrap_or((target, "")))?;
    let mut request =
        Request { method, path: path.to_owned(), query: query.to_owned(), headers: BTreeMap::new(), body: Vec::new() };
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let value = value.trim().to_owned();
        request.headers.insert(name.to_lowercase(), value);
    }
    if let Some(length) = request.headers.get("content-length") {
        request.body = vec![0; length.parse().ok()?];
        reader.read_exact(&mut request.body).ok()?;
    } else if request.headers.contains_key("transfer-encoding") {
        request.body = chunks(&mut reader)?;
    }
    let response = answer(request);
    let mut head = format!("HTTP/1.1 {} Status\r\n", response.status);
    if !response.headers.iter().any(|(name, _)| name == "content-length") {
        head += &format!("content-length: {}\r\n", response.body.len());
    }
    for (name, value) in &response.headers {
        head += &format!("{name}: {value}\r\n");
    }
    let mut stream = stream;
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    stream.write_all(&response.body).ok()
}

fn chunks(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let length = usize::from_str_radix(line.trim(), 16).ok()?;
        let mut chunk = vec![0; length + 2];
        reader.read_exact(&mut chunk).ok()?;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(&chunk[..length]);
    }
}

/// An S3 in memory, with buckets in the path.
#[derive(Clone, Default)]
pub struct FakeS3 {
    /// Objects by the undecoded path `/bucket/key`.
    pub objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    /// All requests, in order.
    pub requests: Arc<Mutex<Vec<Request>>>,
}

impl FakeS3 {
    pub fn with(objects: &[(&str, Vec<u8>)]) -> Self {
        let s3 = Self::default();
        for (path, bytes) in objects {
            s3.objects.lock().unwrap().insert((*path).to_owned(), bytes.clone());
        }
        s3
    }

    pub fn start(&self) -> String {
        let s3 = self.clone();
        format!("http://{}", serve(move |request| s3.answer(request)))
    }

    pub fn answer(&self, request: Request) -> Response {
        self.requests.lock().unwrap().push(request.clone());
        let mut objects = self.objects.lock().unwrap();
        match request.method.as_str() {
            "PUT" => {
                objects.insert(request.path, request.body);
                Response::new(200, "")
            }
            _ => match objects.get(&request.path) {
                Some(bytes) => Response::new(200, bytes.clone()),
                None => error(404, "NoSuchKey", "The specified key does not exist."),
            },
        }
    }

    pub fn object(&self, path: &str) -> Option<Vec<u8>> {
        self.objects.lock().unwrap().get(path).cloned()
    }
}

/// An error response of S3.
pub fn error(status: u16, code: &str, message: &str) -> Response {
    let body = format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    Response::new(status, body)
}

/// An event with one record per key; keys are in S3's encoding.
pub fn event(keys: &[&str]) -> Value {
    let record = |key: &&str| {
        json!({
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "source"}, "object": {"key": key}}
        })
    };
    json!({"Records": keys.iter().map(record).collect::<Vec<_>>()})
}

/// A path relative to this crate's directory.
pub fn crate_path(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// One of the sample images.
pub fn sample(name: &str) -> Vec<u8> {
    std::fs::read(crate_path("../images").join(name)).unwrap()
}

/// Encodes a PNG file.
pub fn write_png(
    size: (u32, u32),
    colours: png::ColorType,
    depth: png::BitDepth,
    palette: Option<(&[u8], &[u8])>,
    samples: &[u8],
) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, size.0, size.1);
    encoder.set_color(colours);
    encoder.set_depth(depth);
    if let Some((palette, alpha)) = palette {
        encoder.set_palette(palette.to_vec());
        encoder.set_trns(alpha.to_vec());
    }
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(samples).unwrap();
    writer.finish().unwrap();
    file
}

/// Encodes a JPEG file.
pub fn write_jpeg(size: (u16, u16), colours: jpeg_encoder::ColorType, progressive: bool, samples: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut file, 90);
    encoder.set_progressive(progressive);
    encoder.encode(samples, size.0, size.1, colours).unwrap();
    file
}

/// Smooth samples, which any codec preserves well.
pub fn smooth(width: u32, height: u32, channels: usize) -> Vec<u8> {
    let mut samples = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for channel in 0..channels {
                let wave = (x as f32 / 40.0 + y as f32 / 55.0 + channel as f32).sin();
                samples.push((128.0 + 100.0 * wave) as u8);
            }
        }
    }
    samples
}
