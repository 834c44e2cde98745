//! What goes wrong is said on standard error: what, where, and what to do.

use serde_json::Value;

use crate::{binary, cosell, stderr, stdout};

#[track_caller]
fn fails(arguments: &[&str], words: &[&str]) -> String {
    let ended = cosell(arguments.iter().copied());
    let said = stderr(&ended);
    assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {said}");
    for word in words {
        assert!(
            said.contains(word),
            "{arguments:?}: {word:?} is not in: {said}"
        );
    }
    stdout(&ended)
}

#[test]
fn a_configuration_that_is_not_there_says_where_to_start() {
    for command in [
        vec!["run"],
        vec!["config", "check"],
        vec!["status"],
        vec!["deals"],
        vec!["plan", "--all"],
    ] {
        let arguments = [&command[..], &["--config", "/nowhere/cosell.toml"]].concat();
        let answer = fails(
            &arguments,
            &[
                "cosell: /nowhere/cosell.toml: 1 mistake",
                "cosell config example > cosell.toml",
            ],
        );
        assert_eq!(answer, "", "{command:?}");
    }
}

#[test]
fn all_mistakes_of_a_configuration_are_told_together() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cosell.toml");
    std::fs::write(&path, "[server]\nlisten = \"everywhere\"\nlisen = 1\n").unwrap();
    fails(
        &["config", "check", "--config", path.to_str().unwrap()],
        &[
            "server.listen",
            "server.lisen",
            "[[connection]]",
            "line 2",
            "line 3",
        ],
    );
}

#[test]
fn a_store_that_is_not_there_yet_is_said_to_be_so() {
    let dir = tempfile::tempdir().unwrap();
    let config = configuration(dir.path());
    fails(&["status", "--config", &config], &["cosell run"]);
}

/// A configuration without a mistake, of a host that has never run.
fn configuration(dir: &std::path::Path) -> String {
    for secret in ["a", "b", "c", "d"] {
        let path = dir.join(secret);
        std::fs::write(&path, "a-secret-that-is-long-enough-for-a-webhook").unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(&path, private).unwrap();
    }
    std::fs::create_dir(dir.join("plugins")).unwrap();
    let root = include_str!("../../../service/src/config/test-root.pem");
    std::fs::write(dir.join("roots.pem"), root).unwrap();
    let path = dir.join("cosell.toml");
    let text = r#"
[server]
public_url = "https://cosell.example"
[store]
path = "cosell.db"
[plugins]
folder = "plugins"
[[connection]]
id = "ours"
[connection.entra]
tenant = "11111111-1111-4111-8111-111111111111"
[connection.partner_center]
client_id = "22222222-2222-4222-8222-222222222222"
secret = { file = "a" }
refresh_token = { file = "b" }
[connection.partner_center.webhook]
certificate_roots = "roots.pem"
[connection.dataverse]
url = "https://ours.crm4.dynamics.com"
client_id = "33333333-3333-4333-8333-333333333333"
secret = { file = "c" }
webhook_secret = { file = "d" }
"#;
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_good_configuration_is_shown_as_it_was_understood() {
    let dir = tempfile::tempdir().unwrap();
    let ended = cosell(["config", "check", "--config", &configuration(dir.path())]);
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    let text = stdout(&ended);
    assert!(
        text.contains(": good") && text.contains("connection  ours"),
        "{text}"
    );
    assert!(
        text.contains("Partner Center is called with a secret\n")
            && text.contains("Dataverse is called with a secret\n"),
        "{text}"
    );
}

#[test]
fn a_configuration_without_a_secret_is_shown_with_who_vouches_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = configuration(dir.path());
    let text = std::fs::read_to_string(&path).unwrap();
    let id = "44444444-4444-4444-8444-444444444444";
    let managed = format!("identity = {{ managed = \"{id}\" }}");
    let text = text
        .replace(
            "secret = { file = \"a\" }",
            "identity = { token_file = \"token\" }",
        )
        .replacen("secret = { file = \"c\" }", &managed, 1);
    std::fs::write(&path, text).unwrap();
    std::fs::write(dir.path().join("token"), "e30.e30.AAAA").unwrap();
    let ended = cosell(["config", "check", "--config", &path]);
    assert_eq!(ended.status.code(), Some(0), "{}", stderr(&ended));
    let text = stdout(&ended);
    for said in [
        "Partner Center is called with the token in ",
        "token, which its issuer renews\n",
        &format!(
            "Dataverse is called with the managed identity {id} of this machine, asked at http://169.254.169.254\n"
        ),
    ] {
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn a_plugin_that_is_not_there_and_one_that_is_none_are_told_apart() {
    let ended = cosell(["plugin", "check", "/nowhere/my.wasm"]);
    assert_eq!(ended.status.code(), Some(1));
    let text = stdout(&ended);
    assert!(
        text.contains("there is no such file") && text.contains("hint: check the path"),
        "{text}"
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("my.wasm");
    std::fs::write(&path, "junk").unwrap();
    let ended = cosell(["plugin", "check", path.to_str().unwrap()]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(
        stdout(&ended).contains("refused (scan): this is not WebAssembly"),
        "{}",
        stdout(&ended)
    );
}

#[test]
fn a_demo_that_cannot_be_set_up_still_prints_one_object() {
    let empty = tempfile::tempdir().unwrap();
    let folder = empty.path().to_str().unwrap();
    let answer = fails(
        &["demo", "--once", "--json", "--plugins", folder],
        &["there is no .wasm file", "cargo xtask plugins"],
    );
    let report: Value = serde_json::from_str(&answer).expect("one JSON object");
    assert_eq!(report["ok"], false);
    let error = report["error"].as_str().unwrap_or_default();
    assert!(error.contains("there is no .wasm file"), "{report}");
}

#[test]
fn a_reader_that_has_enough_is_no_mistake() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = binary()
        .args(["config", "example"])
        .stdout(writer)
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(stderr(&ended), "");
}
