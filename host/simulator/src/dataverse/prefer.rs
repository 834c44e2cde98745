//! The `Prefer` header. (dataverse 1.3)

use super::page::PAGE_MAX;
use crate::wire::Request;

/// What `Prefer` asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefer {
    pub(super) representation: bool,
    pub(super) page: Option<usize>,
    pub(super) track: bool,
    pub(super) continue_on_error: bool,
    annotations: Vec<String>,
    /// What was understood, for `Preference-Applied`.
    pub(super) applied: Vec<String>,
}

impl Prefer {
    pub(super) fn of(request: &Request) -> Self {
        let mut out = Self::default();
        let texts = request
            .headers
            .get_all("prefer")
            .iter()
            .filter_map(|value| value.to_str().ok());
        for part in texts.flat_map(outside_quotes) {
            let (name, value) = part.split_once('=').unwrap_or((part.as_str(), ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "return" => out.representation = value == "representation",
                "odata.maxpagesize" => {
                    out.page = value
                        .parse()
                        .ok()
                        .filter(|size: &usize| *size > 0)
                        .map(|size: usize| size.min(PAGE_MAX));
                }
                "odata.track-changes" => out.track = true,
                "odata.continue-on-error" => out.continue_on_error = true,
                "odata.include-annotations" => {
                    out.annotations = value
                        .trim_matches('"')
                        .split(',')
                        .map(|name| name.trim().to_owned())
                        .collect();
                }
                _ => continue,
            }
            out.applied.push(part.clone());
        }
        out
    }

    pub(super) fn wants(&self, annotation: &str) -> bool {
        self.annotations
            .iter()
            .any(|wanted| match wanted.strip_suffix('*') {
                Some(prefix) => annotation.starts_with(prefix),
                None => wanted == annotation,
            })
    }

    pub(super) fn annotates(&self) -> bool {
        !self.annotations.is_empty()
    }
}

fn outside_quotes(text: &str) -> Vec<String> {
    let (mut quoted, mut part, mut parts) = (false, String::new(), Vec::new());
    for sign in text.chars() {
        if sign == '"' {
            quoted = !quoted;
        }
        if sign == ',' && !quoted {
            parts.push(std::mem::take(&mut part).trim().to_owned());
        } else {
            part.push(sign);
        }
    }
    parts.push(part.trim().to_owned());
    parts
}
