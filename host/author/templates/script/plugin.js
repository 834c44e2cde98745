// What our organisation does otherwise than the stock mapping: a deal type for every new opportunity, and the campaign in a column of our own.
//
// An object is exported for every interface of the contract that this file serves. What its functions are given and may answer is in
// cosell.d.ts; `cosell plugin types` writes that file anew with the columns of your own CRM.

// @ts-check
/// <reference path="./cosell.d.ts" />

const DEAL_TYPE = "new_dealtype";
const CAMPAIGN = "new_campaign";

/** @type {cosell.Plugin} */
export const plugin = {
  manifest: () => ({
    id: "{{id}}",
    version: "0.1.0",
    summary: "A deal type for every new opportunity, and the campaign in a column of our own.",
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
    { tag: "reads", val: { table: "opportunity", columns: [CAMPAIGN] } },
    { tag: "writes", val: { table: "opportunity", columns: [CAMPAIGN, DEAL_TYPE] } },
  ],
};

/** @type {cosell.Opportunity} */
export const opportunity = {
  toDeal(ctx, seen) {
    const campaign = new Map(seen.row.cells).get(CAMPAIGN);
    return [{ tag: "campaign", val: campaign?.tag === "text" ? campaign.val : undefined }];
  },

  toRow(ctx, order) {
    const setting = new Map(ctx.settings).get("deal-type");
    const campaign = order.deal.campaign;
    return [
      { tag: "set", val: [CAMPAIGN, campaign === undefined ? { tag: "empty" } : { tag: "text", val: campaign }] },
      { tag: "set", val: [DEAL_TYPE, { tag: "text", val: setting?.tag === "text" ? setting.val : "" }] },
    ];
  },
};

// Golden examples: the host asks them at every load, and a script that fails one is not put into service.
/** @type {cosell.Examples} */
export const examples = {
  cases: () => [
    {
      title: "every opportunity gets its deal type",
      asks: "opportunity.to-row",
      given: [],
      expect: [
        { tag: "sets", val: [DEAL_TYPE, { tag: "text", val: "co-sell" }] },
        { tag: "sets", val: [CAMPAIGN, { tag: "text", val: "FY27-data" }] },
      ],
    },
    {
      title: "the campaign is read from our column",
      asks: "opportunity.to-deal",
      given: [
        {
          tag: "row",
          val: {
            table: "opportunity",
            id: "0c0c0c0c-0000-4000-8000-000000000001",
            cells: [[CAMPAIGN, { tag: "text", val: "FY27-data" }]],
          },
        },
      ],
      expect: [{ tag: "states", val: { tag: "campaign", val: "FY27-data" } }],
    },
  ],
};
