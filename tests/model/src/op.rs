//! What happens in a history, as data: one word each, so that a failing history fits a line.

use std::fmt;
use std::str::FromStr;

use cosell_simulator::Service;

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Somebody does something.
    Act(Act),
    /// So many webhooks arrive, oldest first.
    Deliver(u8),
    /// One webhook overtakes so many that were sent before it.
    Overtake(u8),
    /// The last so many that have arrived arrive once more.
    Again(u8),
    /// So many webhooks are lost, oldest first.
    Lose(u8),
    /// The host sweeps Partner Center (true) or the CRM.
    Sweep(bool),
    /// The host works on so many due lanes, one after the other.
    Run(u8),
    /// The host works on two due lanes at once, call by call in turn.
    Together,
    /// All webhooks arrive, and the host works until no lane is due.
    Calm,
    /// So many seconds pass.
    Wait(u32),
    /// The store's clock steps by so many seconds, forwards or back; nothing else in the world does.
    Step(i32),
    /// Something happens at one of the next calls of the host.
    At(When, What),
    /// The power fails at the so-manieth of the next requests to the store: before it, or after its commit.
    Cut(u8, bool),
    /// The host is started anew.
    Restart,
    /// Hosts that stand still go on.
    Thaw,
    /// Another set of plugins is put into service.
    Swap(u8),
    /// All access tokens are revoked.
    Revoke,
    /// The CRM's change tokens die of age.
    Expire,
    /// Who wins a conflict from now on; the host is started anew with it.
    Policy(Policy),
    /// Whether every customer's consent is declared; the host is started anew with it.
    Consent(bool),
    /// Seconds that a new deal is left in peace; the host is started anew with it.
    Quiet(u8),
    /// When a kind of write that cannot be taken back may go; the host is started anew with it.
    Hold(Kind, HoldFor),
    /// A person releases the so-manieth open hold, or cancels it.
    Decide(u8, bool),
    /// A person answers the so-manieth open card with the so-manieth of its choices.
    Answer(u8, u8),
    /// A person orders another try of everything that is parked.
    Retry,
    /// A person looks at what the host would do; nothing may come of it.
    Preview,
    /// What becomes of linked deals when the mapping changes; the host is started anew with it.
    Mapping(Delta),
}

/// A kind of write that cannot be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Microsoft's sellers see the deal.
    Visibility,
    /// Microsoft is invited.
    Help,
    /// The customer's people leave the CRM.
    Contacts,
    /// Won in Partner Center.
    Won,
    /// Lost in Partner Center.
    Lost,
}

/// When such a write may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldFor {
    /// At once.
    Nobody,
    /// After a minute.
    AMinute,
    /// When a person says so.
    APerson,
}

/// What becomes of deals that were linked under the mapping before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delta {
    /// Nothing.
    New,
    /// With the next edit.
    Edit,
    /// At once.
    All,
}

/// What somebody does to a deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Act {
    /// Which deal of the history.
    pub deal: u8,
    /// What.
    pub deed: Deed,
}

/// A deed of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A seller creates an opportunity.
    Create(Birth),
    /// A seller changes a field.
    Crm(Field, u8),
    /// A seller wins, loses, reopens or deletes it.
    CrmState(Fate),
    /// A partner's user creates the deal in the portal.
    PortalCreate,
    /// A referral arrives from Microsoft.
    Arrive,
    /// A partner's user changes a field in the portal.
    Portal(Field, u8),
    /// A partner's user accepts, declines, wins or loses it in the portal.
    PortalState(Fate),
    /// Microsoft accepts, declines, wins or loses its own referral.
    Microsoft(Fate),
    /// The service account loses sight of the referral (true), or sees it again.
    Hide(bool),
}

/// How an opportunity is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Birth {
    /// Everything in one save, its solution in the next.
    Whole,
    /// The same, and help is asked.
    Helped,
    /// Without a solution: it has to be completed.
    Draft,
    /// With sync switched off.
    Off,
    /// Not an opportunity yet, but a lead.
    Lead,
}

/// A field that people change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// Amount.
    Value,
    /// Close date.
    Date,
    /// Notes.
    Notes,
    /// Name.
    Name,
    /// Help asked from Microsoft.
    Help,
    /// Visible to Microsoft's sellers.
    Visible,
    /// A solution: added if it is not there, else removed.
    Solution,
    /// The contact at the customer.
    Contact,
    /// The seller's switch.
    Switch,
}

/// What becomes of a deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Accepted, or opened again.
    Open,
    /// Won.
    Won,
    /// Lost.
    Lost,
    /// Declined.
    Declined,
    /// Its row is deleted.
    Deleted,
}

/// Which call of the host: the so-manieth (from 1) of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    /// Calls of this service only.
    pub service: Option<Service>,
    /// Calls that may change something only.
    pub writes: bool,
    /// Which of them, from 1.
    pub nth: u8,
}

/// What happens at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The service answers with a status, and has done nothing.
    Answer(u16),
    /// The service does what it was asked, and answers 500.
    DoneBut500,
    /// No connection.
    NoConnection,
    /// The connection breaks before the service has heard of it.
    CutBefore,
    /// The connection breaks after the service has done what it was asked.
    CutAfter,
    /// The power fails before the call.
    CrashBefore,
    /// The power fails after the service has done what it was asked.
    CrashAfter,
    /// The connection breaks, and the service hears of the call only after so many others.
    Late(u8),
    /// The power fails, and the service hears of the call only after so many others.
    CrashLate(u8),
    /// The process stands still before the call, for longer than its lease; another one works meanwhile.
    Freeze,
    /// Somebody does something just before the call.
    Meanwhile(Act),
}

/// Who wins when both sides have changed a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// A person is asked.
    Ask,
    /// Partner Center.
    PartnerCenter,
    /// The CRM.
    Crm,
    /// The later one, as the host saw them.
    Newest,
}

/// Words of an enum, both ways.
macro_rules! words {
    ($kind:ty { $($variant:ident = $word:literal),* $(,)? }) => {
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word),* })
            }
        }
        impl FromStr for $kind {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                match text { $($word => Ok(Self::$variant),)* _ => Err(format!("\"{text}\" is none of: {}", [$($word),*].join(", "))) }
            }
        }
    };
}

words!(Birth { Whole = "whole", Helped = "helped", Draft = "draft", Off = "off", Lead = "lead" });
words!(Kind { Visibility = "visibility", Help = "help", Contacts = "contacts", Won = "won", Lost = "lost" });
words!(HoldFor { Nobody = "nobody", AMinute = "a-minute", APerson = "a-person" });
words!(Delta { New = "new", Edit = "edit", All = "all" });
words!(Field {
    Value = "value", Date = "date", Notes = "notes", Name = "name", Help = "help", Visible = "visible", Solution = "solution",
    Contact = "contact", Switch = "switch",
});
words!(Fate { Open = "open", Won = "won", Lost = "lost", Declined = "declined", Deleted = "deleted" });
words!(Policy { Ask = "ask", PartnerCenter = "partner-center", Crm = "crm", Newest = "newest" });

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let deal = self.deal;
        match self.deed {
            Deed::Create(birth) => write!(f, "create.{deal}.{birth}"),
            Deed::Crm(field, value) => write!(f, "crm.{deal}.{field}.{value}"),
            Deed::CrmState(fate) => write!(f, "crm.{deal}.{fate}"),
            Deed::PortalCreate => write!(f, "found.{deal}"),
            Deed::Arrive => write!(f, "arrive.{deal}"),
            Deed::Portal(field, value) => write!(f, "portal.{deal}.{field}.{value}"),
            Deed::PortalState(fate) => write!(f, "portal.{deal}.{fate}"),
            Deed::Microsoft(fate) => write!(f, "microsoft.{deal}.{fate}"),
            Deed::Hide(true) => write!(f, "hide.{deal}"),
            Deed::Hide(false) => write!(f, "show.{deal}"),
        }
    }
}

impl FromStr for Act {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('.').collect();
        let deed = match parts.as_slice() {
            ["create", _, birth] => Deed::Create(birth.parse()?),
            ["crm", _, field, value] => Deed::Crm(field.parse()?, number(value)?),
            ["crm", _, fate] => Deed::CrmState(fate.parse()?),
            ["found", _] => Deed::PortalCreate,
            ["arrive", _] => Deed::Arrive,
            ["portal", _, field, value] => Deed::Portal(field.parse()?, number(value)?),
            ["portal", _, fate] => Deed::PortalState(fate.parse()?),
            ["microsoft", _, fate] => Deed::Microsoft(fate.parse()?),
            ["hide", _] => Deed::Hide(true),
            ["show", _] => Deed::Hide(false),
            _ => return Err(format!("\"{text}\" is no act")),
        };
        let deal = number(parts.get(1).copied().unwrap_or_default())?;
        Ok(Self { deal, deed })
    }
}

fn number<N: FromStr>(text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("\"{text}\" is no number"))
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = match self.service {
            None => "any",
            Some(Service::Dataverse) => "crm",
            Some(Service::Entra) => "entra",
            Some(_) => "pc",
        };
        let writes = if self.writes { "!" } else { "" };
        write!(f, "{service}{writes}{}", self.nth)
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
        let words = text.strip_suffix(digits).unwrap_or(text);
        let (word, writes) = match words.strip_suffix('!') {
            Some(word) => (word, true),
            None => (words, false),
        };
        let service = match word {
            "any" => None,
            "crm" => Some(Service::Dataverse),
            "pc" => Some(Service::Referrals),
            "entra" => Some(Service::Entra),
            _ => return Err(format!("\"{word}\" is no service")),
        };
        Ok(Self {
            service,
            writes,
            nth: number(digits)?,
        })
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(status) => write!(f, "{status}"),
            Self::DoneBut500 => f.write_str("done-but-500"),
            Self::NoConnection => f.write_str("no-connection"),
            Self::CutBefore => f.write_str("cut-before"),
            Self::CutAfter => f.write_str("cut-after"),
            Self::CrashBefore => f.write_str("crash-before"),
            Self::CrashAfter => f.write_str("crash-after"),
            Self::Late(calls) => write!(f, "late.{calls}"),
            Self::CrashLate(calls) => write!(f, "crash-late.{calls}"),
            Self::Freeze => f.write_str("freeze"),
            Self::Meanwhile(act) => act.fmt(f),
        }
    }
}

impl FromStr for What {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "done-but-500" => Self::DoneBut500,
            "no-connection" => Self::NoConnection,
            "cut-before" => Self::CutBefore,
            "cut-after" => Self::CutAfter,
            "crash-before" => Self::CrashBefore,
            "crash-after" => Self::CrashAfter,
            "freeze" => Self::Freeze,
            _ => match (text.split_once('.'), text.parse()) {
                (Some(("late", calls)), _) => Self::Late(number(calls)?),
                (Some(("crash-late", calls)), _) => Self::CrashLate(number(calls)?),
                (_, Ok(status)) => Self::Answer(status),
                (_, Err(_)) => Self::Meanwhile(text.parse()?),
            },
        })
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Act(act) => act.fmt(f),
            Self::Deliver(count) => write!(f, "deliver.{count}"),
            Self::Overtake(count) => write!(f, "overtake.{count}"),
            Self::Again(count) => write!(f, "again.{count}"),
            Self::Lose(count) => write!(f, "lose.{count}"),
            Self::Sweep(true) => f.write_str("sweep.pc"),
            Self::Sweep(false) => f.write_str("sweep.crm"),
            Self::Run(count) => write!(f, "run.{count}"),
            Self::Together => f.write_str("together"),
            Self::Calm => f.write_str("calm"),
            Self::Wait(seconds) => write!(f, "wait.{seconds}"),
            Self::Step(seconds) => write!(f, "step.{seconds}"),
            Self::At(when, what) => write!(f, "at.{when}.{what}"),
            Self::Cut(nth, true) => write!(f, "cut.{nth}.after"),
            Self::Cut(nth, false) => write!(f, "cut.{nth}.before"),
            Self::Restart => f.write_str("restart"),
            Self::Thaw => f.write_str("thaw"),
            Self::Swap(set) => write!(f, "swap.{set}"),
            Self::Revoke => f.write_str("revoke"),
            Self::Expire => f.write_str("expire"),
            Self::Policy(policy) => write!(f, "policy.{policy}"),
            Self::Consent(true) => f.write_str("consent.declared"),
            Self::Consent(false) => f.write_str("consent.none"),
            Self::Quiet(seconds) => write!(f, "quiet.{seconds}"),
            Self::Hold(kind, until) => write!(f, "hold.{kind}.{until}"),
            Self::Decide(nth, true) => write!(f, "release.{nth}"),
            Self::Decide(nth, false) => write!(f, "cancel.{nth}"),
            Self::Answer(nth, choice) => write!(f, "answer.{nth}.{choice}"),
            Self::Retry => f.write_str("retry"),
            Self::Preview => f.write_str("preview"),
            Self::Mapping(delta) => write!(f, "mapping.{delta}"),
        }
    }
}

impl FromStr for Op {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.splitn(3, '.').collect();
        Ok(match parts.as_slice() {
            ["deliver", count] => Self::Deliver(number(count)?),
            ["overtake", count] => Self::Overtake(number(count)?),
            ["again", count] => Self::Again(number(count)?),
            ["lose", count] => Self::Lose(number(count)?),
            ["sweep", "pc"] => Self::Sweep(true),
            ["sweep", "crm"] => Self::Sweep(false),
            ["run", count] => Self::Run(number(count)?),
            ["together"] => Self::Together,
            ["calm"] => Self::Calm,
            ["wait", seconds] => Self::Wait(number(seconds)?),
            ["step", seconds] => Self::Step(number(seconds)?),
            ["at", when, what] => Self::At(when.parse()?, what.parse()?),
            ["cut", nth, "after"] => Self::Cut(number(nth)?, true),
            ["cut", nth, "before"] => Self::Cut(number(nth)?, false),
            ["restart"] => Self::Restart,
            ["thaw"] => Self::Thaw,
            ["swap", set] => Self::Swap(number(set)?),
            ["revoke"] => Self::Revoke,
            ["expire"] => Self::Expire,
            ["policy", policy] => Self::Policy(policy.parse()?),
            ["consent", "declared"] => Self::Consent(true),
            ["consent", "none"] => Self::Consent(false),
            ["quiet", seconds] => Self::Quiet(number(seconds)?),
            ["hold", kind, until] => Self::Hold(kind.parse()?, until.parse()?),
            ["release", nth] => Self::Decide(number(nth)?, true),
            ["cancel", nth] => Self::Decide(number(nth)?, false),
            ["answer", nth, choice] => Self::Answer(number(nth)?, number(choice)?),
            ["retry"] => Self::Retry,
            ["preview"] => Self::Preview,
            ["mapping", delta] => Self::Mapping(delta.parse()?),
            _ => Self::Act(text.parse()?),
        })
    }
}

/// A history as one line.
#[must_use]
pub fn line(ops: &[Op]) -> String {
    ops.iter().map(Op::to_string).collect::<Vec<_>>().join(" ")
}

/// Reads what [`line()`] wrote.
///
/// # Errors
/// Which word is none.
pub fn parse(line: &str) -> Result<Vec<Op>, String> {
    line.split_whitespace().map(str::parse).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_read_as_it_is_printed() {
        let text = "hold.help.a-person hold.won.a-minute release.0 cancel.1 answer.0.1 retry preview mapping.all create.2.lead \
                    policy.newest consent.none quiet.60 hide.0 show.0 crm.0.contact.1 create.0.helped deliver.2 run.3 crm.0.notes.4 at.crm!1.portal.0.value.2 at.pc2.429 \
                    at.any3.crash-after at.crm!1.late.3 at.pc!1.crash-late.2 at.crm2.freeze thaw cut.7.before overtake.1 again.2 lose.1 sweep.pc sweep.crm together calm wait.60 restart swap.1 \
                    revoke expire found.1 arrive.2 portal.2.open microsoft.0.won crm.0.deleted";
        assert_eq!(line(&parse(text).unwrap()), text);
        assert!(parse("run.x").is_err() && parse("at.crm1.sleep").is_err());
    }
}
