//! Minimal XML: a writer of elements and a reader of small documents.

use quick_xml::events::Event;

use super::error::S3Error;

/// Escapes text for an element.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            // XML 1.0 allows no other control characters; S3 writes them as references nevertheless.
            c if (c as u32) < 0x20 && c != '\n' && c != '\t' => out.push_str(&format!("&#{};", c as u32)),
            c => out.push(c),
        }
    }
    out
}

/// A writer of a document.
pub(crate) struct Xml(String);

impl Xml {
    /// Starts a document with its root element in S3's namespace.
    pub(crate) fn document(root: &str) -> Self {
        Self(format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        ))
    }

    pub(crate) fn open(&mut self, name: &str) -> &mut Self {
        self.0.push_str(&format!("<{name}>"));
        self
    }

    pub(crate) fn close(&mut self, name: &str) -> &mut Self {
        self.0.push_str(&format!("</{name}>"));
        self
    }

    pub(crate) fn text(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Self {
        self.0.push_str(&format!("<{name}>{}</{name}>", escape(&value.to_string())));
        self
    }

    pub(crate) fn optional(&mut self, name: &str, value: Option<impl std::fmt::Display>) -> &mut Self {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// Ends the document.
    pub(crate) fn end(mut self, root: &str) -> String {
        self.close(root);
        self.0
    }
}

/// A parsed element.
#[derive(Debug, Default, Clone)]
pub(crate) struct Element {
    pub name: String,
    pub text: String,
    pub children: Vec<Element>,
}

impl Element {
    /// Parses a document. Ignores namespace prefixes and attributes.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, S3Error> {
        let malformed = |_| S3Error::malformed_xml();
        let text = std::str::from_utf8(bytes).map_err(|_| S3Error::malformed_xml())?;
        let mut reader = quick_xml::Reader::from_str(text);
        let mut open: Vec<Element> = vec![Element::default()];
        loop {
            let event = reader.read_event().map_err(|_| S3Error::malformed_xml())?;
            match event {
                Event::Start(start) => {
                    if open.len() > 32 {
                        return Err(S3Error::malformed_xml());
                    }
                    let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                    open.push(Element { name, ..Element::default() });
                }
                Event::Empty(empty) => {
                    let name = String::from_utf8_lossy(empty.local_name().as_ref()).into_owned();
                    if let Some(parent) = open.last_mut() {
                        parent.children.push(Element { name, ..Element::default() });
                    }
                }
                Event::Text(text) => {
                    let text = text.unescape().map_err(|cause| malformed(cause.to_string()))?;
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&text);
                    }
                }
                Event::CData(data) => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&String::from_utf8_lossy(&data));
                    }
                }
                Event::End(_) => {
                    let Some(done) = open.pop() else {
                        return Err(S3Error::malformed_xml());
                    };
                    let Some(parent) = open.last_mut() else {
                        return Err(S3Error::malformed_xml());
                    };
                    parent.children.push(done);
                }
                Event::Eof => break,
                _ => {}
            }
        }
        match (open.len(), open.pop().and_then(|mut document| document.children.pop())) {
            (1, Some(root)) => Ok(root),
            _ => Err(S3Error::malformed_xml()),
        }
    }

    /// The first child of a name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// All children of a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of the first child of a name.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }
}
