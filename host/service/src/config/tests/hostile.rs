//! Hostile input: a configuration is read, or every mistake is told; never a panic. `fuzz-corpus/config` keeps files, each read in the folder that the
//! example describes.

use cosell_fuzz::survives;

use super::*;

const WORDS: [&str; 22] = [
    "[server]\n",
    "[[connection]]\n",
    "[connection.policy]\n",
    "[connection.partner_center.webhook]\n",
    "[limits]\n",
    "listen = \"127.0.0.1:8080\"\n",
    "public_url = \"https://x.example\"\n",
    "https://user:secret@x.example/?q#f",
    "postgres://u:p@h/d",
    "\"secrets/webhook-secret\"",
    "\"microsoft-roots.pem\"",
    "\"data\"",
    "env:",
    "{ managed = \"33333333-3333-4333-8333-333333333333\" }",
    "0x10",
    "9223372036854775807",
    "inf",
    "2026-11-27",
    "\"\"\"",
    "'''",
    "*.microsoft.com",
    "[[",
];

#[test]
fn a_configuration_is_read_or_every_mistake_is_told() {
    let place = Place::new(EXAMPLE);
    let path = place.path("cosell.toml");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz-corpus/config");
    let page = Page::new(&path, EXAMPLE, &|_| None);
    assert!(read_root(&page).is_some());
    survives(&folder, &WORDS, 600, |input| {
        let Ok(text) = std::str::from_utf8(input) else {
            return Ok(());
        };
        let page = Page::new(&path, text, &|_| None);
        let config = read_root(&page);
        let Err(errors) = page.close(config) else {
            return Ok(());
        };
        if errors.mistakes.is_empty() {
            return Err("it is refused without a word".to_owned());
        }
        let lines = text.split('\n').count();
        for mistake in &errors.mistakes {
            if mistake.problem.trim().is_empty() {
                return Err(format!("a mistake without a word: {mistake:?}"));
            }
            if mistake.line.is_some_and(|line| line == 0 || line > lines) {
                return Err(format!("there is no such line: {mistake:?}"));
            }
        }
        let words = errors.to_string();
        if words.contains(SECRET) {
            return Err("it tells what stands in a file of secrets".to_owned());
        }
        // A connection is a line, and lacks a dozen keys.
        if words.len() > 64 * 1024 + 512 * input.len() {
            return Err(format!("{} bytes are told of it", words.len()));
        }
        Ok(())
    });
}
