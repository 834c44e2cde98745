//! The frame of a page, and the pieces that both pages are made of.

use crate::control::ControlError;
use crate::html::escape;

/// The two rooms: path and name.
const ROOMS: [(&str, &str); 2] = [
    ("partner-center", "Partner Center"),
    ("dynamics", "Dynamics 365"),
];

/// What is said above a page's contents.
pub(super) enum Note<'a> {
    None,
    Done(&'a str),
    Failed(&'a ControlError),
    Wrong(&'a str),
}

/// A whole page. `inside` is HTML, everything else is text.
pub(super) fn page(room: &str, title: &str, note: &Note<'_>, inside: &str) -> String {
    let name = ROOMS.iter().find(|(path, _)| *path == room);
    let name = name.map_or("", |(_, name)| name);
    let links = ROOMS.iter().map(|(path, name)| {
        let here = if *path == room {
            " aria-current=\"page\""
        } else {
            ""
        };
        format!("<a href=\"/{path}\"{here}>{name}</a>")
    });
    let links = links.collect::<Vec<_>>().join("\n");
    let note = match note {
        Note::None => String::new(),
        Note::Done(said) => format!("<p role=\"status\">{}</p>", escape(said)),
        Note::Failed(error) => format!("<p role=\"alert\">{}</p>", escape(&sentence(error))),
        Note::Wrong(said) => format!("<p role=\"alert\">{}</p>", escape(said)),
    };
    format!(
        r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title} · {name} (simulated)</title>
<style>
{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the contents</a>
<header>
<p>Simulator</p>
<nav aria-label="Sides">
{links}
</nav>
</header>
<main id="main" tabindex="-1">
<h1>{title}</h1>
{note}
{inside}
</main>
</body>
</html>
"##,
        title = escape(title),
        style = include_str!("style.css"),
    )
}

/// A refusal as a sentence: the side's own words.
fn sentence(error: &ControlError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}", first.unwrap_or_default(), letters.as_str())
}

/// A form that is one button, with fields before it.
pub(super) fn act(action: &str, button: &str, fields: &str) -> String {
    format!(
        "<form method=\"post\" action=\"{}\" class=\"row\">\n{fields}<button>{}</button>\n</form>\n",
        escape(action),
        escape(button)
    )
}

/// A labelled line of text for [`act`]. `id` is the page's, `name` the form's.
pub(super) fn line(id: &str, name: &str, label: &str, value: &str) -> String {
    format!(
        "<div><label for=\"{id}\">{}</label><input id=\"{id}\" name=\"{name}\" value=\"{}\"></div>\n",
        escape(label),
        escape(value)
    )
}

/// Names and values.
pub(super) fn facts(pairs: &[(&str, String)]) -> String {
    let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
    let pairs =
        pairs.map(|(name, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value)));
    format!("<dl>\n{}</dl>\n", pairs.collect::<String>())
}

/// A table whose cells are HTML already, with a caption that says what is in it.
pub(super) fn table(caption: &str, heads: &[&str], rows: &[Vec<String>]) -> String {
    let heads: String = heads
        .iter()
        .map(|head| format!("<th scope=\"col\">{}</th>", escape(head)))
        .collect();
    let rows: String = rows
        .iter()
        .map(|row| format!("<tr>{}</tr>\n", row.concat()))
        .collect();
    format!(
        "<div class=\"wide\" role=\"region\" aria-label=\"{0}\" tabindex=\"0\"><table>\n<caption>{0}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n",
        escape(caption)
    )
}

/// A cell of text.
pub(super) fn cell(text: &str) -> String {
    format!("<td>{}</td>", escape(text))
}

/// The box above a list, to look for something in it.
pub(super) fn finder(action: &str, find: &str) -> String {
    format!(
        "<form method=\"get\" action=\"{action}\" role=\"search\" class=\"row\">\n{}<button>Find</button>\n</form>\n",
        line("find", "find", "Name, customer or id", find)
    )
}

/// One page of a list, and the way to the others.
pub(super) struct Paging {
    pub(super) from: usize,
    pub(super) total: usize,
}

/// Lines on a page of a list.
pub(super) const LINES: usize = 50;

impl Paging {
    pub(super) fn links(&self, path: &str, find: &str) -> String {
        let link = |from: usize, words: &str| {
            let find = crate::wire::encode(find);
            format!("<a href=\"{path}?from={from}&amp;find={find}\">{words}</a>\n")
        };
        let mut links = String::new();
        if self.from > 0 {
            links.push_str(&link(self.from.saturating_sub(LINES), "Earlier"));
        }
        if self.from + LINES < self.total {
            links.push_str(&link(self.from + LINES, "Later"));
        }
        if links.is_empty() {
            return links;
        }
        format!("<nav aria-label=\"Pages\" class=\"row\">\n{links}</nav>\n")
    }

    /// Such as `51 to 100 of 230 deals`.
    pub(super) fn caption(&self, what: &str) -> String {
        match self.total {
            0 => format!("No {what}"),
            total => {
                let to = (self.from + LINES).min(total);
                format!("{} to {to} of {total} {what}", self.from + 1)
            }
        }
    }
}
