//! Where a deal stands, both ways as far as Partner Center's state machine allows.

use super::Sentence;

pub(super) const ROWS: &[Sentence] = &[
    (
        "state.pending.in",
        "New/Pending, New/Received ⇄ a lead",
        "a referral that nobody has accepted becomes a lead, and no opportunity",
    ),
    (
        "state.received.out",
        "New/Pending, New/Received ⇄ a lead",
        "a lead that a seller has contacted is received in Partner Center",
    ),
    (
        "state.on-hold.out",
        "New/Pending ⇄ open / On Hold, by the setting `on-hold-is-not-accepted`",
        "leaving On Hold accepts the deal in Partner Center",
    ),
    (
        "state.accepted.in",
        "Active/Accepted ⇄ open / In Progress",
        "an accepted referral is an open opportunity in progress",
    ),
    (
        "state.accepted.lead",
        "Active/Accepted ⇄ open / In Progress",
        "accepted in Partner Center, a lead is qualified into an opportunity",
    ),
    (
        "state.accepted.out",
        "Active/Accepted ⇄ open / In Progress",
        "a deal that a partner creates is active from the start",
    ),
    (
        "state.accepted.own-reason",
        "Active/Accepted ⇄ open / In Progress",
        "an organisation's own open status reason stays as it is",
    ),
    (
        "state.won.in",
        "Closed/Won ⇄ won",
        "won in Partner Center, the opportunity is won",
    ),
    (
        "state.won.out",
        "Closed/Won ⇄ won",
        "won in the CRM, the referral closes as won",
    ),
    (
        "state.won.one-patch",
        "Closed/Won ⇄ won",
        "status and substatus go in one patch",
    ),
    (
        "state.lost.in",
        "Closed/Lost ⇄ lost",
        "lost in Partner Center, the opportunity is lost with the status reason of that reason",
    ),
    (
        "state.lost.in.other",
        "Closed/Lost ⇄ lost",
        "a reason that no status reason stands for is lost as out-sold, and kept in the closing activity",
    ),
    (
        "state.lost.out",
        "Closed/Lost ⇄ lost",
        "lost in the CRM, the referral closes with the reason that Partner Center asks for",
    ),
    (
        "state.lost.own-reason",
        "Closed/Lost ⇄ lost",
        "an organisation's own loss reason crosses as its words",
    ),
    (
        "state.lost.declined-reason",
        "Closed/Lost ⇄ lost",
        "a loss reason that says so declines a deal that nobody has accepted",
    ),
    (
        "state.declined.in",
        "Closed/Declined ⇄ lost / Canceled, or a disqualified lead",
        "declined in Partner Center, the lead is disqualified",
    ),
    (
        "state.declined.out",
        "Closed/Declined ⇄ lost / Canceled, or a disqualified lead",
        "disqualified in the CRM, the referral is declined with a reason",
    ),
    (
        "state.expired.in",
        "Closed/Expired ⇄ lost / Canceled, or a disqualified lead",
        "expired after fourteen days, the lead is disqualified",
    ),
    (
        "state.terminal.out",
        "Won, Lost, Declined and Expired are the end",
        "what changes in the CRM afterwards is explained and not sent",
    ),
    (
        "state.terminal.reopened",
        "Won, Lost, Declined and Expired are the end",
        "a row that is reopened afterwards asks a person",
    ),
    (
        "state.won.on-the-way",
        "New may go to Active or Closed, Active to Closed",
        "won while still pending, the deal is accepted first and won then",
    ),
    (
        "state.back",
        "New may go to Active or Closed, Active to Closed",
        "an accepted deal cannot be pending again",
    ),
];
