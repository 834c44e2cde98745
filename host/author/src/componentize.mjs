// Started by `cosell plugin build` in the folder of a project: SOURCE WIT-FOLDER OUTPUT.
import { writeFile } from "node:fs/promises";
import { componentize } from "@bytecodealliance/componentize-js";

const [sourcePath, witPath, output] = process.argv.slice(-3);
const { component } = await componentize({
  sourcePath,
  witPath,
  worldName: "built",
  // A call is a function of its arguments: no clock, no chance, no network, no standard output.
  disableFeatures: ["random", "stdio", "clocks", "http", "fetch-event"],
});
await writeFile(output, component);
