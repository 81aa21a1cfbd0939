//! Hostile text for property tests: all of Unicode, with many control, wide and joining characters.

use proptest::prelude::*;

/// Control sequences, zero-width, wide, joining and bidirectional characters.
const PIECES: [&str; 40] = [
    "\u{1b}",
    "\u{1b}[2J",
    "\u{1b}[31m",
    "\u{1b}]0;t\u{7}",
    "\u{1b}]52;c;eA==\u{7}",
    "\u{1b}P",
    "\u{1b}\\",
    "\u{1b}(0",
    "\u{7}",
    "\u{8}",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "\0",
    "\u{7f}",
    "\u{85}",
    "\u{9b}",
    "\u{9d}",
    "\u{202e}",
    "\u{2066}",
    "\u{2069}",
    "\u{200e}",
    "\u{61c}",
    "\u{2028}",
    "\u{200b}",
    "\u{200d}",
    "\u{feff}",
    "\u{fe0f}",
    "\u{20e3}",
    "\u{301}",
    "\u{600}",
    "日",
    "ｶﾞ",
    "👨",
    "👩🏽",
    "🇩",
    "ᄀ",
    "क्ष",
    "لا",
];

/// Any text, and texts of hostile pieces, letters and spaces.
pub fn any_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => prop::sample::select(&PIECES[..]).prop_map(str::to_owned),
        2 => "[a-zA-Z0-9 .…-]{1,6}",
        1 => any::<char>().prop_map(String::from),
    ];
    prop_oneof![any::<String>(), prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())]
}
