// Runs before the script, once for each instance. What it takes away would make an answer depend on more than the question, or would turn
// data into code.
(function (write) {
  "use strict";
  const Real = Date;
  let now;
  const frozen = () => {
    if (now === undefined) throw new TypeError("there is no time outside a question: use ctx.now");
    return now;
  };
  Real.now = frozen;
  const Frozen = new Proxy(Real, {
    construct: (date, given, target) => Reflect.construct(date, given.length ? given : [frozen()], target === Frozen ? date : target),
    apply: () => new Real(frozen()).toString(),
  });
  Real.prototype.constructor = Frozen;
  globalThis.Date = Frozen;

  delete Math.random;
  delete globalThis.performance;

  const refuse = function () {
    throw new EvalError("text is not evaluated here");
  };
  for (const made of [function () {}, function* () {}, async function () {}, async function* () {}]) {
    Object.defineProperty(Object.getPrototypeOf(made), "constructor", { value: refuse });
  }
  refuse.prototype = Object.getPrototypeOf(refuse);
  globalThis.Function = refuse;
  delete globalThis.eval;

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
  globalThis.console = Object.freeze({
    debug: level("debug"),
    log: level("info"),
    info: level("info"),
    warn: level("warn"),
    error: level("error"),
  });

  Object.freeze(Math);
  Object.freeze(JSON);
  Object.freeze(globalThis);
  return (text) => {
    now = text === undefined ? undefined : Real.parse(text);
  };
});
