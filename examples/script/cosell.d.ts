// Written by `cargo xtask typings` from wit/. The contract in TypeScript, as scripts of the plugin folder and components in JavaScript see it.
// Errors are thrown: `throw { tag: "refuse", val: [{ code, message }] }`, any `Stop`.
declare namespace cosell {
  /**
   * A calendar day, `2026-09-30`. No time, no zone.
   */
  type IsoDate = string;
  /**
   * A moment in UTC, `2026-09-30T14:05:00Z`. Up to seven fractional digits may follow the seconds.
   */
  type IsoTimestamp = string;
  /**
   * An exact number, `-?[0-9]+(\.[0-9]+)?`. No exponent, no grouping, a point and never a comma. Parse it with a decimal type;
   * a binary float would turn money into almost-money.
   */
  type DecimalText = string;
  /**
   * An amount in one currency. `currency` is the ISO 4217 code, `EUR`.
   */
  interface Money {
    amount: DecimalText;
    currency: string;
  }
  /**
   * One option of a choice, state or status column. `label` is what the CRM shows for it; the host fills it in when it reads
   * and ignores it when it writes. Codes are stable, labels are translated: compare codes where you can.
   */
  interface Choice {
    code: number;
    label?: string;
  }
  /**
   * A row, named. `table` is the logical name (`account`), so a column that may point to several tables (customer, owner)
   * needs nothing more: the host finds the navigation property. `name` is filled in on reading and ignored on writing.
   */
  interface Reference {
    table: string;
    id: string;
    name?: string;
  }
  /**
   * One column of a row key and its value, written as text. The host reads the text by the column's own type.
   */
  type KeyPart = [string, string];
  /**
   * What the host does when no row has the key.
   */
  type IfMissing = "refuse" | "leave-out";
  /**
   * "The one row of `table` where every part matches." The host resolves it when it writes: by alternate key where the CRM
   * has one, else by a cached query. More than one such row always stops the write, with a reason.
   */
  interface RowKey {
    table: string;
    parts: KeyPart[];
    ifMissing: IfMissing;
  }
  /**
   * What a CRM column holds. The host converts to and from the column's own type, which it knows from the CRM's metadata. A
   * value of the wrong kind stops the write with a message that names the column, both types and your plugin. Money is
   * rounded to the column's precision; multi-line text that is too long is cut and the deal's history says so; any other text
   * that is too long stops the write.
   */
  type Value =
    /**
     * Nothing. On writing: empty the column.
     */
    | { tag: "empty" }
    /**
     * Single and multi-line text, and unique identifiers.
     */
    | { tag: "text"; val: string }
    /**
     * Whole number column.
     */
    | { tag: "integer"; val: number }
    /**
     * Decimal, floating point and big whole number columns.
     */
    | { tag: "decimal"; val: DecimalText }
    /**
     * Currency column. On reading it carries the currency of its row. On writing the host also sets the row's currency; two
     * currencies in one row are an error. Write `decimal` to keep whatever currency the row has.
     */
    | { tag: "money"; val: Money }
    /**
     * Yes/no column.
     */
    | { tag: "boolean"; val: boolean }
    /**
     * Date-only column.
     */
    | { tag: "date"; val: IsoDate }
    /**
     * Date-and-time column.
     */
    | { tag: "timestamp"; val: IsoTimestamp }
    /**
     * Choice, state or status column.
     */
    | { tag: "choice"; val: Choice }
    /**
     * Multi-select choice column.
     */
    | { tag: "choices"; val: Choice[] }
    /**
     * Lookup, customer or owner column.
     */
    | { tag: "reference"; val: Reference }
    /**
     * The same, by key instead of id. Never seen on reading.
     */
    | { tag: "row-where"; val: RowKey }
  ;
  /**
   * A column and what it holds. The column goes by its logical name, `estimatedvalue`, lookups too: `transactioncurrencyid`,
   * never `_transactioncurrencyid_value`.
   */
  type Cell = [string, Value];
  /**
   * A CRM row. `cells` holds the columns that you declared or asked for and no others, sorted by name, `empty` where the CRM
   * holds nothing. Declare little: cells are cheap for a compiled plugin and dear for JavaScript.
   */
  interface Row {
    table: string;
    id: string;
    cells: Cell[];
  }
  /**
   * Rows that came along through one of your joins. `label` is the join's label. No rows, then the list is empty.
   */
  interface Related {
    label: string;
    rows: Row[];
  }
  /**
   * A lead or opportunity as the CRM shows it now, with what your own joins brought.
   */
  interface Seen {
    row: Row;
    related: Related[];
  }
  /**
   * Room to grow: a name and a value that this version of the contract has no place for. Names are documented in the release
   * that introduces them. Ignore what you do not know.
   */
  type Field = [string, Value];
  /**
   * Where a deal stands. Status and substatus of Partner Center in one, because the substatus decides the status.
   */
  type Standing =
    /**
     * New: waits for an answer.
     */
    | { tag: "pending" }
    /**
     * New: seen, not answered.
     */
    | { tag: "received" }
    /**
     * Active.
     */
    | { tag: "accepted" }
    /**
     * Closed, as the next four are. Partner Center lets nobody change a closed deal.
     */
    | { tag: "won" }
    | { tag: "lost" }
    | { tag: "declined" }
    | { tag: "expired" }
    | { tag: "error" }
    /**
     * A substatus that this version does not know, as Partner Center spells it.
     */
    | { tag: "unlisted"; val: string }
  ;
  /**
   * `reason` says why a deal was lost or declined: free text or a code of Partner Center.
   */
  interface DealState {
    standing: Standing;
    reason?: string;
  }
  /**
   * What help the seller asks from Microsoft. Asking makes the deal a co-sell deal and visible, for good.
   */
  type Help =
    | { tag: "workload-value-proposition" }
    | { tag: "technical-architecture" }
    | { tag: "proof-of-concept-or-demo" }
    | { tag: "quotes-or-licensing" }
    | { tag: "post-sales-success" }
    | { tag: "general-or-other" }
    /**
     * A code that this version does not know, as Partner Center spells it.
     */
    | { tag: "unlisted"; val: string }
  ;
  /**
   * `country` is ISO 3166-1 alpha-2, `HU`. `state` and `region` are free text.
   */
  interface Address {
    line1?: string;
    line2?: string;
    city?: string;
    state?: string;
    postalCode?: string;
    region?: string;
    country?: string;
  }
  /**
   * A number that someone gave the company. `scheme`: `duns`, `external` (Microsoft's own account id), or yours.
   */
  interface ExternalId {
    scheme: string;
    id: string;
  }
  /**
   * The customer. Partner Center fixes it when the referral is created. `size` is a bucket as it spells it, `51to250employees`.
   */
  interface Company {
    name: string;
    size?: string;
    address: Address;
    ids: ExternalId[];
    more: Field[];
  }
  /**
   * A contact at the customer, or a member of the sales team.
   */
  interface Person {
    firstName?: string;
    lastName?: string;
    email?: string;
    phone?: string;
    title?: string;
    more: Field[];
  }
  /**
   * A solution that the deal is about. `id` is `SOL-12345-ABC` for a partner's, a GUID for Microsoft's. `kind` is `1P` or `3P`.
   */
  interface Solution {
    id: string;
    name: string;
    kind?: string;
    publisher?: string;
    price?: Money;
    quantity?: DecimalText;
    closeDate?: IsoDate;
    more: Field[];
  }
  /**
   * What kind of referral this is, by Microsoft's own rule (type, qualification and who invited).
   */
  type Category = "marketplace-lead" | "qualified-lead" | "co-sell" | "unclear";
  /**
   * Who sent the referral: `incoming` came to us, `outgoing` is ours.
   */
  type Direction = "incoming" | "outgoing";
  /**
   * The deal as Microsoft's sellers keep it, when they have one.
   */
  interface MicrosoftView {
    state: DealState;
    team: Person[];
    updatedAt?: IsoTimestamp;
    more: Field[];
  }
  /**
   * What only Partner Center decides. Facts to show; nothing here can be changed from a CRM.
   */
  interface Referral {
    id: string;
    engagementId: string;
    /**
     * Where a person can open it.
     */
    link: string;
    category: Category;
    direction: Direction;
    program?: string;
    /**
     * Id of the opportunity in Microsoft's own CRM, once Microsoft has accepted.
     */
    microsoftCrmId?: string;
    /**
     * The PartnerID (MPN) location that owns the deal.
     */
    partnerLocation?: string;
    /**
     * State of the deal registration, as Partner Center spells it.
     */
    registration?: string;
    createdAt: IsoTimestamp;
    updatedAt: IsoTimestamp;
    /**
     * Unanswered at this moment, it expires.
     */
    respondBy?: IsoTimestamp;
    acceptedAt?: IsoTimestamp;
    closedAt?: IsoTimestamp;
    microsoft?: MicrosoftView;
    more: Field[];
  }
  /**
   * The shared language of both sides. A deal always arrives whole.
   */
  interface Deal {
    name: string;
    value?: Money;
    closeDate?: IsoDate;
    notes?: string;
    state: DealState;
    /**
     * `Qualify`, `Develop`, `Propose`, `Close`, or what Partner Center holds.
     */
    salesStage?: string;
    campaign?: string;
    /**
     * Microsoft's sellers can see it. Once true, never false again.
     */
    visibleToMicrosoft: boolean;
    help?: Help;
    company: Company;
    /**
     * People at the customer; the first one is the main contact.
     */
    contacts: Person[];
    /**
     * Our own sellers; the first one is the owner.
     */
    team: Person[];
    solutions: Solution[];
    /**
     * What Partner Center remembers as our id for the deal.
     */
    externalReference?: string;
    /**
     * None until Partner Center knows the deal.
     */
    referral?: Referral;
    more: Field[];
  }
  /**
   * What is compared, carried and refused as one.
   */
  type Unit =
    | { tag: "name" }
    /**
     * Amount and currency.
     */
    | { tag: "value" }
    | { tag: "close-date" }
    | { tag: "notes" }
    /**
     * Standing and its reason.
     */
    | { tag: "state" }
    | { tag: "sales-stage" }
    | { tag: "campaign" }
    | { tag: "visibility" }
    | { tag: "help" }
    | { tag: "company-name" }
    | { tag: "company-size" }
    | { tag: "company-ids" }
    /**
     * With the country.
     */
    | { tag: "address" }
    | { tag: "contacts" }
    | { tag: "team" }
    | { tag: "solutions" }
    | { tag: "external-reference" }
    /**
     * A field of `more`, by its name.
     */
    | { tag: "more"; val: string }
  ;
  /**
   * What becomes of rows under a join that the plugin does not name.
   */
  type Surplus = "keep" | "remove";
  /**
   * A row that should hang from the record. `id` names a row that is already there. Without it the host creates one, and makes
   * its id from `key`, which is yours, stable, and unique under its label (a solution id): writing twice creates one row.
   */
  interface Child {
    key: string;
    id?: string;
    cells: Cell[];
  }
  /**
   * The rows that should hang from the record under one of your joins (`child` or `many`). The host compares them with what is
   * there and creates, updates, links, or removes.
   */
  interface Children {
    label: string;
    rows: Child[];
    surplus: Surplus;
  }
  /**
   * How a column is tested. Text compares without regard to case, as the CRM does it. `%`, `_` and `[` mean themselves.
   */
  type Test =
    | { tag: "equals"; val: Value }
    | { tag: "one-of"; val: Value[] }
    | { tag: "begins-with"; val: string }
    | { tag: "contains"; val: string }
    | { tag: "at-least"; val: Value }
    | { tag: "at-most"; val: Value }
    | { tag: "is-empty" }
    | { tag: "is-filled" }
  ;
  /**
   * One column, tested.
   */
  interface Condition {
    column: string;
    test: Test;
  }
  /**
   * Rows to look for: those of `table` that meet all `conditions`, at most `limit` and never more than 500. `label` is yours;
   * the rows come back under it. Table and columns must be among your `asks`.
   */
  interface Query {
    label: string;
    table: string;
    columns: string[];
    conditions: Condition[];
    limit: number;
  }
  /**
   * The answer to a query. `cut` says that the CRM has more rows than `limit`.
   */
  interface Found {
    label: string;
    rows: Row[];
    cut: boolean;
  }
  /**
   * A column of a table, both by logical name.
   */
  interface ColumnName {
    table: string;
    column: string;
  }
  /**
   * What a reason is about. A deal field is named by its path: `company.address.country`, `contacts[0].email`.
   */
  type Subject =
    | { tag: "deal"; val: string }
    | { tag: "column"; val: ColumnName }
    | { tag: "setting"; val: string }
  ;
  /**
   * Something a person can act on.
   *
   * `code` is for machines and never changes (`country-unknown`). `message` is for the seller, one sentence, in the
   * context's language if you can: what is wrong. `hint` says what to do about it.
   */
  interface Reason {
    code: string;
    message: string;
    about?: Subject;
    hint?: string;
  }
  /**
   * "Not this one, and here is why." The other units go on.
   */
  interface Refusal {
    unit: Unit;
    reason: Reason;
  }
  /**
   * One thing that a CRM row says about the deal.
   *
   * Absent is not empty. A unit about which no plugin states a fact is absent: the host neither compares it nor takes it for
   * emptied. `value(none)` says "kept in this CRM, and empty now". Where the deal stands is the business of the `status` hook.
   */
  type Fact =
    | { tag: "name"; val: string }
    | { tag: "value"; val?: Money }
    | { tag: "close-date"; val?: IsoDate }
    | { tag: "notes"; val?: string }
    | { tag: "sales-stage"; val?: string }
    | { tag: "campaign"; val?: string }
    | { tag: "visibility"; val: boolean }
    | { tag: "help"; val?: Help }
    | { tag: "company-name"; val: string }
    | { tag: "company-size"; val?: string }
    | { tag: "company-ids"; val: ExternalId[] }
    /**
     * `address.country` is the first draft of the `country` hook; `none` is fine.
     */
    | { tag: "address"; val: Address }
    | { tag: "contacts"; val: Person[] }
    | { tag: "team"; val: Person[] }
    | { tag: "solutions"; val: Solution[] }
    /**
     * Our id for the deal. When no plugin states one, the host uses the row's id.
     */
    | { tag: "external-reference"; val?: string }
    | { tag: "more"; val: Field }
    /**
     * Take back what a plugin before you stated: the unit is absent.
     */
    | { tag: "withdraw"; val: Unit }
    /**
     * The row says something about this unit that cannot be read.
     */
    | { tag: "refuse"; val: Refusal }
  ;
  /**
   * One thing to do to a CRM row.
   */
  type Change =
    /**
     * Put this value into this column.
     */
    | { tag: "set"; val: Cell }
    /**
     * Take back what a plugin before you set: the column is left alone.
     */
    | { tag: "withdraw"; val: string }
    /**
     * Only in `opportunity.to-row` and `lead.to-row`.
     */
    | { tag: "children"; val: Children }
    | { tag: "more"; val: Field }
    /**
     * This unit cannot be written. Set none of its columns.
     */
    | { tag: "refuse"; val: Refusal }
  ;
  /**
   * What is being waited for, in one sentence.
   */
  interface Postponement {
    message: string;
    /**
     * Ask again after so long. None: the host decides.
     */
    seconds?: number;
  }
  /**
   * What went wrong inside the plugin. `trace` is a stack, a file and line, whatever helps its author.
   */
  interface Fault {
    message: string;
    trace?: string;
  }
  /**
   * Why there is no answer. This is the error side of every hook, so that `?` (Rust), `throw` (JavaScript) and `raise Err(...)`
   * (Python) leave from anywhere in your code. To have nothing to say is no error: answer `none`, or an empty list.
   */
  type Stop =
    /**
     * I need these rows first. The host fetches them, together with whatever else the deal needs, and asks the same question
     * again with the rows in `context.found`. At most four rounds of ten queries.
     */
    | { tag: "ask"; val: Query[] }
    /**
     * Nothing of this can be answered until a person changes something. The deal is parked with these reasons and tried again
     * when either side changes. To refuse one unit and let the others go on, put `refuse` into the answer instead.
     */
    | { tag: "refuse"; val: Reason[] }
    /**
     * This cannot be done yet and will pass by itself.
     */
    | { tag: "later"; val: Postponement }
    /**
     * I am broken. The host treats it like a trap (panic, out of time, out of memory): the instance is dropped, the input is
     * kept for a replay, and too many of them bring back the version before. It only has better words.
     */
    | { tag: "fault"; val: Fault }
  ;
  /**
   * `texts` is a list, `pairs` a small table (a status code and what it means).
   */
  type SettingValue =
    | { tag: "text"; val: string }
    | { tag: "integer"; val: number }
    | { tag: "decimal"; val: DecimalText }
    | { tag: "boolean"; val: boolean }
    | { tag: "texts"; val: string[] }
    | { tag: "pairs"; val: [string, string][] }
  ;
  /**
   * A setting's name and value.
   */
  type Setting = [string, SettingValue];
  /**
   * What holds for the whole call. With the other arguments it is all that a plugin knows. There is no clock, no randomness,
   * no file and no network, and an instance may be new or used: remember nothing between calls. So every call can be recorded,
   * replayed and compared between two versions of a plugin.
   */
  interface Context {
    now: IsoTimestamp;
    /**
     * BCP 47 tag of the people who read reasons, `hu-HU`.
     */
    language: string;
    /**
     * Every setting that has a value, defaults filled in.
     */
    settings: Setting[];
    /**
     * Rows that you asked for in this question, all rounds together.
     */
    found: Found[];
    more: Field[];
  }
  /**
   * What a setting holds.
   */
  type SettingType =
    | { tag: "text" }
    | { tag: "integer" }
    | { tag: "decimal" }
    | { tag: "boolean" }
    | { tag: "one-of"; val: string[] }
    | { tag: "texts" }
    | { tag: "pairs" }
    /**
     * The name of a column of this table. The console offers a list, and a missing column is found at load.
     */
    | { tag: "column"; val: string }
  ;
  /**
   * One setting. `name` is `[a-z0-9-]{1,64}`. The host refuses a configuration that lacks a required setting, has one of the
   * wrong type or has one that is not listed.
   */
  interface SettingSpec {
    name: string;
    doc: string;
    kind: SettingType;
    required: boolean;
    defaultValue?: SettingValue;
  }
  /**
   * The plugin in itself, before any setting is known. `id` is `[a-z0-9-]{1,64}` and stays the same through all versions;
   * `version` is semver; `summary` is one sentence for the operator.
   */
  interface PluginManifest {
    id: string;
    version: string;
    summary: string;
    settings: SettingSpec[];
  }
  /**
   * Columns of one table.
   */
  interface TableColumns {
    table: string;
    columns: string[];
  }
  /**
   * A table that queries may touch. `steady` rows change rarely (a list of countries): the host may answer from memory.
   */
  interface AskedTable {
    table: string;
    columns: string[];
    steady: boolean;
  }
  /**
   * How a join leads from the upper row to its table.
   */
  type Link =
    /**
     * This column of the upper row points there. At most one row.
     */
    | { tag: "lookup"; val: string }
    /**
     * This column of the joined table points up. Any number of rows.
     */
    | { tag: "child"; val: string }
    /**
     * This many-to-many relationship connects them.
     */
    | { tag: "many"; val: string }
  ;
  /**
   * Rows that come along whenever the host reads a record. `above` is `opportunity` or `lead`, or the label of another join.
   */
  interface Join {
    label: string;
    above: string;
    table: string;
    via: Link;
    columns: string[];
  }
  /**
   * What kind of column set-up should create. The number is the greatest length.
   */
  type ColumnKind =
    | { tag: "text"; val: number }
    | { tag: "long-text"; val: number }
    | { tag: "integer" }
    | { tag: "decimal" }
    | { tag: "money" }
    | { tag: "boolean" }
    | { tag: "date" }
    | { tag: "timestamp" }
    | { tag: "choice"; val: Choice[] }
    | { tag: "reference"; val: string }
  ;
  /**
   * A column that belongs to the mapping itself. Set-up creates it where it is missing, with `label` on the form.
   *
   * The host fills or follows a column that has a role, and no hook sets it: `identifier` (id of the referral; by it a record
   * that was linked earlier is found), `link`, `program`, `microsoft-id`, `audit`, `consent`, `gate` (the seller's switch: read it
   * in `should-sync`; the host switches it on in records that it creates). A role that a host does not know is no role.
   */
  interface OwnColumn {
    table: string;
    column: string;
    kind: ColumnKind;
    label: string;
    role?: string;
  }
  /**
   * One thing that the plugin needs from the CRM. The operator sees the sum and grants it; the host fetches nothing more,
   * accepts nothing more, and checks at load that every table and column exists.
   */
  type Need =
    /**
     * Columns of `opportunity`, `lead` or a matched row that you read.
     */
    | { tag: "reads"; val: TableColumns }
    | { tag: "joins"; val: Join }
    /**
     * Columns that you may set. Anything else in an answer is an error of the plugin.
     */
    | { tag: "writes"; val: TableColumns }
    /**
     * Tables and columns that your queries may touch.
     */
    | { tag: "asks"; val: AskedTable }
    | { tag: "brings"; val: OwnColumn }
    | { tag: "more"; val: Field }
  ;
  /**
   * How loud a log line is.
   */
  type Level = "debug" | "info" | "warn" | "error";
  /**
   * The two sides that are kept in step.
   */
  type Side = "partner-center" | "crm";
  /**
   * What a deal is in the CRM.
   */
  type RecordKind = "opportunity" | "lead";
  /**
   * A deal at the door. At least one of `deal` (as Partner Center shows it) and `seen` (as the CRM shows it) is there.
   */
  interface Arrival {
    /**
     * The side on which it was first met.
     */
    origin: Side;
    deal?: Deal;
    seen?: Seen;
    /**
     * Both sides are already connected.
     */
    linked: boolean;
    more: Field[];
  }
  /**
   * What `should-sync` decides.
   */
  type Verdict =
    /**
     * Keep in step, as this kind of record. A linked lead that becomes an opportunity is qualified in the CRM.
     */
    | { tag: "sync"; val: RecordKind }
    /**
     * Leave alone; a linked deal pauses. The reason is shown, nothing is parked, nobody is called.
     */
    | { tag: "skip"; val: Reason }
  ;
  /**
   * What a hit of a search is worth.
   */
  type Strength = "identifies" | "suggests";
  /**
   * A query and what its hits are worth. The query's label tells a chooser, and a person, what was found by what.
   */
  interface Search {
    query: Query;
    strength: Strength;
  }
  /**
   * A row that at least one search brought. `found-by` holds the labels of all that did, and `identifies` if one of these
   * searches identifies.
   */
  interface Candidate {
    row: Row;
    foundBy: string[];
  }
  /**
   * `score` is 0 to 100. `because` is read by a person: "same DUNS number", "name differs by one letter".
   */
  interface Likeness {
    id: string;
    score: number;
    because: string[];
  }
  /**
   * Which row it is.
   */
  type Resolution =
    | { tag: "use-existing"; val: Likeness }
    /**
     * None of them. The text says what makes this customer this customer (`duns:123456789`, `contoso kft|1051`); the host makes
     * the new row's id from it, so two deals of one new customer create one account.
     */
    | { tag: "create-new"; val: string }
    /**
     * Too close to call. A person chooses; until then nothing is written. Best first.
     */
    | { tag: "review"; val: Likeness[] }
  ;
  /**
   * One person at the customer. `account` is the customer's row.
   */
  interface ContactQuestion {
    person: Person;
    company: Company;
    account?: Reference;
    more: Field[];
  }
  /**
   * The deal as a row should show it.
   */
  interface Order {
    deal: Deal;
    /**
     * The row as it is now. None: it will be created.
     */
    existing?: Seen;
    /**
     * The customer's account row, matched or created before this question.
     */
    account?: Reference;
    /**
     * Contact rows, in the order of `deal.contacts`. None: that contact does not cross.
     */
    contacts: (Reference | null)[];
    /**
     * The lead that becomes this opportunity.
     */
    lead?: Reference;
    more: Field[];
  }
  /**
   * `table` is the table of the row that carries the address: `account` or `lead`.
   */
  interface CountryOrder {
    code: string;
    table: string;
    existing?: Row;
    more: Field[];
  }
  /**
   * `closing` goes to the closing activity when the state is won or lost (`subject`, `competitorid`, ...); else leave it empty.
   */
  interface RowState {
    statecode: number;
    statuscode: number;
    closing: Cell[];
  }
  /**
   * How a sync ended.
   */
  type Outcome =
    | { tag: "in-step" }
    | { tag: "failed"; val: Reason[] }
    /**
     * `should-sync` or a person has switched it off.
     */
    | { tag: "paused"; val: Reason }
  ;
  /**
   * What a sync left behind. `name` is the deal's name without a mark.
   */
  interface Report {
    kind: RecordKind;
    outcome: Outcome;
    name: string;
    state: DealState;
    more: Field[];
  }
  /**
   * One thing that an example starts from.
   */
  type Given =
    | { tag: "setting"; val: Setting }
    /**
     * Laid over the standard deal.
     */
    | { tag: "fact"; val: Fact }
    /**
     * The CRM row. Without one the row does not exist yet.
     */
    | { tag: "row"; val: Row }
    | { tag: "related"; val: Related }
    | { tag: "found"; val: Found }
    | { tag: "candidate"; val: Candidate }
    | { tag: "outcome"; val: Outcome }
    | { tag: "state"; val: DealState }
    /**
     * The country code of `country.to-row`.
     */
    | { tag: "text"; val: string }
    | { tag: "more"; val: Field }
  ;
  /**
   * One thing that must be in the answer. Other things may be there too.
   */
  type Expected =
    | { tag: "sets"; val: Cell }
    | { tag: "withdraws"; val: string }
    | { tag: "children"; val: Children }
    | { tag: "states"; val: Fact }
    /**
     * A country code, a mark.
     */
    | { tag: "answers"; val: string }
    | { tag: "state"; val: DealState }
    | { tag: "row-state"; val: RowState }
    | { tag: "verdict"; val: Verdict }
    | { tag: "resolution"; val: Resolution }
    /**
     * A query with this label.
     */
    | { tag: "asks"; val: string }
    /**
     * A reason with this code, for one unit or for all.
     */
    | { tag: "refuses"; val: string }
    | { tag: "later" }
    /**
     * Nothing to say.
     */
    | { tag: "passes" }
    | { tag: "more"; val: Field }
  ;
  /**
   * `title` is a sentence and is shown when the example fails. `asks` is the question, `opportunity.to-row`.
   */
  interface Example {
    title: string;
    asks: string;
    given: Given[];
    expect: Expected[];
  }
  /**
   * Which account the customer is, and what a new one looks like. Asked when a deal without an account goes into the CRM.
   */
  interface Account {
    /**
     * Which accounts could it be? `draft` holds the searches of the plugins before you. Answer the whole new list (yours, or
     * the draft with yours added); `none` leaves the draft.
     *
     * The host runs all searches in one batch. A single hit of a search that `identifies` is proof enough for most choosers,
     * so to match by your own customer number you need this function and no other.
     */
    searches?(ctx: Context, deal: Deal, draft: Search[]): Search[] | undefined | void;
    /**
     * Which one is it? `candidates` holds every row found, once, and may be empty. `none` leaves the draft; if nobody decides, a
     * person is asked.
     *
     * Answer `review` when it is too close to call: a wrong account costs more than a question. Candidates, and rows of this table that
     * you `ask` for, can be chosen: so a merged account leads to its master.
     */
    choose?(ctx: Context, deal: Deal, candidates: Candidate[], draft: Resolution | undefined): Resolution | undefined | void;
    /**
     * Columns of the account. `existing` is none for a new one. An account that was matched is left alone unless the operator
     * lets customer data flow into matched accounts; then it is asked as `opportunity.to-row` is. The country follows in
     * `country.to-row`.
     */
    toRow?(ctx: Context, deal: Deal, existing: Row | undefined, draft: Cell[]): Change[] | undefined | void;
  }
  /**
   * Which contact rows the people at the customer are. Asked once for each person in `deal.contacts`, after the account is known.
   * The three functions are those of `account`.
   */
  interface Contact {
    /**
     * Which contacts could this be? The host collects the searches for all people and runs them in one batch.
     */
    searches?(ctx: Context, question: ContactQuestion, draft: Search[]): Search[] | undefined | void;
    /**
     * Which one is it? If nobody decides, this person does not cross.
     */
    choose?(ctx: Context, question: ContactQuestion, candidates: Candidate[], draft: Resolution | undefined): Resolution | undefined | void;
    /**
     * Columns of the contact row.
     */
    toRow?(ctx: Context, question: ContactQuestion, existing: Row | undefined, draft: Cell[]): Change[] | undefined | void;
  }
  /**
   * Between ISO 3166-1 alpha-2 and however the organisation keeps a country: a code, a name, a choice, a lookup.
   *
   * Law: what `to-row` writes, `to-deal` reads back as the same code.
   */
  interface Country {
    /**
     * Asked after `opportunity.to-deal` or `lead.to-deal`. `draft` is the country they or the plugins before you found. Answer
     * the alpha-2 code; `none` leaves the draft.
     *
     * A country in a lookup needs no query: join the account, join the country table below it, read the code there.
     */
    toDeal?(ctx: Context, seen: Seen, draft: string | undefined): string | undefined | void;
    /**
     * Asked when a row with an address is written, after `account.to-row` or `lead.to-row`; `draft` is what they set.
     *
     * For a lookup answer `row-where`, the country row by its code; the host finds the id.
     */
    toRow?(ctx: Context, order: CountryOrder, draft: Cell[]): Change[] | undefined | void;
  }
  /**
   * The mark that people see before an opportunity's name.
   */
  interface Decorate {
    /**
     * Asked when a sync has ended, or ahead with the outcome that the host expects, so that one write carries the columns and the
     * mark. `none` leaves the draft, the empty text is no mark.
     *
     * The host puts the mark and a space before the name, remembers it, and takes exactly that off again before any plugin reads
     * the name.
     */
    mark?(ctx: Context, report: Report, draft: string | undefined): string | undefined | void;
  }
  /**
   * Between a deal that nobody accepted yet and a lead row. The functions are those of `opportunity`.
   *
   * A lead carries company and address itself; `country.to-row` follows with `table` = `lead`.
   */
  interface Lead {
    /**
     * As `opportunity.to-deal`.
     */
    toDeal?(ctx: Context, seen: Seen, draft: Fact[]): Fact[] | undefined | void;
    /**
     * As `opportunity.to-row`; the same two questions on an update.
     */
    toRow?(ctx: Context, order: Order, draft: Cell[]): Change[] | undefined | void;
  }
  /**
   * Between a deal and an opportunity row. The heart of a mapping: fields, required columns, owner, solutions, contacts.
   *
   * Law: the facts that `to-deal` reads from a row are the facts that `to-row` wrote into it, as far as the columns can hold
   * them.
   */
  interface Opportunity {
    /**
     * What does this row say about the deal? `draft` holds the facts of the plugins before you; state the ones you read
     * otherwise, `withdraw` those that should not count. The last word is believed, and the console shows whose it was. Contacts
     * and solutions come from your joins. The name comes without its mark.
     */
    toDeal?(ctx: Context, seen: Seen, draft: Fact[]): Fact[] | undefined | void;
    /**
     * What should the row look like? `draft` holds the cells that the plugins before you set; `set` yours, `withdraw` those
     * that should not be written.
     *
     * Answer for the whole deal each time and never work out what changed. On an update the host asks twice about the same
     * row, for the deal as it shows it now and for the deal as it should be, and writes only the columns on which your answers
     * differ. So a constant is written when the row is created and never again, and a rounding or a cut is never written back.
     */
    toRow?(ctx: Context, order: Order, draft: Cell[]): Change[] | undefined | void;
  }
  /**
   * What every plugin exports: who it is, and what it needs.
   */
  interface Plugin {
    /**
     * Asked first, once per load. Constant: the same answer every time. The build command also writes it into the component as a
     * custom section, so that it can be read without running anything; the host compares the two.
     */
    manifest(): PluginManifest;
    /**
     * Asked once per load with the operator's settings, already checked against the manifest. Answers everything the plugin reads,
     * joins, writes, asks for and brings along; so a setting may name the column that is read. Reasons, when settings contradict
     * each other: the plugin is not loaded, and the operator reads them.
     */
    describe?(settings: Setting[]): Need[] | undefined | void;
  }
  /**
   * Golden examples: optional, and the best thing a plugin can bring. The host asks them when the plugin is loaded, each one
   * twice and on a fresh instance; a plugin that fails one is not put into service, and the operator sees the title.
   *
   * An example asks this plugin alone, with an empty draft. It starts from the *standard deal* of the contract, an accepted deal
   * with every field filled: `Data platform for Contoso`, 125000.00 EUR, closing 2026-12-15, Contoso Kft., Váci út 1., 1051
   * Budapest, HU, DUNS 123456789, one contact (Anna Kovács, anna.kovacs@contoso.example), one seller, one solution
   * (SOL-12345-ABC). Lay your facts over it and name the cells or facts that must come out.
   */
  interface Examples {
    cases?(): Example[];
  }
  /**
   * Whether a deal is kept in step, and as what.
   */
  interface ShouldSync {
    /**
     * Asked before anything else, for every deal, every time. `draft` is what the plugins before you decided; `none` leaves it. If
     * nobody decides, the deal is skipped.
     *
     * Typical: `skip` while the seller's switch is not yes; `sync(lead)` while the referral is not accepted.
     */
    decide?(ctx: Context, arrival: Arrival, draft: Verdict | undefined): Verdict | undefined | void;
  }
  /**
   * Between where a deal stands and the state and status reason of its row. Here belong an organisation's own loss reasons, its
   * on-hold status and its lead states.
   */
  interface Status {
    /**
     * Where does this row say the deal stands? Read `statecode` and `statuscode` of `seen.row`; its table tells a lead from an
     * opportunity. `none` leaves the draft; if nobody answers, the state does not cross.
     */
    toDeal?(ctx: Context, seen: Seen, draft: DealState | undefined): DealState | undefined | void;
    /**
     * Which state and status reason should the row have? Asked when the state crosses into the CRM. The host closes, reopens
     * and disqualifies as the CRM demands it; only name the codes.
     */
    toRow?(ctx: Context, order: Order, draft: RowState | undefined): RowState | undefined | void;
  }
}
