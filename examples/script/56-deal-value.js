// The deal value in another column than the stock mapping's, whose word about it is taken back in both directions. Which column is a setting, so the
// same file serves two environments.

// @ts-check
/// <reference path="./cosell.d.ts" />

const STOCK_VALUE = "estimatedvalue";
const USUAL = "new_dealvalue";

/** @type {(settings: cosell.Setting[]) => string} */
const columnOf = (settings) => {
  const setting = new Map(settings).get("value-column");
  return setting?.tag === "text" ? setting.val : USUAL;
};

/** @type {cosell.Plugin} */
export const plugin = {
  manifest: () => ({
    id: "deal-value-script",
    version: "1.0.0",
    summary: "Keeps the deal value in a column of our own.",
    settings: [
      {
        name: "value-column",
        doc: "The currency column that holds the deal value.",
        kind: { tag: "column", val: "opportunity" },
        required: false,
        defaultValue: { tag: "text", val: USUAL },
      },
    ],
  }),

  describe(settings) {
    const column = columnOf(settings);
    return [
      { tag: "reads", val: { table: "opportunity", columns: [column] } },
      { tag: "writes", val: { table: "opportunity", columns: [column, STOCK_VALUE] } },
    ];
  },
};

/** @type {cosell.Opportunity} */
export const opportunity = {
  toDeal(ctx, seen) {
    const value = new Map(seen.row.cells).get(columnOf(ctx.settings));
    return [{ tag: "value", val: value?.tag === "money" ? value.val : undefined }];
  },

  toRow(ctx, order) {
    const value = order.deal.value;
    return [
      { tag: "withdraw", val: STOCK_VALUE },
      { tag: "set", val: [columnOf(ctx.settings), value ? { tag: "money", val: value } : { tag: "empty" }] },
    ];
  },
};

/** @type {cosell.Money} */
const value = { amount: "125000.00", currency: "EUR" };
/** @type {(column: string) => cosell.Given} */
const row = (column) => ({
  tag: "row",
  val: { table: "opportunity", id: "0c0c0c0c-0000-4000-8000-000000000001", cells: [[column, { tag: "money", val: value }]] },
});

/** @type {cosell.Examples} */
export const examples = {
  cases: () => [
    {
      title: "the value goes into our own column",
      asks: "opportunity.to-row",
      given: [],
      expect: [
        { tag: "sets", val: [USUAL, { tag: "money", val: value }] },
        { tag: "withdraws", val: STOCK_VALUE },
      ],
    },
    {
      title: "the value is read from it",
      asks: "opportunity.to-deal",
      given: [row(USUAL)],
      expect: [{ tag: "states", val: { tag: "value", val: value } }],
    },
    {
      title: "the operator names the column",
      asks: "opportunity.to-deal",
      given: [{ tag: "setting", val: ["value-column", { tag: "text", val: "acme_amount" }] }, row("acme_amount")],
      expect: [{ tag: "states", val: { tag: "value", val: value } }],
    },
  ],
};
