// Countries kept in a table, new_country, to which the account points with new_countryid.
//
// Reading needs no query: two joins bring the row, and the code stands in it. Writing is one line, "the country row whose code is HU"; the host finds
// the row. The column of the stock mapping is taken back.

// @ts-check
/// <reference path="./cosell.d.ts" />

const COUNTRY = "new_countryid";
const ISO2 = "new_iso2";
const STOCK_COUNTRY = "address1_country";

/** @type {(label: string, above: string, column: string, table: string, columns: string[]) => cosell.Need} */
const join = (label, above, column, table, columns) => ({
  tag: "joins",
  val: { label, above, table, via: { tag: "lookup", val: column }, columns },
});

/** @type {cosell.Plugin} */
export const plugin = {
  manifest: () => ({
    id: "lookup-country-script",
    version: "1.0.0",
    summary: "Countries in a lookup table.",
    settings: [],
  }),

  describe: () => [
    join("account", "opportunity", "parentaccountid", "account", [COUNTRY]),
    join("customer", "opportunity", "customerid", "account", [COUNTRY]),
    join("account-country", "account", COUNTRY, "new_country", [ISO2]),
    join("customer-country", "customer", COUNTRY, "new_country", [ISO2]),
    { tag: "writes", val: { table: "account", columns: [COUNTRY, STOCK_COUNTRY] } },
    { tag: "asks", val: { table: "new_country", columns: [ISO2], steady: true } },
  ],
};

/** @type {cosell.Country} */
export const country = {
  toDeal(ctx, seen) {
    for (const label of ["account-country", "customer-country"]) {
      const [row] = seen.related.find((related) => related.label === label)?.rows ?? [];
      const code = row && new Map(row.cells).get(ISO2);
      // What stands there is a person's to write, and a code is two letters.
      if (code?.tag === "text" && /^[A-Z]{2}$/.test(code.val)) return code.val;
    }
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

/** @type {cosell.Examples} */
export const examples = {
  cases: () => [
    {
      title: "the country is read through two joins",
      asks: "country.to-deal",
      given: [
        { tag: "row", val: { table: "opportunity", id: "0c0c0c0c-0000-4000-8000-000000000001", cells: [] } },
        {
          tag: "related",
          val: {
            label: "customer-country",
            rows: [
              {
                table: "new_country",
                id: "0e0e0e0e-0000-4000-8000-000000000001",
                cells: [[ISO2, { tag: "text", val: "HU" }]],
              },
            ],
          },
        },
      ],
      expect: [{ tag: "answers", val: "HU" }],
    },
    {
      title: "the country is written as a row of the table",
      asks: "country.to-row",
      given: [{ tag: "text", val: "HU" }],
      expect: [
        {
          tag: "sets",
          val: [COUNTRY, { tag: "row-where", val: { table: "new_country", parts: [[ISO2, "HU"]], ifMissing: "refuse" } }],
        },
        { tag: "withdraws", val: STOCK_COUNTRY },
      ],
    },
  ],
};
