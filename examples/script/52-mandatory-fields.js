// Columns that an organisation demands of every new opportunity and lead: a constant, a setting of the operator, and something that the deal says.
//
// The CRM refuses a row that lacks a required column, so a deal from Partner Center would never arrive. A constant is written when the row is made and
// never again: the host asks twice on an update and writes what differs, so a seller may change it.

// @ts-check
/// <reference path="./cosell.d.ts" />

const DEAL_TYPE = "new_dealtype";
const COST_CENTRE = "new_costcentre";
const ORIGIN = "new_origin";

// Options of the deal type.
const CO_SELL = 100000000;
const MARKETPLACE = 100000001;

/** @type {cosell.Plugin} */
export const plugin = {
  manifest: () => ({
    id: "mandatory-fields-script",
    version: "1.0.0",
    summary: "Fills the columns that every new opportunity and lead must have.",
    settings: [
      {
        name: "cost-centre",
        doc: "The cost centre of every new opportunity.",
        kind: { tag: "text" },
        required: false,
        defaultValue: { tag: "text", val: "4711" },
      },
    ],
  }),

  describe: () => [
    { tag: "writes", val: { table: "opportunity", columns: [DEAL_TYPE, COST_CENTRE] } },
    { tag: "writes", val: { table: "lead", columns: [DEAL_TYPE, ORIGIN] } },
  ],
};

/** @type {(deal: cosell.Deal) => cosell.Change} */
const dealType = (deal) => {
  const code = deal.referral?.category === "marketplace-lead" ? MARKETPLACE : CO_SELL;
  return { tag: "set", val: [DEAL_TYPE, { tag: "choice", val: { code } }] };
};

/** @type {cosell.Opportunity} */
export const opportunity = {
  toRow(ctx, order) {
    const setting = new Map(ctx.settings).get("cost-centre");
    const centre = setting?.tag === "text" ? setting.val : "";
    return [dealType(order.deal), { tag: "set", val: [COST_CENTRE, { tag: "text", val: centre }] }];
  },
};

/** @type {cosell.Lead} */
export const lead = {
  toRow: (ctx, order) => [
    dealType(order.deal),
    { tag: "set", val: [ORIGIN, { tag: "text", val: "Microsoft Partner Center" }] },
  ],
};

/** @type {cosell.Examples} */
export const examples = {
  cases: () => [
    {
      title: "an opportunity gets its deal type and a cost centre",
      asks: "opportunity.to-row",
      given: [],
      expect: [
        { tag: "sets", val: [DEAL_TYPE, { tag: "choice", val: { code: CO_SELL } }] },
        { tag: "sets", val: [COST_CENTRE, { tag: "text", val: "4711" }] },
      ],
    },
    {
      title: "the operator chooses the cost centre",
      asks: "opportunity.to-row",
      given: [{ tag: "setting", val: ["cost-centre", { tag: "text", val: "0815" }] }],
      expect: [{ tag: "sets", val: [COST_CENTRE, { tag: "text", val: "0815" }] }],
    },
    {
      title: "a lead says where it comes from",
      asks: "lead.to-row",
      given: [],
      expect: [{ tag: "sets", val: [ORIGIN, { tag: "text", val: "Microsoft Partner Center" }] }],
    },
  ],
};
