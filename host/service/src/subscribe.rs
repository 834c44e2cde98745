//! Subscriptions: both sides are told where to post, and the CRM which columns matter (S31). Idempotent; the sweep covers what is not told.

use std::collections::BTreeSet;
use std::time::Duration;

use cosell_remote::RemoteError;
use cosell_remote::dataverse::{Message, Step};
use cosell_remote::partner_center::Registration;
use cosell_sync::row::{Needs, Role};
use cosell_webhook::Source;
use tracing::{info, warn};

use crate::config::{self, Config};
use crate::desk::Desk;
use crate::records::{CLOSE, children, kinds, looked_at};
use crate::throttle;
use crate::trouble::Trouble;

/// How soon a registration that failed is tried again.
pub(crate) const RETRY: Duration = Duration::from_secs(60);

/// What is registered, as far as this process knows.
#[derive(Debug, Default)]
pub(crate) struct Registered {
    /// Connection and set of plugins for which it was seen, or made, since the last doubt.
    seen: BTreeSet<String>,
    /// The same since the start: told once.
    told: BTreeSet<String>,
}

impl Registered {
    /// It is looked at again with the next [`subscribe`]: a tenant has one registration, and another product may have taken it.
    pub(crate) fn doubt(&mut self) {
        self.seen.clear();
    }
}

/// Registers what the current set of plugins follows, unless it is known to be registered.
///
/// # Errors
/// The first call that failed; all of it can be done again. [`Trouble::NotYet`] while a credential rests (I11).
pub(crate) async fn subscribe(
    desk: &Desk,
    config: &Config,
    settings: &config::Connection,
    done: &mut Registered,
) -> Result<(), Trouble> {
    let registered = subscribe_both(desk, config, settings, done).await;
    if let Err(Trouble::Remote(error)) = &registered {
        throttle::rest(desk, &settings.id, error).await?;
    }
    registered
}

async fn subscribe_both(
    desk: &Desk,
    config: &Config,
    settings: &config::Connection,
    done: &mut Registered,
) -> Result<(), Trouble> {
    let followed = desk.plugins.followed();
    let mark = format!("{}/{}", settings.id, followed.name);
    let Some(connection) = desk
        .connections
        .get(&settings.id)
        .filter(|_| !done.seen.contains(&mark))
    else {
        return Ok(());
    };
    if settings.partner_center.register_webhook {
        throttle::must_be_open(desk, &settings.id).await?;
        let wanted = Registration {
            url: config.webhook_address(Source::PartnerCenter, &settings.id),
            events: settings.partner_center.webhook.events.clone(),
            signature_header: false,
        };
        register(&connection.partner_center, wanted).await?;
    }
    if settings.dataverse.subscribe {
        throttle::must_be_open(desk, &settings.id).await?;
        let url = config.webhook_address(Source::Dataverse, &settings.id);
        let webhook = &settings.dataverse.webhook;
        let name = format!("cosell {}", settings.id);
        let endpoint = connection
            .dataverse
            .ensure_endpoint(&name, &url, &webhook.secret_header, &webhook.secret)
            .await?;
        let steps = steps(&followed.needs);
        connection.dataverse.ensure_steps(&endpoint, &steps).await?;
        if done.told.insert(mark.clone()) {
            info!(connection = %settings.id, steps = steps.len(), "the CRM posts its changes to us");
        }
    }
    done.seen.insert(mark);
    Ok(())
}

/// A tenant has one registration for everything: what others listen to there is kept, and a foreign address is named before it goes.
async fn register(
    partner_center: &cosell_remote::PartnerCenter,
    mut wanted: Registration,
) -> Result<(), RemoteError> {
    match partner_center.registration().await? {
        None => drop(partner_center.create_registration(&wanted).await?),
        Some(there) => {
            // In whichever case they are told: a name in another one is no other event.
            let among = |events: &[String], event: &String| {
                events.iter().any(|held| held.eq_ignore_ascii_case(event))
            };
            for event in &there.events {
                if !among(&wanted.events, event) {
                    wanted.events.push(event.clone());
                }
            }
            let same_events = wanted
                .events
                .iter()
                .all(|event| among(&there.events, event));
            if there.url == wanted.url
                && same_events
                && there.signature_header == wanted.signature_header
            {
                return Ok(());
            }
            if there.url != wanted.url {
                warn!(old.url = %there.url, new.url = %wanted.url, "Partner Center posted to another address until now; a tenant has only one");
            }
            partner_center.replace_registration(&wanted).await?;
        }
    }
    info!(url = %wanted.url, "Partner Center posts its events to us");
    Ok(())
}

/// What the CRM is to tell us about, for a set with these needs (S31).
#[must_use]
pub fn steps(needs: &Needs) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let rows = kinds(needs).map(|kind| (kind.table(), columns(needs, kind.table())));
    let below = children(needs).map(|below| {
        let columns = below.columns.iter().cloned().chain([below.up.to_owned()]);
        (below.table, columns.collect())
    });
    for (table, columns) in rows.chain(below) {
        let messages = [
            (Message::Create, Vec::new()),
            (Message::Update, columns),
            (Message::Delete, Vec::new()),
        ];
        for (message, columns) in messages {
            // Two plugins may join the same table.
            let known = steps
                .iter_mut()
                .find(|step| step.table == table && step.message.as_str() == message.as_str());
            match known {
                Some(step) => step.columns.extend(columns),
                None => steps.push(Step {
                    message,
                    table: table.to_owned(),
                    columns,
                }),
            }
        }
    }
    for looked in looked_at(needs).filter(|looked| !looked.columns.is_empty()) {
        let known = steps.iter_mut().find(|step| {
            step.table == looked.table && step.message.as_str() == Message::Update.as_str()
        });
        match known {
            Some(step) => step.columns.extend(looked.columns.iter().cloned()),
            None => steps.push(Step {
                message: Message::Update,
                table: looked.table.to_owned(),
                columns: looked.columns.to_vec(),
            }),
        }
    }
    // A close is made once, and never changed.
    if needs.reads.contains_key(CLOSE.above.table()) {
        steps.push(Step {
            message: Message::Create,
            table: CLOSE.table.to_owned(),
            columns: Vec::new(),
        });
    }
    steps
}

/// The columns of a deal's row that ring: what only the host writes (audit, identifier, link) must not; what a person edits must.
fn columns(needs: &Needs, table: &str) -> Vec<String> {
    let ours = |column: &String| {
        let own = needs
            .brings
            .iter()
            .find(|own| own.table == table && own.column == *column);
        own.and_then(|own| own.role)
            .is_some_and(|role| !matches!(role, Role::Gate | Role::Consent))
    };
    needs
        .reads
        .get(table)
        .into_iter()
        .flatten()
        .filter(|column| !ours(column))
        .cloned()
        .collect()
}
