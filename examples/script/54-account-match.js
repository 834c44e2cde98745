// Which account the customer is: by DUNS number, then by the domain of its people's mail, then by name and postal code.
//
// A number proves it. A domain or a name with a postal code is a hint, and one hit of the better hint is taken. Two hits of the same worth are a
// person's choice, because a wrong account costs more than a question. None: a new account, under an identity such that two deals of one new customer
// make one account. The searches of the stock mapping are replaced and not added to.

// @ts-check
/// <reference path="./cosell.d.ts" />

const TABLE = "account";
const DUNS = "new_duns";

// The searches, the best first: label, points, and what a person reads.
/** @type {[string, number, string][]} */
const KEYS = [
  ["by-duns", 100, "same DUNS number"],
  ["by-domain", 80, "same mail domain"],
  ["by-name", 70, "same name and postal code"],
];

// Domains that say nothing about an employer.
const PUBLIC = ["gmail.com", "outlook.com", "hotmail.com", "yahoo.com", "icloud.com"];

/** @type {(deal: cosell.Deal) => string | undefined} */
const dunsOf = (deal) => deal.company.ids.find((id) => id.scheme.toLowerCase() === "duns")?.id.trim() || undefined;

/** @type {(deal: cosell.Deal) => string | undefined} */
const domainOf = (deal) =>
  deal.contacts
    .filter((person) => person.email?.includes("@"))
    .map((person) => (person.email ?? "").slice((person.email ?? "").lastIndexOf("@") + 1).trim().toLowerCase())
    .find((domain) => domain.includes(".") && !PUBLIC.includes(domain));

/** @type {(deal: cosell.Deal) => string | undefined} */
const postcodeOf = (deal) => deal.company.address.postalCode?.trim() || undefined;

/** @type {cosell.Plugin} */
export const plugin = {
  manifest: () => ({
    id: "account-match-script",
    version: "1.0.0",
    summary: "Finds the customer by DUNS number, then domain, then name and postal code.",
    settings: [],
  }),

  describe: () => [
    { tag: "asks", val: { table: TABLE, columns: ["name", "address1_postalcode", "websiteurl", DUNS], steady: false } },
    { tag: "writes", val: { table: TABLE, columns: [DUNS] } },
  ],
};

/** @type {cosell.Account} */
export const account = {
  searches(ctx, deal) {
    /** @type {(label: string, strength: cosell.Strength, conditions: cosell.Condition[]) => cosell.Search} */
    const search = (label, strength, conditions) => ({
      query: { label, table: TABLE, columns: ["name"], conditions, limit: 10 },
      strength,
    });
    /** @type {(column: string, text: string) => cosell.Condition} */
    const equals = (column, text) => ({ column, test: { tag: "equals", val: { tag: "text", val: text } } });
    const [duns, domain, postcode, name] = [dunsOf(deal), domainOf(deal), postcodeOf(deal), deal.company.name.trim()];
    const searches = [];
    if (duns) searches.push(search("by-duns", "identifies", [equals(DUNS, duns)]));
    if (domain) {
      searches.push(search("by-domain", "suggests", [{ column: "websiteurl", test: { tag: "contains", val: domain } }]));
    }
    if (postcode && name) {
      searches.push(search("by-name", "suggests", [equals("name", name), equals("address1_postalcode", postcode)]));
    }
    return searches;
  },

  choose(ctx, deal, candidates) {
    for (const [label, score, because] of KEYS) {
      const hits = candidates.filter((candidate) => candidate.foundBy.includes(label));
      const alike = hits.map((hit) => ({ id: hit.row.id, score, because: [because] }));
      if (alike.length === 1) return { tag: "use-existing", val: alike[0] };
      if (alike.length > 1) return { tag: "review", val: alike };
    }
    const duns = dunsOf(deal);
    const named = `${deal.company.name.trim().toLowerCase()}|${postcodeOf(deal) ?? ""}`;
    return { tag: "create-new", val: duns ? `duns:${duns}` : named };
  },

  // So that the next deal of this customer is proved by its number.
  toRow(ctx, deal) {
    const duns = dunsOf(deal);
    return duns ? [{ tag: "set", val: [DUNS, { tag: "text", val: duns }] }] : [];
  },
};

/** @type {(number: number, ...labels: string[]) => cosell.Given} */
const hit = (number, ...foundBy) => ({
  tag: "candidate",
  val: { row: { table: TABLE, id: `0a0a0a0a-0000-4000-8000-00000000000${number}`, cells: [] }, foundBy },
});
/** @type {(...numbers: number[]) => cosell.Likeness[]} */
const rows = (...numbers) =>
  numbers.map((number) => ({ id: `0a0a0a0a-0000-4000-8000-00000000000${number}`, score: 0, because: [] }));

/** @type {cosell.Examples} */
export const examples = {
  cases: () => [
    {
      title: "it is looked for in three ways",
      asks: "account.searches",
      given: [],
      expect: KEYS.map(([label]) => ({ tag: "asks", val: label })),
    },
    {
      title: "the number beats the domain",
      asks: "account.choose",
      given: [hit(1, "by-domain"), hit(2, "by-duns", "identifies")],
      expect: [{ tag: "resolution", val: { tag: "use-existing", val: rows(2)[0] } }],
    },
    {
      title: "two of the same worth are a person's choice",
      asks: "account.choose",
      given: [hit(1, "by-name"), hit(2, "by-name")],
      expect: [{ tag: "resolution", val: { tag: "review", val: rows(1, 2) } }],
    },
    {
      title: "nobody is found: a new one, known by its number",
      asks: "account.choose",
      given: [],
      expect: [{ tag: "resolution", val: { tag: "create-new", val: "duns:123456789" } }],
    },
  ],
};
