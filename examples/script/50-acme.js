// Acme's own mapping as a script: drop this file into the plugin folder, beside script.engine.wasm.
//
// * Countries are kept in a table, new_country, to which the account points with new_countryid. Reading needs two joins, writing is one line.
// * Every opportunity gets a deal type, a setting in 50-acme.toml.
// * The deal value stands in another column than the stock mapping's, which is taken back.
//
// An object is exported for every interface of the contract that this file serves, with the functions of that interface. What they are given
// and what they may answer is in cosell.d.ts: editors that understand the next line complete and check it.

// @ts-check
/// <reference path="./cosell.d.ts" />

const COUNTRY = "new_countryid";
const ISO2 = "new_iso2";
const DEAL_TYPE = "new_dealtype";
const VALUE = "new_dealvalue";
// Columns of the stock mapping that Acme does not use.
const STOCK_COUNTRY = "address1_country";
const STOCK_VALUE = "estimatedvalue";

/** @type {(label: string, above: string, column: string, table: string, columns: string[]) => cosell.Need} */
const join = (label, above, column, table, columns) => ({
  tag: "joins",
  val: { label, above, table, via: { tag: "lookup", val: column }, columns },
});

/** @type {cosell.Plugin} */
export const plugin = {
  manifest: () => ({
    id: "acme-script",
    version: "1.0.0",
    summary: "Countries in a lookup table, a deal type, and the deal value in a column of our own.",
    settings: [
      {
        name: "deal-type",
        doc: "What every new opportunity gets as its deal type.",
        kind: { tag: "text" },
        required: false,
        defaultValue: { tag: "text", val: "co-sell" },
      },
    ],
  }),

  describe: () => [
    join("account", "opportunity", "parentaccountid", "account", [COUNTRY]),
    join("account-country", "account", COUNTRY, "new_country", [ISO2]),
    { tag: "reads", val: { table: "opportunity", columns: [VALUE] } },
    { tag: "writes", val: { table: "opportunity", columns: [DEAL_TYPE, VALUE, STOCK_VALUE] } },
    { tag: "writes", val: { table: "account", columns: [COUNTRY, STOCK_COUNTRY] } },
    { tag: "asks", val: { table: "new_country", columns: [ISO2], steady: true } },
  ],
};

/** @type {cosell.Country} */
export const country = {
  toDeal(ctx, seen) {
    const [row] = seen.related.find((related) => related.label === "account-country")?.rows ?? [];
    const code = row && new Map(row.cells).get(ISO2);
    // What stands there is a person's to write, and a code is two letters.
    return code?.tag === "text" && /^[A-Z]{2}$/.test(code.val) ? code.val : undefined;
  },

  toRow(ctx, order) {
    if (order.table !== "account") return [];
    /** @type {cosell.RowKey} */
    const key = { table: "new_country", parts: [[ISO2, order.code]], ifMissing: "refuse" };
    return [
      { tag: "withdraw", val: STOCK_COUNTRY },
      { tag: "set", val: [COUNTRY, { tag: "row-where", val: key }] },
    ];
  },
};

/** @type {cosell.Opportunity} */
export const opportunity = {
  toDeal(ctx, seen) {
    const value = new Map(seen.row.cells).get(VALUE);
    if (value?.tag === "money") return [{ tag: "value", val: value.val }];
    return [{ tag: "value" }];
  },

  toRow(ctx, order) {
    const setting = new Map(ctx.settings).get("deal-type");
    const dealType = setting?.tag === "text" ? setting.val : "";
    const value = order.deal.value;
    return [
      { tag: "set", val: [DEAL_TYPE, { tag: "text", val: dealType }] },
      { tag: "withdraw", val: STOCK_VALUE },
      { tag: "set", val: [VALUE, value ? { tag: "money", val: value } : { tag: "empty" }] },
    ];
  },
};

// Golden examples: the host asks them at every load, and a script that fails one is not put into service.
/** @type {cosell.Examples} */
export const examples = {
  cases: () => [
    {
      title: "the country is read through two joins",
      asks: "country.to-deal",
      given: [
        { tag: "row", val: { table: "opportunity", id: "0c0c0c0c-0000-4000-8000-0000000000a1", cells: [] } },
        {
          tag: "related",
          val: {
            label: "account-country",
            rows: [
              {
                table: "new_country",
                id: "0e0e0e0e-0000-4000-8000-0000000000a1",
                cells: [[ISO2, { tag: "text", val: "HU" }]],
              },
            ],
          },
        },
      ],
      expect: [{ tag: "answers", val: "HU" }],
    },
    {
      title: "the value goes into our own column",
      asks: "opportunity.to-row",
      given: [],
      expect: [
        { tag: "sets", val: [VALUE, { tag: "money", val: { amount: "125000.00", currency: "EUR" } }] },
        { tag: "withdraws", val: STOCK_VALUE },
        { tag: "sets", val: [DEAL_TYPE, { tag: "text", val: "co-sell" }] },
      ],
    },
  ],
};
