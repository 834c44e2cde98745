//! Each documented rule that the simulator implements, as a test whose name is the rule, over real HTTP.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test, in helpers too"
)]

#[path = "rules/asking.rs"]
mod asking;
#[path = "rules/assertions.rs"]
mod assertions;
#[path = "rules/batch.rs"]
mod batch;
#[path = "rules/binding.rs"]
mod binding;
#[path = "rules/bodies.rs"]
mod bodies;
#[path = "rules/bulk.rs"]
mod bulk;
#[path = "rules/control.rs"]
mod control;
#[path = "rules/control_http.rs"]
mod control_http;
#[path = "rules/dataverse.rs"]
mod dataverse;
#[path = "rules/documented.rs"]
mod documented;
#[path = "rules/doubtful.rs"]
mod doubtful;
#[path = "rules/doubtful_changes.rs"]
mod doubtful_changes;
#[path = "rules/doubtful_rows.rs"]
mod doubtful_rows;
#[path = "rules/entra.rs"]
mod entra;
#[path = "rules/environment.rs"]
mod environment;
#[path = "rules/faults.rs"]
mod faults;
#[path = "rules/federated.rs"]
mod federated;
#[path = "rules/harness.rs"]
mod harness;
#[path = "rules/images.rs"]
mod images;
#[path = "rules/inbound.rs"]
mod inbound;
#[path = "rules/inside.rs"]
mod inside;
#[path = "rules/judging.rs"]
mod judging;
#[path = "rules/keys.rs"]
mod keys;
#[path = "rules/leads.rs"]
mod leads;
#[path = "rules/listed.rs"]
mod listed;
#[path = "rules/making.rs"]
mod making;
#[path = "rules/marks.rs"]
mod marks;
#[path = "rules/marks_partner_center.rs"]
mod marks_partner_center;
#[path = "rules/merging.rs"]
mod merging;
#[path = "rules/metadata.rs"]
mod metadata;
#[path = "rules/notifications.rs"]
mod notifications;
#[path = "rules/opportunities.rs"]
mod opportunities;
#[path = "rules/pages.rs"]
mod pages;
#[path = "rules/preconditions.rs"]
mod preconditions;
#[path = "rules/protection.rs"]
mod protection;
#[path = "rules/queries.rs"]
mod queries;
#[path = "rules/readings.rs"]
mod readings;
#[path = "rules/readings_webhooks.rs"]
mod readings_webhooks;
#[path = "rules/referrals.rs"]
mod referrals;
#[path = "rules/registering.rs"]
mod registering;
#[path = "rules/relationships.rs"]
mod relationships;
#[path = "rules/remote.rs"]
mod remote;
#[path = "rules/resource.rs"]
mod resource;
#[path = "rules/saving.rs"]
mod saving;
#[path = "rules/seeded.rs"]
mod seeded;
#[path = "rules/signing_in.rs"]
mod signing_in;
#[path = "rules/standing.rs"]
mod standing;
#[path = "rules/symptoms.rs"]
mod symptoms;
#[path = "rules/tracking.rs"]
mod tracking;
#[path = "rules/values.rs"]
mod values;
#[path = "rules/webhooks.rs"]
mod webhooks;
