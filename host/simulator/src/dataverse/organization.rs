//! Who asks, and in which organisation: two functions that take no row. (dataverse 1.2)

use serde_json::json;

use super::route::json_reply;
use super::session::Session;
use crate::wire::{Reply, Request};

/// `GET /WhoAmI`.
pub(super) fn who_am_i(session: &Session, request: &Request) -> Reply {
    let context = context(request, "WhoAmIResponse");
    json_reply(
        200,
        &json!({
            "@odata.context": context,
            "BusinessUnitId": session.business_unit.to_string(),
            "UserId": session.user.to_string(),
            "OrganizationId": session.organization.to_string(),
        }),
    )
}

/// `GET /RetrieveCurrentOrganization(AccessType=…)`: as much of it as tells one environment from another.
pub(super) fn current(session: &Session, request: &Request) -> Reply {
    let context = context(request, "RetrieveCurrentOrganizationResponse");
    let id = session.organization.to_string();
    json_reply(
        200,
        &json!({
            "@odata.context": context,
            "Detail": {
                "OrganizationId": id,
                "EnvironmentId": id,
                "FriendlyName": "Simulated",
                "UniqueName": "simulated",
                "UrlName": "simulated",
                "OrganizationVersion": "9.2.0.0",
                "State": "Enabled",
                "Endpoints": {
                    "Count": 1,
                    "IsReadOnly": false,
                    "Keys": ["WebApplication"],
                    "Values": [format!("{}/", request.origin)],
                },
            },
        }),
    )
}

fn context(request: &Request, name: &str) -> String {
    format!(
        "{}/api/data/v9.2/$metadata#Microsoft.Dynamics.CRM.{name}",
        request.origin
    )
}
