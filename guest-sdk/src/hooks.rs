//! A trait per hook. Every function has a default that says nothing; the documentation of each is that of the contract.

use crate::bindings;
use crate::context::Settings;
use crate::types::{
    Arrival, Candidate, Cell, Change, ContactQuestion, Context, CountryOrder, Deal, DealState,
    Example, Fact, Need, Order, PluginManifest, Reason, Report, Resolution, Row, RowState, Search,
    Seen, Setting, Stop, Verdict,
};

/// An answer, or the reason why there is none.
pub type Answer<T> = Result<T, Stop>;

/// What every plugin says: who it is, and what it needs.
pub trait Plugin {
    /// Asked first, once per load. Constant.
    fn manifest() -> PluginManifest;

    /// Everything the plugin reads, joins, writes, asks for and brings along, under the operator's settings (already checked
    /// against the manifest, defaults filled in). Reasons, when the settings contradict each other.
    fn describe(settings: Settings<'_>) -> Result<Vec<Need>, Vec<Reason>>;
}

/// Golden examples, asked when the plugin is loaded; one that fails keeps it out of service.
pub trait Examples {
    /// See [`Example`].
    fn cases() -> Vec<Example>;
}

/// Whether a deal is kept in step, and as what.
pub trait ShouldSync {
    /// Asked before anything else, for every deal, every time. `None` leaves what the plugins before decided.
    fn decide(ctx: &Context, arrival: &Arrival, draft: Option<&Verdict>)
    -> Answer<Option<Verdict>>;
}

/// Between a deal and an opportunity row.
#[allow(unused_variables, reason = "the defaults say nothing")]
pub trait Opportunity {
    /// What this row says about the deal. `draft` holds the facts of the plugins before.
    fn to_deal(ctx: &Context, seen: &Seen, draft: &[Fact]) -> Answer<Vec<Fact>> {
        Ok(Vec::new())
    }

    /// What the row should look like, for the whole deal. `draft` holds the cells of the plugins before.
    fn to_row(ctx: &Context, order: &Order, draft: &[Cell]) -> Answer<Vec<Change>> {
        Ok(Vec::new())
    }
}

/// Between a deal that nobody accepted yet and a lead row.
#[allow(unused_variables, reason = "the defaults say nothing")]
pub trait Lead {
    /// As [`Opportunity::to_deal`].
    fn to_deal(ctx: &Context, seen: &Seen, draft: &[Fact]) -> Answer<Vec<Fact>> {
        Ok(Vec::new())
    }

    /// As [`Opportunity::to_row`].
    fn to_row(ctx: &Context, order: &Order, draft: &[Cell]) -> Answer<Vec<Change>> {
        Ok(Vec::new())
    }
}

/// Between ISO 3166-1 alpha-2 and however the organisation keeps a country.
#[allow(unused_variables, reason = "the defaults say nothing")]
pub trait Country {
    /// The alpha-2 code; `None` leaves the draft.
    fn to_deal(ctx: &Context, seen: &Seen, draft: Option<&str>) -> Answer<Option<String>> {
        Ok(None)
    }

    /// How the row with the address keeps this country.
    fn to_row(ctx: &Context, order: &CountryOrder, draft: &[Cell]) -> Answer<Vec<Change>> {
        Ok(Vec::new())
    }
}

/// Between where a deal stands and the state and status reason of its row.
#[allow(unused_variables, reason = "the defaults say nothing")]
pub trait Status {
    /// Where this row says the deal stands; `None` leaves the draft.
    fn to_deal(ctx: &Context, seen: &Seen, draft: Option<&DealState>) -> Answer<Option<DealState>> {
        Ok(None)
    }

    /// Which state and status reason the row should have.
    fn to_row(ctx: &Context, order: &Order, draft: Option<&RowState>) -> Answer<Option<RowState>> {
        Ok(None)
    }
}

/// Which account the customer is, and what a new one looks like.
#[allow(unused_variables, reason = "the defaults say nothing")]
pub trait Account {
    /// Which accounts could it be? The whole new list, or `None` to leave the draft.
    fn searches(ctx: &Context, deal: &Deal, draft: &[Search]) -> Answer<Option<Vec<Search>>> {
        Ok(None)
    }

    /// Which one is it? `candidates` holds every row found, once, and may be empty.
    fn choose(
        ctx: &Context,
        deal: &Deal,
        candidates: &[Candidate],
        draft: Option<&Resolution>,
    ) -> Answer<Option<Resolution>> {
        Ok(None)
    }

    /// Columns of the account; `existing` is `None` for a new one.
    fn to_row(
        ctx: &Context,
        deal: &Deal,
        existing: Option<&Row>,
        draft: &[Cell],
    ) -> Answer<Vec<Change>> {
        Ok(Vec::new())
    }
}

/// Which contact rows the people at the customer are. Asked for each person.
#[allow(unused_variables, reason = "the defaults say nothing")]
pub trait Contact {
    /// As [`Account::searches`].
    fn searches(
        ctx: &Context,
        question: &ContactQuestion,
        draft: &[Search],
    ) -> Answer<Option<Vec<Search>>> {
        Ok(None)
    }

    /// As [`Account::choose`].
    fn choose(
        ctx: &Context,
        question: &ContactQuestion,
        candidates: &[Candidate],
        draft: Option<&Resolution>,
    ) -> Answer<Option<Resolution>> {
        Ok(None)
    }

    /// As [`Account::to_row`].
    fn to_row(
        ctx: &Context,
        question: &ContactQuestion,
        existing: Option<&Row>,
        draft: &[Cell],
    ) -> Answer<Vec<Change>> {
        Ok(Vec::new())
    }
}

/// The mark that people see before an opportunity's name.
pub trait Decorate {
    /// The mark; `None` leaves the draft, the empty text is no mark.
    fn mark(ctx: &Context, report: &Report, draft: Option<&str>) -> Answer<Option<String>>;
}

// The generated traits take their arguments by value and have no defaults; these bridges are all there is between the two.

impl<P: Plugin> bindings::plugin::exports::cosell::mapping::plugin::Guest for P {
    fn manifest() -> PluginManifest {
        P::manifest()
    }

    fn describe(settings: Vec<Setting>) -> Result<Vec<Need>, Vec<Reason>> {
        P::describe(Settings::from(settings.as_slice()))
    }
}

impl<P: Examples> bindings::examples::exports::cosell::mapping::examples::Guest for P {
    fn cases() -> Vec<Example> {
        P::cases()
    }
}

impl<P: ShouldSync> bindings::should_sync::exports::cosell::mapping::should_sync::Guest for P {
    fn decide(ctx: Context, arrival: Arrival, draft: Option<Verdict>) -> Answer<Option<Verdict>> {
        P::decide(&ctx, &arrival, draft.as_ref())
    }
}

impl<P: Opportunity> bindings::opportunity::exports::cosell::mapping::opportunity::Guest for P {
    fn to_deal(ctx: Context, seen: Seen, draft: Vec<Fact>) -> Answer<Vec<Fact>> {
        P::to_deal(&ctx, &seen, &draft)
    }

    fn to_row(ctx: Context, order: Order, draft: Vec<Cell>) -> Answer<Vec<Change>> {
        P::to_row(&ctx, &order, &draft)
    }
}

impl<P: Lead> bindings::lead::exports::cosell::mapping::lead::Guest for P {
    fn to_deal(ctx: Context, seen: Seen, draft: Vec<Fact>) -> Answer<Vec<Fact>> {
        P::to_deal(&ctx, &seen, &draft)
    }

    fn to_row(ctx: Context, order: Order, draft: Vec<Cell>) -> Answer<Vec<Change>> {
        P::to_row(&ctx, &order, &draft)
    }
}

impl<P: Country> bindings::country::exports::cosell::mapping::country::Guest for P {
    fn to_deal(ctx: Context, seen: Seen, draft: Option<String>) -> Answer<Option<String>> {
        P::to_deal(&ctx, &seen, draft.as_deref())
    }

    fn to_row(ctx: Context, order: CountryOrder, draft: Vec<Cell>) -> Answer<Vec<Change>> {
        P::to_row(&ctx, &order, &draft)
    }
}

impl<P: Status> bindings::status::exports::cosell::mapping::status::Guest for P {
    fn to_deal(ctx: Context, seen: Seen, draft: Option<DealState>) -> Answer<Option<DealState>> {
        P::to_deal(&ctx, &seen, draft.as_ref())
    }

    fn to_row(ctx: Context, order: Order, draft: Option<RowState>) -> Answer<Option<RowState>> {
        P::to_row(&ctx, &order, draft.as_ref())
    }
}

impl<P: Account> bindings::account::exports::cosell::mapping::account::Guest for P {
    fn searches(ctx: Context, deal: Deal, draft: Vec<Search>) -> Answer<Option<Vec<Search>>> {
        P::searches(&ctx, &deal, &draft)
    }

    fn choose(
        ctx: Context,
        deal: Deal,
        candidates: Vec<Candidate>,
        draft: Option<Resolution>,
    ) -> Answer<Option<Resolution>> {
        P::choose(&ctx, &deal, &candidates, draft.as_ref())
    }

    fn to_row(
        ctx: Context,
        deal: Deal,
        existing: Option<Row>,
        draft: Vec<Cell>,
    ) -> Answer<Vec<Change>> {
        P::to_row(&ctx, &deal, existing.as_ref(), &draft)
    }
}

impl<P: Contact> bindings::contact::exports::cosell::mapping::contact::Guest for P {
    fn searches(
        ctx: Context,
        question: ContactQuestion,
        draft: Vec<Search>,
    ) -> Answer<Option<Vec<Search>>> {
        P::searches(&ctx, &question, &draft)
    }

    fn choose(
        ctx: Context,
        question: ContactQuestion,
        candidates: Vec<Candidate>,
        draft: Option<Resolution>,
    ) -> Answer<Option<Resolution>> {
        P::choose(&ctx, &question, &candidates, draft.as_ref())
    }

    fn to_row(
        ctx: Context,
        question: ContactQuestion,
        existing: Option<Row>,
        draft: Vec<Cell>,
    ) -> Answer<Vec<Change>> {
        P::to_row(&ctx, &question, existing.as_ref(), &draft)
    }
}

impl<P: Decorate> bindings::decorate::exports::cosell::mapping::decorate::Guest for P {
    fn mark(ctx: Context, report: Report, draft: Option<String>) -> Answer<Option<String>> {
        P::mark(&ctx, &report, draft.as_deref())
    }
}
