//! The YAML reader of buildspecs and templates, which keeps the position of every node for error messages.
//!
//! Built from the parser's events with an explicit stack, so that deep nesting and alias bombs are refused without
//! using stack or memory.

use std::collections::HashMap;

use yaml_rust2::parser::{Event, Parser, Tag};
use yaml_rust2::scanner::{Marker, ScanError, TScalarStyle};

/// The limits of a document, far above any real one's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct YamlLimits {
    pub depth: usize,
    pub nodes: usize,
}

/// A node of a document.
#[derive(Debug, Clone)]
pub(crate) struct YamlNode {
    pub at: Position,
    /// The explicit tag, such as `!Ref`.
    pub tag: Option<Tag>,
    pub content: YamlContent,
}

/// A position in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

impl From<Marker> for Position {
    fn from(marker: Marker) -> Self {
        Self { line: marker.line(), column: marker.col() + 1 }
    }
}

/// The content of a node.
#[derive(Debug, Clone)]
pub(crate) enum YamlContent {
    Null,
    /// An unquoted string, number or boolean, as written.
    Plain(String),
    /// A quoted string.
    Quoted(String),
    List(Vec<YamlNode>),
    Map(Vec<(YamlNode, YamlNode)>),
}

/// A YAML syntax error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub message: String,
    pub at: Position,
}

impl SyntaxError {
    fn new(at: Marker, message: &str) -> Self {
        Self { message: message.to_owned(), at: at.into() }
    }
}

impl From<ScanError> for SyntaxError {
    fn from(error: ScanError) -> Self {
        // CodeBuild reports only what was found, not the context.
        let info = error.info();
        let found = info.strip_prefix("while ").and_then(|info| info.split_once(", "));
        Self { message: found.map_or(info, |(_, found)| found).to_owned(), at: (*error.marker()).into() }
    }
}

impl YamlNode {
    /// The value of a key, if this is a mapping with that key.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let YamlContent::Map(entries) = &self.content else {
            return None;
        };
        entries.iter().rev().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// The text of a scalar.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.content {
            YamlContent::Plain(text) | YamlContent::Quoted(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the node is null or an empty list or mapping.
    pub(crate) fn is_empty(&self) -> bool {
        match &self.content {
            YamlContent::Null => true,
            YamlContent::Plain(_) | YamlContent::Quoted(_) => false,
            YamlContent::List(items) => items.is_empty(),
            YamlContent::Map(entries) => entries.is_empty(),
        }
    }

    fn size(&self) -> usize {
        1 + match &self.content {
            YamlContent::Null | YamlContent::Plain(_) | YamlContent::Quoted(_) => 0,
            YamlContent::List(items) => items.iter().map(Self::size).sum(),
            YamlContent::Map(entries) => entries.iter().map(|(key, value)| key.size() + value.size()).sum::<usize>(),
        }
    }
}

/// Reads the first document of a text; `None` if it has none.
pub(crate) fn read(text: &str, limits: YamlLimits) -> Result<Option<YamlNode>, SyntaxError> {
    let mut parser = Parser::new_from_str(text);
    let mut reader = YamlReader { limits, root: None, open: Vec::new(), anchors: HashMap::new(), nodes: 0 };
    loop {
        let (event, at) = parser.next_token()?;
        match event {
            Event::StreamEnd | Event::DocumentEnd => return Ok(reader.root),
            Event::Scalar(value, style, anchor, tag) => {
                let content = match value.as_str() {
                    _ if style != TScalarStyle::Plain => YamlContent::Quoted(value),
                    // Keys are not converted.
                    "" | "~" | "null" | "Null" | "NULL" if tag.is_none() && !reader.expects_key() => YamlContent::Null,
                    _ => YamlContent::Plain(value),
                };
                reader.put(YamlNode { at: at.into(), tag, content }, anchor, at)?;
            }
            Event::Alias(anchor) => {
                let node = reader.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| SyntaxError::new(at, "an alias refers to a node that contains it"))?;
                reader.put(node, 0, at)?;
            }
            Event::SequenceStart(anchor, tag) => reader.open(YamlContent::List(Vec::new()), anchor, tag, at)?,
            Event::MappingStart(anchor, tag) => reader.open(YamlContent::Map(Vec::new()), anchor, tag, at)?,
            Event::SequenceEnd | Event::MappingEnd => reader.close(at)?,
            Event::Nothing | Event::StreamStart | Event::DocumentStart => {}
        }
    }
}

struct YamlReader {
    limits: YamlLimits,
    root: Option<YamlNode>,
    open: Vec<OpenCollection>,
    anchors: HashMap<usize, YamlNode>,
    nodes: usize,
}

/// A list or mapping whose end is not read yet.
struct OpenCollection {
    node: YamlNode,
    anchor: usize,
    /// The key whose value is next.
    key: Option<YamlNode>,
}

impl YamlReader {
    fn expects_key(&self) -> bool {
        self.open.last().is_some_and(|open| open.key.is_none() && matches!(open.node.content, YamlContent::Map(_)))
    }

    fn open(&mut self, content: YamlContent, anchor: usize, tag: Option<Tag>, at: Marker) -> Result<(), SyntaxError> {
        if self.open.len() >= self.limits.depth {
            return Err(SyntaxError::new(at, "nested too deeply"));
        }
        self.open.push(OpenCollection { node: YamlNode { at: at.into(), tag, content }, anchor, key: None });
        Ok(())
    }

    fn close(&mut self, at: Marker) -> Result<(), SyntaxError> {
        match self.open.pop() {
            Some(open) => self.put(open.node, open.anchor, at),
            None => Ok(()),
        }
    }

    fn put(&mut self, node: YamlNode, anchor: usize, at: Marker) -> Result<(), SyntaxError> {
        // An alias counts as all nodes it refers to.
        self.nodes += node.size();
        if self.nodes > self.limits.nodes {
            return Err(SyntaxError::new(at, "too large"));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.node.content, open.key.take()) {
            (YamlContent::List(items), _) => items.push(node),
            (YamlContent::Map(entries), Some(key)) => entries.push((key, node)),
            (_, _) => open.key = Some(node),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: YamlLimits = YamlLimits { depth: 64, nodes: 100_000 };

    fn read(text: &str) -> Result<Option<YamlNode>, SyntaxError> {
        super::read(text, LIMITS)
    }

    #[test]
    fn nodes_have_line_numbers() {
        let root = read("a: 1\nb:\n  - x\n  - y: z\n").unwrap().unwrap();
        let Some(YamlContent::List(items)) = root.get("b").map(|node| &node.content) else {
            panic!("{root:?}");
        };
        assert_eq!((items[0].at.line, items[1].at.line), (3, 4));
        assert_eq!(root.get("a").and_then(YamlNode::text), Some("1"));
    }

    #[test]
    fn deep_nesting_and_alias_bombs_are_refused() {
        assert_eq!(read(&"- ".repeat(50_000)).unwrap_err().message, "nested too deeply");
        assert!(read(&"[".repeat(50_000)).is_err());
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let one = format!("*a{}, ", level - 1);
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", one.repeat(10).trim_end_matches(", ")));
        }
        assert_eq!(read(&bomb).unwrap_err().message, "too large");
    }
}
