import { diff as diffBackups } from "../../usecases/diff.ts";
import { DONE } from "../exit-status.ts";
import { diffJson, diffLines } from "../render-diff.ts";
import { selectorOf } from "../requests.ts";
import type { RunCommand } from "../session.ts";
import { wireRepository } from "../wiring.ts";

/** That two backups differ is no failure. */
export const diff: RunCommand = async (session) => {
  const { settings, output, signal, argument, otherArgument } = session;
  await using repository = await wireRepository(session, settings.target[0] ?? ".");
  const request = {
    first: argument ?? "latest",
    second: otherArgument ?? "latest",
    selects: selectorOf(settings),
  };
  const result = await diffBackups(repository, request, signal);
  if (output.options.json) await output.printJson(diffJson(result));
  else await output.printLines(diffLines(result, output.paint));
  return DONE;
};
