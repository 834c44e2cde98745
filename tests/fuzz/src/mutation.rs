//! What becomes of an input: a few changes to its bytes, or to the pieces that its grammar knows.

use std::ops::Range;

use rand::Rng as _;
use rand::rngs::StdRng;

/// Longest input that is made.
const LENGTH_MAX: usize = 100_000;
/// How deep brackets are nested: deeper than a parser that recurses should follow.
const DEPTH_MAX: usize = 300;

/// One or a few changes to the bytes of an input, or a part of another one in it; `words` are what means something to the parser.
#[must_use]
pub fn changed(input: &[u8], other: &[u8], words: &[&str], rng: &mut StdRng) -> Vec<u8> {
    let mut out = input.to_vec();
    for _ in 0..rng.random_range(1..=6) {
        let at = rng.random_range(0..=out.len());
        let to = rng.random_range(at..=out.len().min(at + 40));
        match rng.random_range(0..7) {
            0 => out.insert(at, rng.random()),
            1 => drop(out.drain(at..to)),
            2 => {
                let part = out[at..to].to_vec();
                for _ in 0..rng.random_range(1..=30) {
                    out.splice(at..at, part.iter().copied());
                }
            }
            3 | 4 => {
                let word = words[rng.random_range(0..words.len())];
                out.splice(at..at, word.bytes());
            }
            5 => {
                let from = rng.random_range(0..=other.len());
                let until = rng.random_range(from..=other.len().min(from + 200));
                out.splice(at..at, other[from..until].iter().copied());
            }
            _ => {
                if let Some(byte) = out.get_mut(at) {
                    *byte ^= 1 << rng.random_range(0..8);
                }
            }
        }
        out.truncate(LENGTH_MAX);
    }
    out
}

/// One or a few changes to the pieces that the grammar of an input knows: one is left out, said again, nested, or another's is in its place.
#[must_use]
pub fn restructured(input: &[u8], other: &[u8], words: &[&str], rng: &mut StdRng) -> Vec<u8> {
    let mut out = input.to_vec();
    for _ in 0..rng.random_range(1..=4) {
        let ours = piece(&out, rng);
        match rng.random_range(0..6) {
            0 => drop(out.drain(ours)),
            1 => repeat(&mut out, ours, rng.random_range(1..=50)),
            2 => {
                let theirs = piece(other, rng);
                out.splice(ours, other[theirs].iter().copied());
            }
            3 => {
                let word = words[rng.random_range(0..words.len())];
                out.splice(ours, word.bytes());
            }
            4 => {
                let second = piece(&out, rng);
                let second = out[second].to_vec();
                out.splice(ours, second);
            }
            _ => nest(&mut out, ours, rng),
        }
        out.truncate(LENGTH_MAX);
    }
    out
}

fn repeat(out: &mut Vec<u8>, piece: Range<usize>, times: usize) {
    let at = piece.start;
    let piece = out[piece].to_vec();
    for _ in 0..times {
        if out.len() + piece.len() > LENGTH_MAX {
            return;
        }
        out.splice(at..at, piece.iter().copied());
    }
}

/// Puts a piece into brackets in brackets.
fn nest(out: &mut Vec<u8>, piece: Range<usize>, rng: &mut StdRng) {
    let (open, close): (&[u8], &[u8]) =
        [(&b"["[..], &b"]"[..]), (b"{\"a\":", b"}"), (b"(", b")")][rng.random_range(0..3)];
    let depth = rng.random_range(1..=DEPTH_MAX);
    out.splice(piece.end..piece.end, close.repeat(depth));
    out.splice(piece.start..piece.start, open.repeat(depth));
}

/// A line, a word, or all from a bracket or quote to the one that ends it.
fn piece(text: &[u8], rng: &mut StdRng) -> Range<usize> {
    if text.is_empty() {
        return 0..0;
    }
    let at = rng.random_range(0..text.len());
    match rng.random_range(0..3) {
        0 => around(text, at, |byte| byte != b'\n'),
        1 => around(text, at, |byte| byte.is_ascii_alphanumeric()),
        _ => enclosed(text, at),
    }
}

/// All bytes of a kind around a place.
fn around(text: &[u8], at: usize, is_of_it: impl Fn(u8) -> bool) -> Range<usize> {
    let before = text[..at].iter().rev().take_while(|byte| is_of_it(**byte));
    let after = text[at..].iter().take_while(|byte| is_of_it(**byte));
    at - before.count()..at + after.count()
}

/// From the first bracket or quote after a place to its end. Brackets in quotes count as others do: it is enough to be right mostly.
fn enclosed(text: &[u8], at: usize) -> Range<usize> {
    let is_opening = |byte: &u8| matches!(byte, b'{' | b'[' | b'(' | b'"');
    let Some(from) = text[at..].iter().position(is_opening).map(|step| at + step) else {
        return at..text.len();
    };
    let (open, close) = match text[from] {
        b'{' => (b'{', b'}'),
        b'[' => (b'[', b']'),
        b'(' => (b'(', b')'),
        quote => (quote, quote),
    };
    let mut depth = 0_usize;
    for (step, byte) in text[from..].iter().enumerate() {
        if *byte == close && depth > 0 {
            depth -= 1;
            if depth == 0 {
                return from..from + step + 1;
            }
        } else if *byte == open {
            depth += 1;
        }
    }
    from..text.len()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn a_piece_is_a_whole_of_the_grammar() {
        let text = br#"{"a":[1,{"b":2}],"c":"d"}"#;
        assert_eq!(&text[enclosed(text, 1)], br#""a""#);
        assert_eq!(&text[enclosed(text, 5)], br#"[1,{"b":2}]"#);
        assert_eq!(&text[enclosed(text, 8)], br#"{"b":2}"#);
        assert_eq!(enclosed(b"ab[c", 0), 2..4);
        assert_eq!(around(b"a\nbc\nd", 3, |byte| byte != b'\n'), 2..4, "a line");
        assert_eq!(around(b"\n", 0, |byte| byte != b'\n'), 0..0);
    }

    #[test]
    fn a_seed_makes_the_same_input_again_and_another_seed_another() {
        for make in [changed, restructured] {
            let made = |seed| {
                let mut rng = StdRng::seed_from_u64(seed);
                make(b"{\"a\":1}", b"[2]", &["x"], &mut rng)
            };
            assert_eq!(made(1), made(1));
            assert!((0..50).any(|seed| made(seed) != made(seed + 1)));
        }
    }

    #[test]
    fn nothing_grows_without_end() {
        let long = vec![b'['; LENGTH_MAX];
        for make in [changed, restructured] {
            for seed in 0..50 {
                let mut rng = StdRng::seed_from_u64(seed);
                assert!(make(&long, &long, &["x"], &mut rng).len() <= LENGTH_MAX);
            }
        }
    }
}
