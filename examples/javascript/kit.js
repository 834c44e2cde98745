// What `cosell plugin build` stands around a mapping in JavaScript.
//
// * Every function of an interface is there: those that the mapping leaves out say nothing.
// * Whatever is thrown arrives as a sentence with file and line. Without this, the host sees a trap without words.
// * console writes to the plugin's log.
// * `undefined` where the contract wants a list is an empty list.
// * No clock and no chance: an answer is a function of its question. Date is ctx.now while a question is answered.

import { write } from "cosell:mapping/log@1.0.0";

/** Functions of each interface, and whether one answers a list. */
const INTERFACES = {
  plugin: { manifest: false, describe: true },
  examples: { cases: true },
  shouldSync: { decide: false },
  opportunity: { toDeal: true, toRow: true },
  lead: { toDeal: true, toRow: true },
  country: { toDeal: false, toRow: true },
  status: { toDeal: false, toRow: false },
  account: { searches: false, choose: false, toRow: true },
  contact: { searches: false, choose: false, toRow: true },
  decorate: { mark: false },
};
const STOPS = ["ask", "refuse", "later", "fault"];

const shown = (value) => {
  if (typeof value === "string") return value;
  if (value instanceof Error) return `${value}`;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return String(value);
  }
};
const level = (name) => (...values) => write(name, values.map(shown).join(" "));
globalThis.console = { debug: level("debug"), log: level("info"), info: level("info"), warn: level("warn"), error: level("error") };

const RealDate = Date;
let now;
const moment = () => {
  if (now === undefined) throw new TypeError("there is no time outside a question: use ctx.now");
  return now;
};
RealDate.now = moment;
globalThis.Date = new Proxy(RealDate, {
  construct: (date, given) => Reflect.construct(date, given.length ? given : [moment()]),
  apply: () => new RealDate(moment()).toString(),
});
delete Math.random;

/** `toRow@plugin.js:12:5` and the lines below it. */
const placed = (error) => {
  const lines = (error.stack ?? "").split("\n").filter((line) => line.includes(".js:"));
  const [, place] = /([^@(\s]+\.js:\d+:\d+)/.exec(lines[0] ?? "") ?? [];
  const words = `${error.name ?? "Error"}: ${error.message}`;
  return { message: place ? `${place.replace(/^.*\//, "")}: ${words}` : words, trace: lines.join("\n") || undefined };
};

const fault = (thrown) => {
  if (thrown instanceof Error) return { tag: "fault", val: placed(thrown) };
  return {
    tag: "fault",
    val: { message: `threw ${shown(thrown)}; throw an Error, or a stop: { tag: "refuse", val: [{ code, message }] }`, trace: undefined },
  };
};

const guard = (name, key, asked, isList) => (...given) => {
  now = given[0]?.now === undefined ? undefined : RealDate.parse(given[0].now);
  try {
    const answer = asked(...given);
    return answer ?? (isList ? [] : undefined);
  } catch (thrown) {
    if (name === "plugin" && key === "describe") {
      if (Array.isArray(thrown)) throw thrown;
      const { message, trace } = fault(thrown).val;
      throw [{ code: "plugin-failed", message, about: undefined, hint: trace }];
    }
    if (name === "plugin" || name === "examples") {
      // Nothing can be answered but a trap: the last line of the log stands beside it.
      write("error", fault(thrown).val.message);
      throw thrown;
    }
    if (STOPS.includes(thrown?.tag)) throw thrown;
    throw fault(thrown);
  }
};

/** The interfaces of a mapping, ready to be exported. */
export function guarded(mapping) {
  const ready = {};
  for (const [name, functions] of Object.entries(mapping)) {
    const known = INTERFACES[name];
    if (!known) throw new Error(`nobody asks \`${name}\`; there are ${Object.keys(INTERFACES).join(", ")}`);
    ready[name] = {};
    for (const [key, isList] of Object.entries(known)) {
      const asked = functions[key]?.bind(functions) ?? (() => undefined);
      ready[name][key] = guard(name, key, asked, isList);
    }
  }
  return ready;
}
