//! Compiled components between starts.

use std::path::Path;

use cosell_plugins::{Engine, EngineError, EngineSettings};

use crate::guest::Guest;
use crate::house::House;

fn start(cache: &Path) -> (House, String) {
    let settings = EngineSettings {
        cache_dir: Some(cache.to_owned()),
        ..EngineSettings::default()
    };
    let house = House::with_settings(
        &[("1.wasm", Guest::of(&["decorate"]).named("acme").build())],
        settings,
    );
    let how = house.events.try_iter().next().unwrap().message;
    assert_eq!(house.serving(), ["acme 1.0.0"]);
    (house, how)
}

fn compiled_files(cache: &Path) -> Vec<std::path::PathBuf> {
    std::fs::read_dir(cache)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap() != "host.key")
        .collect()
}

#[test]
fn the_second_start_compiles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("compiled");
    assert!(start(&cache).1.contains("compiled in"));
    assert!(start(&cache).1.contains("taken from the cache"));
    assert_eq!(compiled_files(&cache).len(), 1);
}

#[test]
fn a_forged_or_damaged_file_is_never_run() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("compiled");
    start(&cache);
    let file = compiled_files(&cache).remove(0);
    let good = std::fs::read(&file).unwrap();
    let mut damaged = good.clone();
    *damaged.last_mut().unwrap() ^= 1;
    for forged in [
        damaged,
        good[..20].to_vec(),
        good[32..].to_vec(),
        Vec::new(),
    ] {
        std::fs::write(&file, forged).unwrap();
        assert!(start(&cache).1.contains("compiled in"));
    }
    assert!(start(&cache).1.contains("taken from the cache"));
}

#[test]
fn another_hosts_cache_is_not_ours() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (one, two) = (one.path().join("compiled"), two.path().join("compiled"));
    start(&one);
    start(&two);
    let (theirs, ours) = (
        compiled_files(&one).remove(0),
        compiled_files(&two).remove(0),
    );
    assert_ne!(theirs.file_name(), ours.file_name());
    std::fs::copy(theirs, &ours).unwrap();
    assert!(start(&two).1.contains("compiled in"));
}

#[cfg(unix)]
#[test]
fn the_directory_is_private_or_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("compiled");
    start(&cache);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode(&cache), mode(&cache.join("host.key"))),
        (0o700, 0o600)
    );
    assert_eq!(mode(&compiled_files(&cache)[0]), 0o600);
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o755)).unwrap();
    let settings = EngineSettings {
        cache_dir: Some(cache),
        ..EngineSettings::default()
    };
    let EngineError::Cache(why) = Engine::new(settings).unwrap_err() else {
        panic!()
    };
    assert!(
        why.to_string().contains("open to other users (mode 755)"),
        "{why}"
    );
}

#[test]
fn hosts_that_begin_at_once_agree_on_one_key() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("compiled");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                Engine::new(EngineSettings {
                    cache_dir: Some(cache.clone()),
                    threads: 0,
                    ..EngineSettings::default()
                })
                .expect("the key is whole, or not there")
            });
        }
    });
    let left: Vec<_> = std::fs::read_dir(&cache).unwrap().flatten().collect();
    assert_eq!(left.len(), 1, "the key and nothing else: {left:?}");
}
