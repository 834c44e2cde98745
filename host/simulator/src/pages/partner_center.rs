//! "Partner Center": the partner's deals, and Microsoft's part in them.

use serde_json::{Value, json};

use super::fields::{self, Field};
use super::layout::{LINES, Note, Paging, act, cell, facts, finder, line, page, table};
use super::referral_fields::{ADD, Addition, EDIT, INVITE, NEW};
use super::{Sent, Shown, plain, status_of};
use crate::control::{Arrival, Control, ControlError, state};
use crate::html::escape;
use crate::ledger::Act;

const ROOM: &str = "partner-center";
pub(super) fn answer(control: &Control, is_post: bool, rest: &[&str], sent: &Sent) -> Shown {
    match (is_post, rest) {
        (false, []) => Shown::Page(200, list(control, sent)),
        (false, ["new"]) => Shown::Page(200, blank(false, None, &Note::None)),
        (false, ["arrive"]) => Shown::Page(200, blank(true, None, &Note::None)),
        (true, ["new"]) => {
            let body = composed(&NEW, sent);
            made(false, sent, control.partner_user_creates(&body))
        }
        (true, ["arrive"]) => {
            let kind = match sent.get("kind") {
                "lead" => Arrival::QualifiedLead,
                "marketplace" => Arrival::MarketplaceLead,
                _ => Arrival::CoSell,
            };
            made(
                true,
                sent,
                control.referral_arrives_as(kind, &composed(&NEW, sent)),
            )
        }
        (false, [id]) => {
            let note = match sent.get("done") {
                "" => Note::None,
                done => Note::Done(done),
            };
            shown(control, id, None, &note, 200)
        }
        (true, [id]) => edited(control, id, sent),
        (true, [id, verb]) => acted(control, id, verb, sent),
        _ => nothing(),
    }
}

fn nothing() -> Shown {
    let note = Note::Wrong("There is no such page.");
    Shown::Page(
        404,
        page(
            ROOM,
            "Not found",
            &note,
            "<p><a href=\"/partner-center\">All deals</a></p>",
        ),
    )
}

fn list(control: &Control, sent: &Sent) -> String {
    let find = sent.get("find");
    let deals: Vec<_> = control
        .deals(find)
        .into_iter()
        .filter(|deal| deal.referral.is_some())
        .collect();
    let paging = Paging {
        from: sent.get("from").parse().unwrap_or(0).min(deals.len()),
        total: deals.len(),
    };
    let rows: Vec<Vec<String>> = deals
        .iter()
        .skip(paging.from)
        .take(LINES)
        .map(|deal| {
            let id = deal.referral.as_deref().unwrap_or_default();
            let name = if deal.name.is_empty() {
                "(no name)"
            } else {
                &deal.name
            };
            vec![
                format!(
                    "<td><a href=\"/{ROOM}/{}\">{}</a></td>",
                    escape(id),
                    escape(name)
                ),
                cell(&deal.customer),
                format!("<td class=\"number\">{}</td>", escape(&deal.value)),
                cell(deal.referral_state.as_deref().unwrap_or_default()),
                cell(deal.microsoft_state.as_deref().unwrap_or("not invited")),
                cell(deal.row_state.as_deref().unwrap_or("no row")),
            ]
        })
        .collect();
    let heads = [
        "Deal",
        "Customer",
        "Value",
        "State",
        "Microsoft",
        "In the CRM",
    ];
    let inside = format!(
        "<p><a href=\"/{ROOM}/new\">New deal</a> · <a href=\"/{ROOM}/arrive\">A referral arrives from Microsoft</a></p>\n{}{}{}",
        finder("/partner-center", find),
        table(&paging.caption("deals"), &heads, &rows),
        paging.links("/partner-center", find),
    );
    page(ROOM, "Deals at Partner Center", &Note::None, &inside)
}

/// The form of a new deal: the partner's own, or one that arrives.
fn blank(arrives: bool, sent: Option<&Sent>, note: &Note<'_>) -> String {
    let start = json!({"type": "Independent", "details": {"currency": "USD", "dealValue": 1000},
        "customerProfile": {"address": {"country": "US"}}});
    let kinds = "<div><label for=\"kind\">Kind</label><select id=\"kind\" name=\"kind\"><option value=\"co-sell\">Co-sell: Microsoft has its own referral beside it</option><option value=\"lead\">Qualified lead</option><option value=\"marketplace\">Marketplace lead</option></select></div>\n";
    let (title, action, kinds) = match arrives {
        true => ("A referral arrives from Microsoft", "arrive", kinds),
        false => ("New deal", "new", ""),
    };
    let inside = format!(
        "<form method=\"post\" action=\"/{ROOM}/{action}\">\n<div class=\"fields\">\n{kinds}{}</div>\n<p class=\"row\"><button class=\"first\">Create</button> <a href=\"/{ROOM}\">All deals</a></p>\n</form>\n",
        fields::html(&NEW, &start, sent)
    );
    page(ROOM, title, note, &inside)
}

fn made(arrives: bool, sent: &Sent, made: Result<Act, ControlError>) -> Shown {
    match made {
        Ok(act) => done(&act.record, "Created."),
        Err(error) => Shown::Page(
            status_of(&error),
            blank(arrives, Some(sent), &Note::Failed(&error)),
        ),
    }
}

fn done(id: &str, said: &str) -> Shown {
    Shown::See(format!(
        "/{ROOM}/{}?done={}",
        crate::wire::encode(id),
        crate::wire::encode(said)
    ))
}

/// A referral of what was typed; what was left empty is not in it.
fn composed(fields: &[Field], sent: &Sent) -> Value {
    let mut body = json!({"customerProfile": {}, "consent": {}, "details": {}});
    for (place, value) in fields::changed(fields, &Value::Null, sent) {
        put(&mut body, place, value);
    }
    body
}

/// Puts a value at a pointer, and makes the objects and lists on the way.
fn put(record: &mut Value, place: &str, value: Value) {
    let mut here = record;
    for step in place.trim_start_matches('/').split('/') {
        let next = here;
        if step == "0" {
            if !next.is_array() {
                *next = json!([{}]);
            }
            here = &mut next[0];
        } else {
            here = &mut next[step];
        }
    }
    *here = value;
}

fn edited(control: &Control, id: &str, sent: &Sent) -> Shown {
    let Some(referral) = control.referral(id) else {
        return nothing();
    };
    if sent.get("etag") != plain(&referral["eTag"]) {
        let note = Note::Wrong(
            "The deal was changed meanwhile. What you typed is still here; look at it again and save.",
        );
        return shown(control, id, Some(sent), &note, 409);
    }
    let changed = fields::changed(&EDIT, &referral, sent);
    if changed.is_empty() {
        return shown(control, id, None, &Note::Done("Nothing was changed."), 200);
    }
    let patch = changed
        .into_iter()
        .map(|(path, value)| json!({"op": "replace", "path": path, "value": value}));
    match control.partner_user_patches(id, &patch.collect()) {
        Ok(_) => done(id, "Saved."),
        Err(error) => shown(
            control,
            id,
            Some(sent),
            &Note::Failed(&error),
            status_of(&error),
        ),
    }
}

fn acted(control: &Control, id: &str, verb: &str, sent: &Sent) -> Shown {
    let reason = sent.get("reason");
    let optional = Some(reason).filter(|reason| !reason.is_empty());
    let result = match verb {
        "accept" => control.partner_user_accepts(id),
        "decline" => control.partner_user_declines(id, reason),
        "win" => control.partner_user_closes(id, "Won", optional),
        "lose" => control.partner_user_closes(id, "Lost", optional),
        "microsoft-accept" => control.microsoft_accepts(id, sent.get("msx")),
        "microsoft-decline" => control.microsoft_declines(id, reason),
        "microsoft-win" => control.microsoft_wins(id),
        "microsoft-lose" => control.microsoft_loses(id, reason),
        "microsoft-review" => control.microsoft_reviews_registration(id, sent.get("status")),
        "invite" => invited(control, id, sent),
        other => match ADD.iter().find(|held| held.verb == other) {
            Some(Addition { path, keys, .. }) => {
                let keys = keys
                    .iter()
                    .map(|(key, _)| ((*key).to_owned(), json!(sent.get(key))));
                let patch = json!([{"op": "add", "path": path, "value": keys.collect::<Value>()}]);
                control.partner_user_patches(id, &patch)
            }
            None => return nothing(),
        },
    };
    match result {
        Ok(_) => done(id, "Done."),
        Err(error) => shown(control, id, None, &Note::Failed(&error), status_of(&error)),
    }
}

/// The second referral of an invitation: the deal as it stands, addressed to Microsoft.
fn invited(control: &Control, id: &str, sent: &Sent) -> Result<Act, ControlError> {
    let own = control.referral(id).unwrap_or_default();
    let mut body = composed(&INVITE, sent);
    for part in [
        "engagementId",
        "name",
        "customerProfile",
        "consent",
        "details",
        "team",
        "externalReferenceId",
    ] {
        body[part] = own[part].clone();
    }
    body["type"] = json!("Shared");
    body["consent"]["consentToShareReferralWithMicrosoftSellers"] = json!(true);
    body["target"] = json!([{"type": "BusinessProfileLocation", "id": "msft"}]);
    control.partner_user_creates(&body)
}

fn shown(control: &Control, id: &str, sent: Option<&Sent>, note: &Note<'_>, status: u16) -> Shown {
    let Some(referral) = control.referral(id) else {
        return nothing();
    };
    let text = |place: &str| referral.pointer(place).map(plain).unwrap_or_default();
    let here = format!("/{ROOM}/{}", escape(&text("/id")));
    let people = |place: &str| {
        let list = referral
            .pointer(place)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        let list = list.iter().map(|one| {
            let words =
                ["firstName", "lastName", "email", "id", "name"].map(|key| plain(&one[key]));
            words
                .into_iter()
                .filter(|word| !word.is_empty())
                .collect::<Vec<_>>()
                .join(" ")
        });
        list.collect::<Vec<_>>().join(", ")
    };
    let mut inside = facts(&[
        ("State", state(&referral)),
        ("Type", text("/type")),
        ("Customer", text("/customerProfile/name")),
        ("Country", text("/customerProfile/address/country")),
        ("Contacts", people("/customerProfile/team")),
        ("Sellers", people("/team")),
        ("Solutions", people("/details/requirements/solutions")),
        ("Answer due", text("/expirationDateTime")),
        ("Closed", text("/closedDateTime")),
        ("Last changed", text("/updatedDateTime")),
        ("Referral", text("/id")),
        ("Engagement", text("/engagementId")),
    ]);
    if let Some((table, row)) = control.row_of(&referral) {
        inside.push_str(&format!(
            "<p><a href=\"/dynamics/{}/{}\">The row in Dynamics 365</a></p>\n",
            escape(table),
            escape(&row)
        ));
    }
    inside.push_str(&format!(
        "<h2>Change</h2>\n<form method=\"post\" action=\"{here}\">\n<input type=\"hidden\" name=\"etag\" value=\"{}\">\n<div class=\"fields\">\n{}</div>\n<p class=\"row\"><button class=\"first\">Save</button> <a href=\"/{ROOM}\">All deals</a></p>\n</form>\n",
        escape(&text("/eTag")),
        fields::html(&EDIT, &referral, sent),
    ));
    for Addition {
        verb,
        heading,
        keys,
        ..
    } in ADD
    {
        let lines = keys
            .iter()
            .map(|(key, label)| line(&format!("{verb}-{key}"), key, label, ""));
        let form = act(&format!("{here}/{verb}"), "Add", &lines.collect::<String>());
        inside.push_str(&format!(
            "<details class=\"box\"><summary>{heading}</summary>\n{form}</details>\n"
        ));
    }
    inside.push_str("<h2>As the partner</h2>\n");
    if text("/status") == "New" {
        inside.push_str(&act(&format!("{here}/accept"), "Accept", ""));
        inside.push_str(&act(
            &format!("{here}/decline"),
            "Decline",
            &line("decline-reason", "reason", "Reason to decline", ""),
        ));
    } else {
        inside.push_str(&act(&format!("{here}/win"), "Close as won", ""));
        inside.push_str(&act(
            &format!("{here}/lose"),
            "Close as lost",
            &line("lose-reason", "reason", "Reason for the loss", ""),
        ));
    }
    inside.push_str("<h2>As Microsoft</h2>\n");
    inside.push_str(&microsoft(control, &referral, &here));
    let name = text("/name");
    let title = if name.is_empty() { "(no name)" } else { &name };
    Shown::Page(status, page(ROOM, title, note, &inside))
}

/// Microsoft's referral and what it may do, or how it is invited.
fn microsoft(control: &Control, referral: &Value, here: &str) -> String {
    let id = referral["id"].as_str().unwrap_or_default();
    let Some(theirs) = control.microsoft_referral(id) else {
        return format!(
            "<p>Microsoft was not invited to this deal.</p>\n<form method=\"post\" action=\"{here}/invite\">\n<div class=\"fields\">\n{}</div>\n<p class=\"row\"><button>Invite Microsoft</button></p>\n</form>\n",
            fields::html(
                &INVITE,
                &json!({"inviteContext": {"assistanceRequestCode": "GeneralOrOther"}}),
                None
            )
        );
    };
    let mut inside = facts(&[
        ("State", state(&theirs)),
        (
            "Help",
            theirs["inviteContext"]["assistanceRequestCode"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        ),
        (
            "CRM id at Microsoft",
            plain(&theirs["trackingInfo"]["microsoftMsxId"]),
        ),
        ("Answer due", plain(&theirs["expirationDateTime"])),
    ]);
    let reason = |id: &str, label: &str| line(id, "reason", label, "");
    if theirs["status"] == "New" {
        inside.push_str(&act(
            &format!("{here}/microsoft-accept"),
            "Microsoft accepts",
            &line("msx", "msx", "CRM id at Microsoft", "7-ABC123"),
        ));
        inside.push_str(&act(
            &format!("{here}/microsoft-decline"),
            "Microsoft declines",
            &reason("their-decline", "Microsoft's reason to decline"),
        ));
    } else {
        inside.push_str(&act(&format!("{here}/microsoft-win"), "Microsoft wins", ""));
        inside.push_str(&act(
            &format!("{here}/microsoft-lose"),
            "Microsoft loses",
            &reason("their-loss", "Microsoft's reason for the loss"),
        ));
    }
    inside
}
