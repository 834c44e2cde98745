//! `HOSTILE-PLUGINS.md`: attack → what stands in its way → what its author is told.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use cosell_tests::page::{Page, cell, root};

use crate::attacks::Part;

const PAGE: Page = Page {
    file: "HOSTILE-PLUGINS.md",
    write: "COSELL_WRITE_HOSTILE",
    command: "cargo xtask hostile",
};

/// Attacks that need no whole host, and the tests that play them.
const CLOSER: [(&str, &str, &str, &str); 18] = [
    (
        "a file of somebody who is not trusted, or under another file's signature",
        "signatures of minisign, when [plugins] signatures says so; nothing of it runs or is compiled before",
        "host/service/plugins/tests/lifecycle/signing.rs",
        "where_signatures_are_required_a_file_serves_when_its_signature_comes",
    ),
    (
        "the signature of another plugin or another version, a signature that is nonsense",
        "a signature is over the bytes",
        "host/service/plugins/src/signature.rs",
        "a_signature_of_a_trusted_key_over_these_very_bytes_vouches",
    ),
    (
        "an update that wants more columns than the version that serves",
        "it waits for a person, whatever its own operator file says",
        "host/service/plugins/src/folder/propose/tests.rs",
        "a_version_that_wants_more_waits_for_a_person_and_one_that_wants_less_does_not",
    ),
    (
        "an update that newly asks for a system",
        "it waits for a person, whatever its own operator file says",
        "host/service/plugins/tests/lifecycle/wasi.rs",
        "an_update_that_newly_asks_for_a_system_waits_for_a_person",
    ),
    (
        "chance and time from inert WASI, to answer differently every time",
        "chance rolls the same numbers in every call, and the clock is the question's",
        "host/service/plugins/tests/lifecycle/wasi.rs",
        "chance_is_the_same_in_every_call",
    ),
    (
        "a loop on every plugin thread at once",
        "guests run on threads of their own; the host's go on",
        "host/service/plugins/tests/lifecycle/limits.rs",
        "while_guests_loop_on_every_thread_the_runtime_goes_on",
    ),
    (
        "what one partner's deals left in a guest's memory",
        "a warm instance serves one connection only",
        "host/service/plugins/tests/lifecycle/limits.rs",
        "a_warm_instance_serves_one_connection_only",
    ),
    (
        "a leak that grows with every deal",
        "an instance is renewed after a thousand calls, or at half its memory",
        "host/service/plugins/tests/lifecycle/limits.rs",
        "an_instance_is_renewed_before_it_grows_old",
    ),
    (
        "more than fifty core instances, fifty tables or a thousand handles, made as it comes up",
        "each is counted, and ends its start",
        "host/service/plugins/tests/lifecycle/crowds.rs",
        "more_handles_than_a_guest_may_have_are_refused",
    ),
    (
        "lines in the log for ever, a few with every deal",
        "a minute takes six hundred lines of a plugin; the rest is dropped and counted",
        "host/service/plugins/src/chatter.rs",
        "a_minute_takes_so_many_lines_and_the_next_one_says_how_many_were_dropped",
    ),
    (
        "a file over which the host itself fails",
        "that file is refused, and the others are tried",
        "host/service/plugins/tests/lifecycle/ledger.rs",
        "a_file_over_which_the_host_itself_fails_is_refused_and_the_next_one_serves",
    ),
    (
        "an unsigned version that served before signatures were required",
        "a host that may not run it takes up no deal, and says so",
        "host/service/plugins/tests/lifecycle/signing.rs",
        "what_came_while_nobody_was_asked_does_not_serve_on_where_signatures_are_required",
    ),
    (
        "compiled code slipped into the host's cache",
        "the cache is sealed with a key of this host; what does not fit is compiled anew",
        "host/service/plugins/tests/lifecycle/cache.rs",
        "a_forged_or_damaged_file_is_never_run",
    ),
    (
        "bytes that were taken out, dropped again, also after a restart",
        "quarantine is by content and outlives the host",
        "host/service/plugins/tests/lifecycle/rollback.rs",
        "a_quarantine_outlives_the_host_until_a_person_ends_it",
    ),
    (
        "a settings file with keys of its own",
        "unknown keys are mistakes",
        "host/service/plugins/tests/lifecycle/loading.rs",
        "an_operator_file_with_an_unknown_key_is_refused",
    ),
    (
        "tables and columns with names that are no names",
        "names are checked when they are declared",
        "host/service/plugins/tests/lifecycle/loading.rs",
        "needs_with_impossible_names_are_refused",
    ),
    (
        "the host's own columns: mark, link, audit line",
        "columns with a role are filled by the host alone",
        "host/service/plugins/tests/lifecycle/questions.rs",
        "a_column_with_a_role_is_the_hosts_own",
    ),
    (
        "time, chance or code from a text, in a script",
        "a script's clock is the question's, there is no chance, and nothing is evaluated",
        "host/service/plugins/tests/lifecycle/scripts.rs",
        "a_script_knows_no_time_but_the_questions_no_chance_and_no_evaluation",
    ),
];

/// Compares the page with what was told, or writes it.
pub(crate) fn keep(parts: &[Part], told: &BTreeMap<&'static str, String>) -> anyhow::Result<()> {
    for (_, _, file, test) in CLOSER {
        let text = std::fs::read_to_string(root().join(file)).with_context(|| file.to_owned())?;
        ensure!(
            text.contains(&format!("fn {test}(")),
            "{file} has no test {test}: name the one that plays this attack now"
        );
    }
    PAGE.keep(&render(parts, told)?)
}

fn render(parts: &[Part], told: &BTreeMap<&'static str, String>) -> anyhow::Result<String> {
    let mut text = String::from(
        "# Hostile plugins\n\n\
         Everything that a plugin can try against its host, as far as we know, and what comes of it. Each row is played against the real host by \
         `cargo test --workspace --test hostile ROW`: the attack is contained, a deal crosses meanwhile with the set that works, and a `.rejected.json` beside \
         the file says what is wrong, where, what to do and which command shows it again. `cargo xtask hostile` writes this page from what was told; \
         `cargo verify` fails when it is not what is told now. Long numbers, offsets and frames are left out here: they are those of our own guests.\n",
    );
    for part in parts {
        write!(
            text,
            "\n## {}\n\n{}\n\n| row | attack | what stands in its way | what is told |\n|---|---|---|---|\n",
            part.title, part.about
        )?;
        for attack in &part.attacks {
            let answer = told.get(attack.id).map_or("", String::as_str);
            writeln!(
                text,
                "| `{}` | {} | {} | {} |",
                attack.id,
                cell(attack.tries),
                cell(attack.defence),
                cell(answer)
            )?;
        }
    }
    text.push_str(
        "\n## Closer to the engine\n\nPlayed without a whole host.\n\n| attack | what stands in its way | test |\n|---|---|---|\n",
    );
    for (attack, defence, file, test) in CLOSER {
        writeln!(
            text,
            "| {} | {} | `{test}` in `{file}` |",
            cell(attack),
            cell(defence)
        )?;
    }
    Ok(text)
}
