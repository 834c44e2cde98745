// An organisation's own status reasons for lost deals. Which option means which reason is a setting, in 58-loss-reasons.toml:
//
//   [settings]
//   loss-reasons = { "100000004" = "Price", "100000005" = "Lost to a competitor" }
//
// Whatever it does not name is left to the stock mapping, which stands before this file in the folder.

// @ts-check
/// <reference path="./cosell.d.ts" />

// State of an opportunity that is lost: the platform's own code.
const LOST = 2;

/** @type {(settings: cosell.Setting[]) => [number, string][]} */
const reasonsOf = (settings) => {
  const setting = new Map(settings).get("loss-reasons");
  return setting?.tag === "pairs" ? setting.val.map(([code, reason]) => [Number(code), reason]) : [];
};

/** @type {(row: cosell.Row, column: string) => number | undefined} */
const codeOf = (row, column) => {
  const value = new Map(row.cells).get(column);
  return value?.tag === "choice" ? value.val.code : undefined;
};

/** @type {cosell.Plugin} */
export const plugin = {
  manifest: () => ({
    id: "loss-reasons-script",
    version: "1.0.0",
    summary: "Our own status reasons for lost deals.",
    settings: [
      {
        name: "loss-reasons",
        doc: "Code of a status reason under Lost, and the reason that Partner Center is told.",
        kind: { tag: "pairs" },
        required: false,
        defaultValue: { tag: "pairs", val: [["100000004", "Price"], ["100000005", "Lost to a competitor"]] },
      },
    ],
  }),

  describe(settings) {
    const wrong = reasonsOf(settings).filter(([code]) => !Number.isInteger(code));
    if (wrong.length > 0) throw [{ code: "no-code", message: "loss-reasons has a code that is no whole number" }];
    return [{ tag: "reads", val: { table: "opportunity", columns: ["statecode", "statuscode"] } }];
  },
};

/** @type {cosell.Status} */
export const status = {
  toDeal(ctx, seen) {
    if (seen.row.table !== "opportunity" || codeOf(seen.row, "statecode") !== LOST) return;
    const code = codeOf(seen.row, "statuscode");
    const known = reasonsOf(ctx.settings).find(([own]) => own === code);
    return known && { standing: { tag: "lost" }, reason: known[1] };
  },

  toRow(ctx, order) {
    const kind = new Map(order.more).get("record-kind");
    const state = order.deal.state;
    if ((kind?.tag === "text" && kind.val === "lead") || state.standing.tag !== "lost") return;
    const told = (state.reason ?? "").toLowerCase();
    const ours = reasonsOf(ctx.settings).find(([, reason]) => reason.toLowerCase() === told);
    return ours && { statecode: LOST, statuscode: ours[0], closing: [] };
  },
};

/** @type {(reason: string) => cosell.DealState} */
const lost = (reason) => ({ standing: { tag: "lost" }, reason });
/** @type {(status: number) => cosell.Given} */
const row = (status) => ({
  tag: "row",
  val: {
    table: "opportunity",
    id: "0c0c0c0c-0000-4000-8000-000000000001",
    cells: [
      ["statecode", { tag: "choice", val: { code: LOST } }],
      ["statuscode", { tag: "choice", val: { code: status } }],
    ],
  },
});

/** @type {cosell.Examples} */
export const examples = {
  cases: () => [
    {
      title: "our own status reason is told as its reason",
      asks: "status.to-deal",
      given: [row(100000004)],
      expect: [{ tag: "state", val: lost("Price") }],
    },
    {
      title: "a status reason that we do not know is the stock's",
      asks: "status.to-deal",
      given: [row(4)],
      expect: [{ tag: "passes" }],
    },
    {
      title: "a reason becomes our own status reason",
      asks: "status.to-row",
      given: [{ tag: "state", val: lost("lost to a competitor") }],
      expect: [{ tag: "row-state", val: { statecode: LOST, statuscode: 100000005, closing: [] } }],
    },
    {
      title: "a reason that we do not have is the stock's",
      asks: "status.to-row",
      given: [{ tag: "state", val: lost("Weather") }],
      expect: [{ tag: "passes" }],
    },
  ],
};
