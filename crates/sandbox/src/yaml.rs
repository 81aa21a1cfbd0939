//! A YAML reader that keeps the line of every node, for error messages.
//!
//! Built from the parser's events with an explicit stack, so that deep nesting and alias bombs are refused without
//! using stack or memory.

use std::collections::HashMap;

use yaml_rust2::parser::{Event, Parser};
use yaml_rust2::scanner::{Marker, ScanError, TScalarStyle};

/// The limits of a document's depth and size, far above any buildspec's.
const MAX_DEPTH: usize = 64;
const MAX_NODES: usize = 100_000;

/// A node of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct YamlNode {
    /// The line of its start, from 1.
    pub(super) line: usize,
    pub(super) content: YamlContent,
}

/// The content of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum YamlContent {
    Null,
    /// A string, number or boolean, as written.
    Scalar(String),
    List(Vec<YamlNode>),
    Map(Vec<(YamlNode, YamlNode)>),
}

/// A YAML syntax error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) message: String,
    pub(super) line: usize,
}

impl SyntaxError {
    fn new(at: Marker, message: &str) -> Self {
        Self { message: message.to_owned(), line: at.line() }
    }
}

impl From<ScanError> for SyntaxError {
    fn from(error: ScanError) -> Self {
        // CodeBuild reports only what was found, not the context.
        let info = error.info();
        let found = info.strip_prefix("while ").and_then(|info| info.split_once(", "));
        Self { message: found.map_or(info, |(_, found)| found).to_owned(), line: error.marker().line() }
    }
}

impl YamlNode {
    /// The value of a key, if this is a mapping with that key.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let YamlContent::Map(entries) = &self.content else {
            return None;
        };
        entries.iter().rev().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            YamlContent::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// Whether the node is null or an empty list or mapping.
    pub(super) fn is_empty(&self) -> bool {
        match &self.content {
            YamlContent::Null => true,
            YamlContent::Scalar(_) => false,
            YamlContent::List(items) => items.is_empty(),
            YamlContent::Map(entries) => entries.is_empty(),
        }
    }

    fn size(&self) -> usize {
        1 + match &self.content {
            YamlContent::Null | YamlContent::Scalar(_) => 0,
            YamlContent::List(items) => items.iter().map(Self::size).sum(),
            YamlContent::Map(entries) => entries.iter().map(|(key, value)| key.size() + value.size()).sum::<usize>(),
        }
    }
}

/// Reads the first document of a text; `None` if it has none.
pub(super) fn read(text: &str) -> Result<Option<YamlNode>, SyntaxError> {
    let mut parser = Parser::new_from_str(text);
    let mut reader = YamlReader::default();
    loop {
        let (event, at) = parser.next_token()?;
        match event {
            Event::StreamEnd | Event::DocumentEnd => return Ok(reader.root),
            Event::Scalar(value, style, anchor, _) => {
                let plain = style == TScalarStyle::Plain;
                let content = match value.as_str() {
                    "" | "~" | "null" | "Null" | "NULL" if plain => YamlContent::Null,
                    _ => YamlContent::Scalar(value),
                };
                reader.put(YamlNode { line: at.line(), content }, anchor, at)?;
            }
            Event::Alias(anchor) => {
                let node = reader.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| SyntaxError::new(at, "an alias refers to a node that contains it"))?;
                reader.put(node, 0, at)?;
            }
            Event::SequenceStart(anchor, _) => reader.open(YamlContent::List(Vec::new()), anchor, at)?,
            Event::MappingStart(anchor, _) => reader.open(YamlContent::Map(Vec::new()), anchor, at)?,
            Event::SequenceEnd | Event::MappingEnd => reader.close(at)?,
            Event::Nothing | Event::StreamStart | Event::DocumentStart => {}
        }
    }
}

#[derive(Default)]
struct YamlReader {
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
    fn open(&mut self, content: YamlContent, anchor: usize, at: Marker) -> Result<(), SyntaxError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(SyntaxError::new(at, "nested too deeply"));
        }
        self.open.push(OpenCollection { node: YamlNode { line: at.line(), content }, anchor, key: None });
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
        if self.nodes > MAX_NODES {
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

    #[test]
    fn nodes_have_line_numbers() {
        let root = read("a: 1\nb:\n  - x\n  - y: z\n").unwrap().unwrap();
        let Some(YamlContent::List(items)) = root.get("b").map(|node| &node.content) else {
            panic!("{root:?}");
        };
        assert_eq!((items[0].line, items[1].line), (3, 4));
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
