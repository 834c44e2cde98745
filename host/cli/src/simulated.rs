//! A configuration that connects a host with a running simulator: the file, its secrets, and the roots it trusts.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use cosell_simulator::Running;

/// Where the certificate authority of the simulator is written.
pub const CA_FILE: &str = "simulator-ca.pem";

/// How every file that [`write_configuration`] writes begins: by this a folder is known as a simulation's.
pub const FIRST_LINE: &str = "# Connects a host with the simulator. Written by cosell";

/// Whether what is in the folder may be replaced by a new simulation: nothing is in it, or an earlier simulation.
///
/// # Errors
/// Says what is in it instead; a store of a real host must never be taken for a simulated one.
pub fn must_be_ours(dir: &Path) -> anyhow::Result<()> {
    let config = dir.join("cosell.toml");
    let text = match std::fs::read_to_string(&config) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut entries =
                std::fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?;
            ensure!(
                entries.next().is_none(),
                "{} holds files that no simulation wrote; give a new or an empty folder under --dir",
                dir.display()
            );
            return Ok(());
        }
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", config.display()));
        }
    };
    ensure!(
        text.starts_with(FIRST_LINE),
        "{} is not a simulation's, so its store is left alone; give a new or an empty folder under --dir",
        config.display()
    );
    Ok(())
}

/// Where a configuration and its host have their things.
#[derive(Debug, Clone)]
pub struct Paths {
    /// Configuration, secrets, roots and store. It exists.
    pub dir: PathBuf,
    /// The plugin folder.
    pub plugins: PathBuf,
    /// Where compiled plugins are kept; beside the store unless given.
    pub cache: Option<PathBuf>,
    /// Where the host listens.
    pub listen: SocketAddr,
}

/// Writes a configuration that connects a host with a running simulator: the file, its secrets (readable by this user only), the roots.
/// `policy` are further lines of `[connection.policy]`, keys and values as TOML spells them.
///
/// # Errors
/// A file could not be written.
pub fn write_configuration(
    running: &Running,
    paths: &Paths,
    policy: &[(&str, &str)],
) -> anyhow::Result<PathBuf> {
    let dir = &paths.dir;
    let urls = &running.urls;
    let partner = running
        .organizations
        .first()
        .context("the simulator has no partner organisation")?;
    let crm = &running.crm;
    private(&dir.join("refresh-token"), &partner.refresh_token)?;
    private(&dir.join("partner-center-secret"), &partner.client_secret)?;
    private(&dir.join("dataverse-secret"), &crm.client_secret)?;
    private(
        &dir.join("webhook-secret"),
        &format!(
            "simulated-{}",
            &partner
                .refresh_token
                .get(..24)
                .unwrap_or("webhook-secret-000000")
        ),
    )?;
    std::fs::write(
        dir.join(CA_FILE),
        running
            .ca_pem
            .as_deref()
            .context("the simulator speaks plain HTTP; a host wants TLS")?,
    )?;
    std::fs::write(dir.join("webhook-roots.pem"), &running.webhook_root_pem)?;
    let certificate_host = urls
        .certificates
        .trim_start_matches("https://")
        .trim_end_matches('/');
    let mut text = format!(
        r#"{FIRST_LINE}; `cosell config example` documents every key.
[server]
listen = "{listen}"
public_url = "http://{listen}"

[store]
path = "{dir}/cosell.db"

[plugins]
folder = "{plugins}"
settle_ms = 100
{cache}
[tls]
extra_roots = "{dir}/{CA_FILE}"

[[connection]]
id = "simulated"

[connection.entra]
authority = "{entra}"
tenant = "{tenant}"

[connection.partner_center]
base_url = "{referrals}/v1.0/engagements"
webhook_url = "{webhooks}/webhooks/v1"
client_id = "{client}"
secret = {{ file = "{dir}/partner-center-secret" }}
refresh_token = {{ file = "{dir}/refresh-token" }}
register_webhook = true

[connection.partner_center.webhook]
certificate_hosts = ["{certificate_host}"]
certificate_roots = "{dir}/webhook-roots.pem"
allow_private_certificate_hosts = true

[connection.dataverse]
url = "{dataverse}"
tenant = "{crm_tenant}"
client_id = "{crm_client}"
secret = {{ file = "{dir}/dataverse-secret" }}
webhook_secret = {{ file = "{dir}/webhook-secret" }}
subscribe = true

[connection.policy]
"#,
        cache = paths
            .cache
            .as_ref()
            .map(|cache| format!("cache = \"{}\"\n", cache.display()))
            .unwrap_or_default(),
        listen = paths.listen,
        dir = dir.display(),
        plugins = paths.plugins.display(),
        entra = urls.entra,
        tenant = partner.tenant_id,
        referrals = urls.referrals,
        webhooks = urls.partner_center,
        client = partner.client_id,
        dataverse = urls.dataverse,
        crm_tenant = crm.tenant_id,
        crm_client = crm.client_id,
    );
    // The simulated customers have consented, unless the caller says otherwise.
    let mut lines = BTreeMap::from([("contacts_may_be_shared", "true")]);
    lines.extend(policy.iter().copied());
    for (key, value) in lines {
        writeln!(text, "{key} = {value}")?;
    }
    let config = dir.join("cosell.toml");
    std::fs::write(&config, text).with_context(|| format!("cannot write {}", config.display()))?;
    Ok(config)
}

/// A secret goes into a file that nobody else can read; the host refuses a wider one.
///
/// # Errors
/// The file could not be written.
pub fn private(path: &Path, secret: &str) -> anyhow::Result<()> {
    let mut file = std::fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(file.write_all(secret.as_bytes())?)
}
