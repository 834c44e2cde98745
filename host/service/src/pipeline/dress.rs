//! Derived columns (S28): identifier, link, program, Microsoft's id, the audit line and the mark. They never enter the merge; they ride along
//! with a real write, or follow a fact that Partner Center has changed.

use cosell_plugins::{Outcome, Report};
use cosell_remote::dataverse::Looked;
use cosell_sync::columns::Cells;
use cosell_sync::deal::{DealState, Standing, Timestamp, Unit, UnitValue};
use cosell_sync::mark::put;
use cosell_sync::merge::Carry;
use cosell_sync::row::{Cell, Reason, RecordKind, Role, Row, RowState, Seen};
use cosell_sync::side::Side;
use tracing::warn;

use super::act::act;
use super::ask::rounds;
use super::look::{self, Sight, fetch};
use super::read::{Reading, without_mark};
use super::run::Run;
use super::script::{Script, What, Write};
use crate::personal::mask;
use crate::trouble::{Trouble, reasons_of, sentences};

/// The write that brings the facts of Partner Center into the row when nothing else is left to do.
pub(super) async fn in_step(
    run: &Run<'_>,
    sight: &Sight,
    reading: &Reading,
) -> Result<Option<Write>, Trouble> {
    let (Some(row), Some(seen)) = (&sight.row, &reading.seen) else {
        return Ok(None);
    };
    // Closed rows are read-only; nothing is ever reopened to write a receipt (S16).
    if is_closed(reading) {
        return Ok(None);
    }
    let mut cells = facts(run, reading, &seen.row);
    let microsoft = microsoft_stands(reading);
    let news = microsoft.is_some() && microsoft != run.notes.microsoft;
    let healed = is_marked(sight.kind) && run.link.mark.is_some() && {
        let name = name_of(run, seen).await?;
        let mark = mark(run, sight.kind, reading, Outcome::InStep, &name).await?;
        run.link.mark.as_deref() != Some(mark.as_str())
    };
    if cells.is_empty() && !news && !healed {
        return Ok(None);
    }
    let story = match (&microsoft, news) {
        (Some(standing), true) => format!("Microsoft's referral: {standing}"),
        _ => IN_STEP.to_owned(),
    };
    let told = Told {
        story: &story,
        invites: false,
    };
    let mark = ride_along(run, reading, sight.kind, seen, &mut cells, told).await?;
    if cells.is_empty() {
        return Ok(None);
    }
    let mut what = update(sight.kind, row, cells, mark, None);
    if let What::UpdateRow {
        microsoft: told, ..
    } = &mut what
    {
        *told = microsoft;
    }
    Ok(Some(Write::of(what)))
}

/// S17: an opportunity that was made of a linked lead carries on with it, so its switch is on, however the CRM filled it in. None when it is.
pub(super) fn switch_on(run: &Run<'_>, sight: &Sight) -> Option<Write> {
    let row = sight.row.as_ref().filter(|_| run.notes.moved)?;
    // A colleague may have closed it in the meantime (S16).
    if !sight.row_is_open() {
        return None;
    }
    let gate = run.set.needs().column(sight.kind.table(), Role::Gate)?;
    let is_on = row.seen.row.cells.get(gate) == Some(&Cell::Bool(true));
    let on = Cells::from([(gate.to_owned(), Cell::Bool(true))]);
    (!is_on).then(|| Write::of(update(sight.kind, row, on, None, None)))
}

/// A write of these columns to the deal's row, under the version that was seen.
pub(super) fn update(
    kind: RecordKind,
    row: &Looked,
    cells: Cells,
    mark: Option<String>,
    closing: Option<RowState>,
) -> What {
    let held = &row.seen.row.cells;
    What::UpdateRow {
        kind,
        id: row.seen.row.id.clone(),
        held: cells
            .keys()
            .filter_map(|column| Some((column.clone(), held.get(column)?.clone())))
            .collect(),
        cells,
        version: row.version.clone(),
        mark,
        closing,
        microsoft: None,
        failure: false,
    }
}

/// What the audit column is told with a write.
#[derive(Clone, Copy)]
pub(super) struct Told<'a> {
    /// What the write is about.
    pub(super) story: &'a str,
    /// A write before it invites Microsoft.
    pub(super) invites: bool,
}

/// Adds to a write what rides along: facts, audit line, mark. Returns the mark that the name gets, if it changes.
pub(super) async fn ride_along(
    run: &Run<'_>,
    reading: &Reading,
    kind: RecordKind,
    seen: &Seen,
    cells: &mut Cells,
    told: Told<'_>,
) -> Result<Option<String>, Trouble> {
    let facts = facts(run, reading, &seen.row);
    let identifier = run.set.needs().column(&seen.row.table, Role::Identifier);
    let is_new = identifier.is_some_and(|column| facts.contains_key(column));
    cells.extend(facts);
    let line = line(
        run,
        &if is_new {
            first_story(reading, told)
        } else {
            told.story.to_owned()
        },
    );
    cells.extend(audit(run, &seen.row, &line));
    put_mark(run, reading, kind, seen, Outcome::InStep, cells).await
}

/// The columns that only Partner Center fills, where the row does not hold them yet.
pub(super) fn facts(run: &Run<'_>, reading: &Reading, row: &Row) -> Cells {
    let Some(facts) = &reading.facts else {
        return Cells::new();
    };
    let values = [
        (Role::Identifier, Some(&facts.id)),
        (Role::Link, Some(&facts.link)),
        (Role::Program, facts.program.as_ref()),
        (Role::MicrosoftId, facts.microsoft_crm_id.as_ref()),
    ];
    let wanted = values.into_iter().filter_map(|(role, value)| {
        let column = run.set.needs().column(&row.table, role)?;
        let cell = Cell::Text(value?.clone());
        let holds = row.cells.get(column).is_some_and(|held| held.same(&cell));
        (!holds).then(|| (column.to_owned(), cell))
    });
    wanted.collect()
}

/// Whether the customer's consent is on record in the row (S24).
pub(super) fn consent_on_record(run: &Run<'_>, row: &Row) -> bool {
    let column = run.set.needs().column(&row.table, Role::Consent);
    column.and_then(|column| row.cells.get(column)) == Some(&Cell::Bool(true))
}

/// A line of the audit column, as Microsoft's connector dates its own.
pub(super) fn line(run: &Run<'_>, story: &str) -> String {
    let now = Timestamp::from_millisecond(run.now()).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{} - {story}.", now.strftime("%Y-%m-%d %H:%M"))
}

/// The audit column with the line on top: when the column is full, the oldest lines fall off.
pub(super) fn audit(run: &Run<'_>, row: &Row, line: &str) -> Cells {
    let Some(column) = run.set.needs().column(&row.table, Role::Audit) else {
        return Cells::new();
    };
    let text = match row.cells.get(column) {
        Some(Cell::Text(before)) if !before.trim().is_empty() => format!("{line}\n{before}"),
        _ => line.to_owned(),
    };
    Cells::from([(column.to_owned(), Cell::Text(text))])
}

/// What a write is about, for the audit column: `value and close date came from Partner Center`.
pub(super) fn story(carries: &[&Carry]) -> String {
    let units: Vec<String> = carries
        .iter()
        .map(|carry| carry.unit.as_text().replace('-', " "))
        .collect();
    match units.split_last() {
        Some((last, [])) => format!("{last} came from Partner Center"),
        Some((last, rest)) => format!("{} and {last} came from Partner Center", rest.join(", ")),
        None => IN_STEP.to_owned(),
    }
}

/// Nothing else to tell.
const IN_STEP: &str = "in step with Partner Center";

/// The first line that a seller reads about a deal: that it is there, and whether Microsoft was asked.
fn first_story(reading: &Reading, told: Told<'_>) -> String {
    let is_there = reading
        .facts
        .as_ref()
        .is_some_and(|facts| facts.microsoft.is_some());
    let there = if told.invites || is_there {
        "the deal is in Partner Center and Microsoft is invited"
    } else {
        "the deal is in Partner Center"
    };
    match told.story {
        IN_STEP => there.to_owned(),
        more => format!("{there}; {more}"),
    }
}

/// What the plugins want before the name; no mark when nobody answers.
pub(super) async fn mark(
    run: &Run<'_>,
    kind: RecordKind,
    reading: &Reading,
    outcome: Outcome,
    name: &str,
) -> Result<String, Trouble> {
    let state = [&reading.crm.units, &reading.partner_center]
        .into_iter()
        .find_map(|units| match units.get(&Unit::State) {
            Some(UnitValue::State(state)) => Some(state.clone()),
            _ => None,
        });
    let state = state.unwrap_or(DealState {
        standing: Standing::Accepted,
        reason: None,
    });
    let report = Report {
        kind,
        outcome,
        name: name.to_owned(),
        state,
    };
    Ok(rounds!(run, "decorate.mark", |asking| run
        .set
        .mark(&asking, report.clone()))?
    .map(|spoken| spoken.value)
    .unwrap_or_default())
}

/// Marks stand before the names of opportunities: the name of a lead is put together by the CRM from the person's, and nobody writes it.
const fn is_marked(kind: RecordKind) -> bool {
    matches!(kind, RecordKind::Opportunity)
}

async fn put_mark(
    run: &Run<'_>,
    reading: &Reading,
    kind: RecordKind,
    seen: &Seen,
    outcome: Outcome,
    cells: &mut Cells,
) -> Result<Option<String>, Trouble> {
    if !is_marked(kind) {
        return Ok(None);
    }
    let primary = run.name_column(kind.table()).await?;
    let held = name_of(run, seen).await?;
    let name = match cells.get(&primary) {
        Some(Cell::Text(name)) => name.clone(),
        _ => held,
    };
    let mark = mark(run, kind, reading, outcome, &name).await?;
    if cells.contains_key(&primary) || run.link.mark.as_deref().unwrap_or_default() != mark {
        cells.insert(primary, Cell::Text(put(&name, &mark)));
        return Ok(Some(mark));
    }
    Ok(None)
}

async fn name_of(run: &Run<'_>, seen: &Seen) -> Result<String, Trouble> {
    let primary = run.name_column(&seen.row.table).await?;
    Ok(match seen.row.cells.get(&primary) {
        Some(Cell::Text(name)) => name.clone(),
        _ => String::new(),
    })
}

fn is_closed(reading: &Reading) -> bool {
    matches!(reading.crm.units.get(&Unit::State), Some(UnitValue::State(state)) if state.standing.is_closed())
}

fn microsoft_stands(reading: &Reading) -> Option<String> {
    let microsoft = reading.facts.as_ref()?.microsoft.as_ref()?;
    Some(microsoft.state.standing.as_str().to_owned())
}

/// Shows a failure where the seller looks: a cross before the name, and a line in the audit column. Once per distinct failure (S26). A
/// CRM that cannot be written just now is no second failure.
pub async fn tell_failure(run: &mut Run<'_>, reasons: &str) {
    let list = reasons_of(reasons);
    let detail = serde_json::from_str(reasons).unwrap_or_default();
    run.tell("park", sentences(&list), &detail);
    if let Err(trouble) = cross(run, &list).await {
        warn!(error = %mask(&trouble.to_string()), "the failure could not be shown in the CRM; it stands in our own audit");
    }
}

async fn cross(run: &mut Run<'_>, reasons: &[Reason]) -> Result<(), Trouble> {
    let kind = look::kind(run);
    let of_bell = run
        .members
        .iter()
        .find(|member| member.side == Side::Crm.as_str() && member.kind == kind.table());
    let row = run
        .link
        .crm_row
        .clone()
        .or_else(|| of_bell.map(|member| member.id.clone()));
    // A write whose outcome is unknown comes first; the next run resolves it.
    let (Some(id), None) = (row, &run.intent) else {
        return Ok(());
    };
    let row = fetch(run, kind, &id).await?;
    // A closed row is read-only; the failure stands in our own audit (S16).
    let sight = Sight::of_row(row.clone(), kind);
    if !sight.row_is_open() {
        return Ok(());
    }
    let seen = without_mark(run, &row.seen).await?;
    let reading = Reading::of_row(seen.clone());
    let name = name_of(run, &seen).await?;
    let deal = if name.is_empty() {
        format!("this {} is", kind.table())
    } else {
        format!("\"{name}\" is")
    };
    let why = sentences(reasons);
    let line = line(
        run,
        &format!(
            "{deal} not in step: {}. Once that is mended, save it again",
            why.trim_end_matches('.')
        ),
    );
    let mut cells = audit(run, &seen.row, &line);
    let failed = Outcome::Failed(reasons.to_vec());
    let mark = put_mark(run, &reading, kind, &seen, failed, &mut cells).await?;
    if cells.is_empty() {
        return Ok(());
    }
    run.link.crm_table = Some(kind.table().to_owned());
    run.link.crm_row = Some(id);
    let mut what = update(kind, &row, cells, mark, None);
    if let What::UpdateRow { failure, .. } = &mut what {
        *failure = true;
    }
    let script = Script {
        writes: vec![Write::of(what)],
        then: Vec::new(),
    };
    act(run, &sight, script).await
}
