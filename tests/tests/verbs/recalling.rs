//! What runs see is kept, asked again, and given to authors; and a person is erased.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use cosell_host::app;
use cosell_host::config::Config;
use cosell_host::personal::Person;
use cosell_host::seal::Seal;
use cosell_host::sweep::{sweep_crm, sweep_partner_center};
use cosell_host::verbs::{PluginList, erase, plugin_list, record, recorded, replay, subject_of};
use cosell_local_postgres::LocalPostgres;
use cosell_simulator::{Fault, FaultKind, Service};
use cosell_store::{dump, open};
use cosell_tests::{PATIENCE, World, amend, components, text};
use serde_json::json;

use crate::{Told, archive, desk, linked};

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Sweeps after which nothing new may be left.
const SWEEPS_MAX: usize = 5;
/// What the world's people are called, as they stand in every deal of it.
const ANNA: [&str; 4] = ["Kovács", "anna.kovacs", "555 0100", "Anna"];

/// The host of a world starts anew with a key, and keeps what its runs see. `store` takes the place of the file.
async fn recording(mut world: World, store: Option<&str>) -> anyhow::Result<World> {
    world.stop_host().await;
    let folder = world.config.parent().context("a folder")?.to_owned();
    let key = folder.join("store-key");
    std::fs::write(&key, "5e".repeat(32))?;
    private(&key)?;
    let lines: Vec<String> = std::fs::read_to_string(&world.config)?
        .lines()
        .flat_map(|line| match (line.trim(), store) {
            ("[store]", _) => vec![
                "[recordings]".to_owned(),
                "enabled = true".to_owned(),
                "[store]".to_owned(),
                "keys = [{ file = \"store-key\" }]".to_owned(),
            ],
            (path, Some(url)) if path.starts_with("path = ") => vec![format!("url = \"{url}\"")],
            _ => vec![line.to_owned()],
        })
        .collect();
    std::fs::write(&world.config, lines.join("\n"))?;
    world.start_host().await?;
    Ok(world)
}

fn private(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(std::fs::set_permissions(
        path,
        std::fs::Permissions::from_mode(0o600),
    )?)
}

/// From here on both sides answer every request with a failure.
fn nobody_answers(world: &World) {
    for service in [Service::Dataverse, Service::Referrals] {
        world.control().fault(Fault {
            service,
            method: None,
            path_prefix: String::new(),
            skip: 0,
            count: None,
            kind: FaultKind::Answer {
                status: 500,
                code: None,
                retry_after_s: None,
            },
        });
    }
}

async fn dumped(world: &World) -> anyhow::Result<Vec<String>> {
    Ok(dump(&Config::load(&world.config)?.store).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trap_is_replayed_exactly_while_nobody_answers() -> Told {
    let world = recording(World::start().await?, None).await?;
    let stock = world.desk()?.plugins.current();
    let panics = components("hostile")?.join("panics.wasm");
    // It breaks a law of the contract, and would be refused unless its operator lets it in.
    std::fs::write(world.folder.join("80-panics.toml"), "laws = \"warn\"\n")?;
    std::fs::copy(panics, world.folder.join("80-panics.wasm"))?;
    world.until_settings(stock.hash()).await?;
    let referral = world.referral("Broken", "Fabrikam", "HU")?;
    let status = world
        .status_where(|status| status.deals.iter().any(|deal| deal.state == "parked"))
        .await?;
    let parked = status.deals.iter().find(|deal| deal.state == "parked");
    let parked = parked.context("one is parked")?;
    let (lane, reason) = (parked.lane, parked.reason.clone().unwrap_or_default());
    ensure!(
        reason.contains(&format!("cosell plugin replay {lane}")),
        "the reason says how: {reason}"
    );
    world.quiet().await?;
    nobody_answers(&world);

    let desk = desk(&world)?;
    let recording = recorded(&desk, None, &referral).await?;
    let again = replay(&desk, None, &recording).await?;
    let last = again.answers.last().context("plugins were asked")?;
    let fault = &last.now.stop["fault"];
    ensure!(
        last.now.asked == "opportunity.to-row" && fault["kind"] == "panic",
        "it breaks again in the same place: {again:#?}"
    );
    ensure!(
        fault["frames"]
            .as_array()
            .is_some_and(|frames| !frames.is_empty()),
        "and says where: {fault}"
    );
    ensure!(
        again.is_same() && again.ended_then == "parked",
        "{again:#?}"
    );

    let mended = replay(&desk, Some(stock), &recording).await?;
    ensure!(!mended.is_same(), "without it all goes well: {mended:#?}");
    ensure!(
        mended
            .would
            .writes
            .iter()
            .any(|write| write.kind == "create-row"),
        "{:#?}",
        mended.would
    );
    world.control().clear_faults();
    std::fs::remove_file(world.folder.join("80-panics.wasm"))?;
    world.row_of(&referral).await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deal_in_step_is_recorded_once_sealed_and_given_away_without_a_name() -> Told {
    let world = recording(World::start().await?, None).await?;
    let (row, referral) = linked(&world, "Data platform for Anna").await?;
    let lane = crate::deal_of(&world, &row).await?;
    let kept = async || -> anyhow::Result<usize> {
        let rows = dumped(&world).await?;
        let ours = format!("lane={}", lane.lane);
        let is_ours = |line: &&String| line.starts_with("recording: ") && line.contains(&ours);
        Ok(rows.iter().filter(is_ours).count())
    };
    world.retry_all().await?;
    world.quiet().await?;
    let before = kept().await?;
    for _ in 0..2 {
        world.retry_all().await?;
        world.quiet().await?;
    }
    ensure!(
        (1..=3).contains(&before) && kept().await? == before,
        "the same is kept once: {before}, then {}",
        kept().await?
    );
    let raws = dumped(&world).await?;
    let raws: Vec<&String> = raws
        .iter()
        .filter(|line| line.starts_with("raw: ") || line.starts_with("recording: "))
        .collect();
    ensure!(
        raws.iter().any(|line| line.starts_with("raw: ")),
        "there is something behind the bases"
    );
    for line in raws {
        ensure!(!ANNA.iter().any(|word| line.contains(word)), "{line}");
    }
    let config = Config::load(&world.config)?;
    let token = std::fs::read_to_string(&config.connections[0].partner_center.refresh_token)?;
    ensure!(Seal::is_sealed(&token), "the refresh token is sealed, too");

    nobody_answers(&world);
    let desk = desk(&world)?;
    let whole = recorded(&desk, None, &row).await?;
    let again = replay(&desk, None, &whole).await?;
    ensure!(again.is_same(), "{again:#?}");

    let given = record(&desk, None, &row).await?;
    let file = serde_json::to_string(&given)?;
    for planted in ANNA
        .iter()
        .chain(&["Contoso", "Main Street", &row, &referral])
    {
        ensure!(!file.contains(planted), "{planted} in {file}");
    }
    ensure!(file.contains("125000"), "amounts stay: {file}");
    let subject = subject_of(&given)?;
    ensure!(
        subject.seen.is_some() && subject.deal.units.len() > 8,
        "it shows a deal: {subject:#?}"
    );
    let elsewhere = replay(&desk, None, &given).await?;
    ensure!(
        elsewhere.unrecorded.is_none() && !elsewhere.answers.is_empty(),
        "a plugin can be asked about it: {elsewhere:#?}"
    );
    world.control().clear_faults();
    world.end().await
}

async fn judged(world: &World) -> anyhow::Result<PluginList> {
    let began = Instant::now();
    loop {
        let plugins = Config::load(&world.config)?.plugins;
        let list = plugin_list(&archive(world)?, &plugins).await?;
        let is_judged = list.candidates.iter().any(|one| {
            let shadow = one.shadow.as_ref();
            shadow.is_some_and(|shadow| shadow.judged > 0 && shadow.judged == shadow.deals)
        });
        if is_judged {
            return Ok(list);
        }
        ensure!(began.elapsed() < PATIENCE * 2, "never judged: {list:#?}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s30_a_shadow_is_judged_from_what_was_recorded_without_a_call() -> Told {
    let policy = [("mapping_changes", "\"all\""), ("on_link", "\"crm\"")];
    let world = World::with(cosell_simulator::SimulatorConfig::demo(), &policy).await?;
    let world = recording(world, None).await?;
    let (row, _) = linked(&world, "Two values").await?;
    let budget = json!({ "budgetamount": 50_000, "description": "second notes" });
    world
        .control()
        .seller_updates("opportunity", &row, &budget)?;
    world.quiet().await?;
    nobody_answers(&world);
    std::fs::write(
        world.folder.join("10-opportunity.toml"),
        "mode = \"shadow\"\n[limits]\ncall_ms = 90\n",
    )?;
    let list = judged(&world).await?;
    let shadow = list.candidates[0].shadow.as_ref().context("judged")?;
    ensure!(
        shadow.unjudged.is_empty() && shadow.same == 1,
        "judged although nobody answers: {shadow:#?}"
    );
    let pairs = dumped(&world).await?;
    let from = pairs
        .iter()
        .find(|line| line.starts_with("judgement: "))
        .context("a judgement")?;
    ensure!(
        from.contains("the recording of"),
        "it says from what: {from}"
    );
    world.control().clear_faults();
    world.end().await
}

/// Everything that the host's own rooms log in this process.
fn log() -> &'static Arc<Mutex<Vec<u8>>> {
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    LOG.get_or_init(|| {
        let log: Arc<Mutex<Vec<u8>>> = Arc::default();
        let to = Arc::clone(&log);
        let filter = "off,cosell_host=debug,cosell_store=debug,cosell_remote=debug,cosell_plugins=debug,cosell_webhook=debug";
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(false)
            .with_writer(move || Sink(Arc::clone(&to)))
            .finish();
        // Another test of this process may have set one: then there is nothing to look at, and the assertion below says so.
        let _ = tracing::subscriber::set_global_default(subscriber);
        log
    })
}

struct Sink(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn anna() -> Person {
    Person {
        mails: vec!["anna.kovacs@contoso.example".into()],
        names: vec!["Anna Kovács".into()],
        phones: vec!["+36 1 555 0100".into()],
    }
}

/// Sweeps both sides until nothing is news any more.
async fn swept(world: &World) -> Told {
    let desk = world.desk()?;
    let connection = &desk.connections["simulated"];
    for _ in 0..SWEEPS_MAX {
        let rung =
            sweep_crm(desk, connection).await? + sweep_partner_center(desk, connection).await?;
        desk.rope.notify_one();
        world.quiet().await?;
        if rung == 0 {
            return Ok(());
        }
    }
    anyhow::bail!("{SWEEPS_MAX} sweeps in a row rang")
}

async fn erased_from(mut world: World) -> Told {
    let account = world.account("Contoso Kft.", "HU")?;
    let notes = json!({ "name": "Platform", "description": "call Anna Kovács first" });
    let row = world.opportunity(&account, &notes)?;
    let referral = text(&world.referral_of(&row).await?, "id");
    world.row_of(&referral).await?;
    world.quiet().await?;
    let changed = json!({ "description": "Anna Kovács (anna.kovacs@contoso.example) is away" });
    world
        .control()
        .seller_updates("opportunity", &row, &changed)?;
    world
        .until("the new notes", |control| {
            let notes = control.referral(&referral)?["details"]["notes"].clone();
            notes.as_str()?.contains("is away").then_some(())
        })
        .await?;
    world.quiet().await?;
    // Edits that nobody has carried yet would be carried by the run below, and what we have written ourselves is news to a sweep once: the one with which
    // the host starts below would have the deal looked at, and learn again what is being erased.
    swept(&world).await?;
    let config = Config::load(&world.config)?;
    let speaks = |line: &&String| ANNA.iter().any(|word| line.contains(word));
    // A host beside us would sweep, and note that.
    world.stop_host().await;
    let before = dumped(&world).await?;
    ensure!(before.iter().filter(speaks).count() > 3, "{before:#?}");

    let found = erase(&config, &anna(), None).await?;
    ensure!(
        !found.done
            && found.rows["audit"] > 0
            && found.rows["recording"] > 0
            && found.rows["base"] > 0,
        "{found:#?}"
    );
    ensure!(dumped(&world).await? == before, "a look changes nothing");
    world.start_host().await?;
    world.quiet().await?;
    let done = erase(&config, &anna(), Some("grace")).await?;
    ensure!(
        done.done && done.under_way.is_empty() && !done.coming_in && !done.not_reached.is_empty(),
        "{done:#?}"
    );
    let after = dumped(&world).await?;
    let left: Vec<&String> = after.iter().filter(speaks).collect();
    ensure!(left.is_empty(), "still there: {left:#?}");
    let store = open(&config.store, None).await?.store;
    ensure!(store.check().await?.is_empty(), "all that must hold does");
    let told = world.history(&row).await?;
    ensure!(
        told.iter()
            .any(|line| line.starts_with("grace has erased a person")),
        "{told:#?}"
    );

    // S9: what was erased is unknown, and not empty.
    let written = world.control().ledger(0).len();
    world.retry_all().await?;
    world.quiet().await?;
    let all = world.control().ledger(0);
    ensure!(
        all.len() == written,
        "nothing is written: {:#?}",
        &all[written..]
    );
    let shown = world.control().referral(&referral).context("it is there")?;
    ensure!(
        shown.to_string().contains("anna.kovacs@contoso.example"),
        "nothing was blanked: {shown}"
    );
    let log =
        String::from_utf8_lossy(&log().lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
    ensure!(
        log.contains("ready: bells are taken"),
        "the log was looked at"
    );
    let said: Vec<&str> = log
        .lines()
        .filter(|line| ANNA[..3].iter().any(|word| line.contains(word)))
        .collect();
    ensure!(said.is_empty(), "no log names her: {said:#?}");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s9_a_person_is_erased_from_a_file_and_the_next_run_blanks_nothing() -> Told {
    log();
    erased_from(recording(World::start().await?, None).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn s9_a_person_is_erased_from_a_database_and_the_next_run_blanks_nothing() -> Told {
    log();
    let server = LocalPostgres::shared().map_err(|error| anyhow::anyhow!("{error}"))?;
    let url = server.url("schema=erased");
    erased_from(recording(World::start().await?, Some(&url)).await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_key_nothing_is_overwritten_and_it_is_said_what_to_do() -> Told {
    let mut world = recording(World::start().await?, None).await?;
    let (row, _) = linked(&world, "Locked").await?;
    world.stop_host().await;
    let folder = world.config.parent().context("a folder")?.to_owned();
    let token = Config::load(&world.config)?.connections[0]
        .partner_center
        .refresh_token
        .clone();
    let sealed = std::fs::read(&token)?;
    let before = dumped(&world).await?;
    std::fs::write(folder.join("store-key"), "77".repeat(32))?;
    let refused = recorded(&app::desk(&Config::load(&world.config)?)?, None, &row)
        .await
        .err()
        .context("it is sealed with another key")?
        .to_string();
    ensure!(
        refused.contains("add that key to [store] keys"),
        "{refused}"
    );
    let refused = erase(&Config::load(&world.config)?, &anna(), Some("grace"))
        .await
        .err()
        .context("nobody knows what is in it")?
        .to_string();
    ensure!(refused.contains("nothing was overwritten"), "{refused}");
    ensure!(dumped(&world).await? == before, "and nothing was");
    ensure!(std::fs::read(&token)? == sealed, "nor the token");
    // Both keys: the new one seals, the old one still opens.
    std::fs::write(folder.join("old-key"), "5e".repeat(32))?;
    private(&folder.join("old-key"))?;
    let one = "[{ file = \"store-key\" }]";
    let both = "[{ file = \"store-key\" }, { file = \"old-key\" }]";
    amend(&world.config, &[(one, both)])?;
    recorded(&app::desk(&Config::load(&world.config)?)?, None, &row).await?;
    world.start_host().await?;
    world.retry_all().await?;
    world.quiet().await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn s8_without_the_key_edits_cross_and_a_changed_mapping_waits_until_a_person_goes_on() -> Told
{
    let world = World::start().await?;
    let token = Config::load(&world.config)?.connections[0]
        .partner_center
        .refresh_token
        .clone();
    let plain_token = std::fs::read(&token)?;
    let mut world = recording(world, None).await?;
    let (row, referral) = linked(&world, "Locked").await?;
    world.stop_host().await;
    let folder = world.config.parent().context("a folder")?.to_owned();
    std::fs::write(folder.join("store-key"), "77".repeat(32))?;
    std::fs::write(&token, plain_token)?;
    world.start_host().await?;
    let notes = |notes: &'static str| {
        let edit = json!({ "description": notes });
        let act = world.control().seller_updates("opportunity", &row, &edit);
        act.map(drop)
    };
    let arrived = |notes: &'static str| {
        let referral = &referral;
        world.until(notes, move |control| {
            (control.referral(referral)?["details"]["notes"] == notes).then_some(())
        })
    };
    notes("an edit needs no key")?;
    arrived("an edit needs no key").await?;
    world.quiet().await?;

    let before = world.desk()?.plugins.current().hash().to_owned();
    std::fs::write(
        world.folder.join("10-opportunity.toml"),
        "[settings]\nvalue-column = \"budgetamount\"\n",
    )?;
    world.until_settings(&before).await?;
    // The run after the first one does not take the mapping's change for an edit either.
    let mut waited = None;
    for edit in ["edit or mapping?", "edit or mapping, again?"] {
        notes(edit)?;
        let waits =
            |deal: &cosell_host::status::Deal| deal.state == "waiting" && deal.next_at != waited;
        let status = world
            .status_where(|status| status.deals.iter().any(waits))
            .await?;
        // Beside a lane that was retired at birth.
        let mut deals = status.deals.iter();
        let deal = deals.find(|deal| waits(deal)).context("it waits")?;
        let reason = deal.reason.clone().unwrap_or_default();
        ensure!(
            reason.contains("add that key to [store] keys")
                && reason.contains(&format!("`cosell retry {}`", deal.lane)),
            "{reason}"
        );
        waited = deal.next_at;
    }
    let shown = world.control().referral(&referral).context("it is there")?;
    ensure!(
        shown["details"]["notes"] == "an edit needs no key",
        "nothing is written: {shown}"
    );
    world.retry_all().await?;
    arrived("edit or mapping, again?").await?;
    world
        .history_where(&row, |told| {
            let anew = |line: &String| line.contains("as if the deal was linked just now");
            told.iter().any(anew)
        })
        .await?;
    world.quiet().await?;
    let shown = world.control().referral(&referral).context("it is there")?;
    ensure!(
        shown["details"]["dealValue"] != json!(null),
        "an empty column fills nothing and empties nothing: {shown}"
    );
    world.end().await
}
